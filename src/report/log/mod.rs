//! What `log` says of whole logs: one document, which every form shows.

mod access;
pub mod document;
pub mod prometheus;
pub mod table;

use time::OffsetDateTime;
use time::macros::format_description;

use self::access::{access, refused};
use self::document::{
    Audit, AuditFinding, Failure, FileOut, LogReport, Named, SeriesOut, Tool, Upstream,
    UpstreamClass,
};
use super::explanation;
use crate::log::direction::Direction;
use crate::log::importance::{Reason, judge};
use crate::log::intake::Intake;
use crate::log::series::Trend;
use crate::log::sketch::Names;
use crate::log::table::Likelihood;
use crate::log::tally::{Class, Tally};
use crate::run::{Status, TargetReport};

/// Names of one kind that are listed.
const MAX_NAMES: usize = 20;

impl LogReport {
    /// The document over what was read.
    pub fn new(intake: &Intake, files: Vec<FileOut>, what_if: Option<&[String]>) -> Self {
        let tally = &intake.errors.tally;
        let first = tally.classes().filter_map(|class| class.first).min();
        let last = tally.classes().filter_map(|class| class.last).max();
        let minutes = minutes(first, last);
        let mut failures: Vec<Failure> =
            tally.classes().map(|class| failure(class, tally, minutes)).collect();
        failures.sort_by(|a, b| {
            (a.concern, b.count, a.class, a.alert).cmp(&(b.concern, a.count, b.class, b.alert))
        });
        let traffic = &intake.traffic;
        let lines: u64 = files.iter().map(|file| file.lines).sum();
        let unreadable: u64 = files.iter().map(|file| file.unreadable).sum();
        let mut notes = notes(intake);
        if unreadable > lines / 2 {
            notes.push(
                "Most lines could not be understood: name error logs and access logs of nginx, and give log_format \
                 with --log-format where it is your own."
                    .to_owned(),
            );
        }
        Self {
            schema: "shakedown/log/v1",
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            lines,
            unreadable,
            error_lines: intake.errors.lines,
            first_seen: first.and_then(clock),
            last_seen: last.and_then(clock),
            client_failures_hidden: intake.errors.lines > 0 && intake.errors.verbose_lines == 0,
            upstreams: upstreams(tally),
            access: (traffic.requests > 0).then(|| access(traffic, tally)),
            what_if: what_if.map(|versions| refused(traffic, versions)),
            notes,
            failures,
            files,
        }
    }

    /// Puts what an audit found beside the lines of an upstream.
    pub fn join(&mut self, address: &str, report: &TargetReport) {
        let judgement = &report.judgement;
        let findings = judgement.findings.iter().map(|finding| AuditFinding {
            rule: finding.rule,
            severity: finding.severity,
            message: finding.message.clone(),
            fix: finding.fix.clone(),
        });
        let untested = judgement.untested.iter().filter(|_| report.status == Status::Untested);
        let origin = report.target.origin.as_ref();
        let audit = Audit {
            target: report.target.name.clone(),
            place: origin.map(|origin| format!("{}:{}", origin.file, origin.line)),
            status: report.status,
            reason: untested.map(|(_, reason)| reason.clone()).next(),
            findings: findings.collect(),
        };
        self.add(address, audit);
    }

    /// Says why an upstream was not audited; its status.
    pub fn leave_out(&mut self, address: &str, reason: &str) -> Status {
        let status = Status::Untested;
        let audit = Audit {
            target: address.to_owned(),
            place: None,
            status,
            reason: Some(reason.to_owned()),
            findings: Vec::new(),
        };
        self.add(address, audit);
        status
    }

    fn add(&mut self, address: &str, audit: Audit) {
        if let Some(known) = self.upstreams.iter_mut().find(|known| known.address == address) {
            known.audits.push(audit);
        }
    }

    /// The document as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// Minutes between two times, one at the least.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
fn minutes(first: Option<i64>, last: Option<i64>) -> f64 {
    let seconds = last.zip(first).map_or(0, |(last, first)| last.saturating_sub(first));
    (seconds as f64 / 60.0).max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64) }
}

fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// A time on the host's clock, which has no zone.
pub fn clock(time: i64) -> Option<String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::from_unix_timestamp(time).ok()?.format(format).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
fn failure(class: &Class, tally: &Tally, minutes: f64) -> Failure {
    let judgement = judge(class, tally);
    let counts = tally.grid.map(|grid| class.series.counts(&grid));
    let explained = explanation::of_line(&class.example);
    let mechanism = class.mechanism();
    let causes = mechanism.map(explanation::causes).unwrap_or_default();
    let (clients, clients_exact) = class.clients.count();
    Failure {
        direction: class.direction,
        class: class.name,
        alert: class.alert,
        concern: judgement.concern,
        reason: sentence(&judgement.reason),
        weight: class.weight(),
        count: class.count,
        joined: class.joined,
        per_minute: rounded(class.count as f64 / minutes),
        first_seen: class.first.and_then(clock),
        last_seen: class.last.and_then(clock),
        trend: counts.as_deref().map_or("unclear", trend),
        series: tally.grid.zip(counts).and_then(|(grid, counts)| {
            Some(SeriesOut { start: clock(grid.start)?, width: grid.width, counts })
        }),
        // An estimate may be a little high.
        clients: clients.min(class.count),
        clients_exact,
        servers: named(&class.servers),
        upstreams: named(&class.upstreams),
        meaning: mechanism.map(|row| row.meaning),
        causes,
        next: explained.next,
        example: String::from_utf8_lossy(&class.example).into_owned(),
    }
}

fn trend(counts: &[u64]) -> &'static str {
    match Trend::of(counts) {
        Trend::Unclear => "unclear",
        Trend::Steady => "steady",
        Trend::Rising => "rising",
        Trend::Falling => "falling",
        Trend::Jump(_) => "jump",
    }
}

/// What a judgement rests on, for people.
fn sentence(reason: &Reason) -> String {
    let at = |time: i64| clock(time).unwrap_or_default().replace('T', " ");
    match reason {
        Reason::Upstream => {
            "each line is a try at an upstream that failed: a 502, or a second try".to_owned()
        }
        Reason::Configuration => "the configuration could not be used".to_owned(),
        Reason::Class => "such failures come from our own settings or certificate".to_owned(),
        Reason::Reload(time) => {
            format!("it set in with the reload at {}: look at what that changed", at(*time))
        }
        Reason::Jump(time) => format!("it set in about {}: look at what changed then", at(*time)),
        Reason::OneServer(server) => {
            format!("nearly all of it is on {server}, and clients of other servers do not have it")
        }
        Reason::OneClient(client) => format!("most of it comes from {client}"),
        Reason::Background => {
            "a low steady rate from many addresses: scanners and old bots".to_owned()
        }
        Reason::Noise => "such lines come from scanners and clients that left".to_owned(),
        Reason::Open => {
            "nothing in the log tells scanners from users here: see whether the clients are yours"
                .to_owned()
        }
        Reason::Symptom => "it only says what follows from other failures".to_owned(),
    }
}

fn named(names: &Names) -> Vec<Named> {
    let ranked = names.ranked().into_iter().take(MAX_NAMES);
    ranked
        .map(|(name, count)| Named { name: String::from_utf8_lossy(name).into_owned(), count })
        .collect()
}

fn upstreams(tally: &Tally) -> Vec<Upstream> {
    let mut upstreams: Vec<Upstream> = Vec::new();
    for class in tally.classes().filter(|class| class.direction == Direction::Upstream) {
        let cause = class.mechanism().and_then(|row| row.causes.first()).map(|(cause, _)| cause.id);
        for (address, count) in class.upstreams.ranked() {
            let address = String::from_utf8_lossy(address).into_owned();
            let place = upstreams.iter().position(|known| known.address == address);
            let place = place.unwrap_or_else(|| {
                upstreams.push(Upstream {
                    address,
                    count: 0,
                    classes: Vec::new(),
                    audits: Vec::new(),
                });
                upstreams.len() - 1
            });
            upstreams[place].count += count;
            let classes = &mut upstreams[place].classes;
            match classes.iter_mut().find(|known| known.class == class.name) {
                Some(known) => known.count += count,
                None => classes.push(UpstreamClass { class: class.name, count, cause }),
            }
        }
    }
    for upstream in &mut upstreams {
        upstream.classes.sort_by(|a, b| b.count.cmp(&a.count).then(a.class.cmp(b.class)));
    }
    upstreams.sort_by(|a, b| b.count.cmp(&a.count).then(a.address.cmp(&b.address)));
    upstreams.truncate(10 * MAX_NAMES);
    upstreams
}

fn notes(intake: &Intake) -> Vec<String> {
    let mut notes = Vec::new();
    let errors = &intake.errors;
    let client = errors.tally.classes().any(|class| class.direction == Direction::Client);
    if errors.lines > 0 && errors.verbose_lines == 0 {
        notes.push(
            "No line is below warn: nginx writes most failures of clients at info, so they are not in this log. \
             error_log FILE info; shows them."
                .to_owned(),
        );
    } else if client {
        notes.push(
            "SNI is never logged: \"server\" is the address that was listened on.".to_owned(),
        );
    }
    let traffic = &intake.traffic;
    if traffic.requests > 0 && !traffic.tells_version {
        notes.push(
            "Access lines do not tell the version of TLS: add $ssl_protocol, $ssl_cipher and $ssl_session_reused to log_format, \
             or say what it is with --log-format."
                .to_owned(),
        );
    }
    if traffic.requests > 0 {
        notes.push(
            "A handshake that fails on a listener leaves no line in an access log.".to_owned(),
        );
    }
    notes
}

/// The cause that stands for a class.
pub(super) fn first_cause(failure: &Failure) -> Option<&explanation::CauseOut> {
    failure.causes.first().filter(|cause| cause.likelihood != Likelihood::Rare)
}
