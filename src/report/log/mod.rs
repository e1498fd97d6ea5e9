//! The report of `log` on whole logs: one document for all formats.

mod access;
pub mod document;
pub mod prometheus;
pub mod table;

use std::io;

use time::OffsetDateTime;
use time::macros::format_description;

use self::access::{access, refused};
use self::document::{
    AuditFinding, FailureClass, FileOut, LogReport, NamedCount, SeriesOut, UpstreamAudit,
    UpstreamClass, UpstreamFailures,
};
use crate::log::explanation;
use crate::log::importance::Reason;
use crate::log::intake::Intake;
use crate::log::series::Trend;
use crate::log::sketch::NameCounts;
use crate::log::summary::{self, Judged, LogSummary, summarize};
use crate::log::table::{Likelihood, LogCause};
use crate::report::inert_json;
use crate::report::tool::Tool;
use crate::run::{Status, TargetReport};

/// The most names of one kind in a list.
const MAX_NAMES: usize = 20;

impl LogReport {
    /// The report on everything that was read.
    pub fn new(intake: &Intake, files: Vec<FileOut>, what_if: Option<&[String]>) -> Self {
        let summary = summarize(intake);
        let minutes = minutes(summary.first, summary.last);
        let traffic = &intake.traffic;
        let lines = files.iter().map(|file| file.lines).sum();
        let unreadable = files.iter().map(|file| file.unreadable).sum();
        Self {
            schema: "shakedown/log/v1",
            tool: Tool::default(),
            lines,
            unreadable,
            error_lines: intake.errors.lines,
            first_seen: summary.first.and_then(clock),
            last_seen: summary.last.and_then(clock),
            client_failures_hidden: summary.client_failures_hidden,
            upstreams: summary.upstreams.iter().map(upstream).collect(),
            access: (traffic.requests > 0).then(|| access(traffic, &intake.errors.tally)),
            what_if: what_if.map(|versions| refused(traffic, versions)),
            notes: notes(intake, &summary, mostly_unreadable(lines, unreadable)),
            failures: summary.classes.iter().map(|judged| failure(judged, minutes)).collect(),
            files,
        }
    }

    /// Whether most lines could not be read, so that no conclusion is possible.
    pub fn mostly_unreadable(&self) -> bool {
        mostly_unreadable(self.lines, self.unreadable)
    }

    /// Adds an audit's findings to an upstream.
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
        let audit = UpstreamAudit {
            target: report.target.name.clone(),
            place: origin.map(|origin| format!("{}:{}", origin.file, origin.line)),
            status: report.status,
            reason: untested.map(|(_, reason)| reason.clone()).next(),
            findings: findings.collect(),
        };
        self.add(address, audit);
    }

    /// Notes why an upstream was not audited; returns its status.
    pub fn leave_out(&mut self, address: &str, reason: &str) -> Status {
        let status = Status::Untested;
        let audit = UpstreamAudit {
            target: address.to_owned(),
            place: None,
            status,
            reason: Some(reason.to_owned()),
            findings: Vec::new(),
        };
        self.add(address, audit);
        status
    }

    fn add(&mut self, address: &str, audit: UpstreamAudit) {
        if let Some(known) = self.upstreams.iter_mut().find(|known| known.address == address) {
            known.audits.push(audit);
        }
    }

    /// The document as JSON.
    pub fn json(&self) -> io::Result<String> {
        inert_json::pretty(self)
    }
}

/// Minutes between two times, at least one.
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

fn mostly_unreadable(lines: u64, unreadable: u64) -> bool {
    unreadable > lines / 2
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
fn failure(judged: &Judged<'_>, minutes: f64) -> FailureClass {
    let class = judged.class;
    let mechanism = class.mechanism();
    let (clients, clients_exact) = class.clients.count();
    FailureClass {
        direction: class.direction,
        class: class.name,
        alert: class.alert,
        concern: judged.judgement.concern,
        reason: sentence(&judged.judgement.reason),
        weight: class.weight(),
        count: class.count,
        joined: class.joined,
        per_minute: rounded(class.count as f64 / minutes),
        first_seen: class.first.and_then(clock),
        last_seen: class.last.and_then(clock),
        trend: trend(judged.trend),
        series: judged.counts.as_ref().and_then(|(grid, counts)| {
            let start = clock(grid.start)?;
            Some(SeriesOut { start, width: grid.width, counts: counts.clone() })
        }),
        // The estimate may be too high.
        clients: clients.min(class.count),
        clients_exact,
        servers: named(&class.servers),
        upstreams: named(&class.upstreams),
        meaning: mechanism.map(|row| row.meaning),
        causes: mechanism.map(explanation::causes).unwrap_or_default(),
        next: judged.example.next.clone(),
        example: String::from_utf8_lossy(&class.example).into_owned(),
    }
}

fn trend(trend: Trend) -> &'static str {
    match trend {
        Trend::Unclear => "unclear",
        Trend::Steady => "steady",
        Trend::Rising => "rising",
        Trend::Falling => "falling",
        Trend::Jump(_) => "jump",
    }
}

/// The reason of a judgement, as a sentence.
fn sentence(reason: &Reason) -> String {
    let at = |time: i64| clock(time).unwrap_or_default().replace('T', " ");
    match reason {
        Reason::Upstream => {
            "each line is a failed attempt to reach an upstream: a 502, or a retry".to_owned()
        }
        Reason::Configuration => {
            "nginx could not use the configuration: it does not start, or keeps the old one"
                .to_owned()
        }
        Reason::Ignored => {
            "nginx runs, but part of the configuration has no effect".to_owned()
        }
        Reason::Class => "such failures come from this server's settings or certificate".to_owned(),
        Reason::Reload(time) => {
            format!("it started with the reload at {}: check what that changed", at(*time))
        }
        Reason::Jump(time) => format!("it started about {}: check what changed then", at(*time)),
        Reason::OneServer(server) => {
            format!("nearly all lines are from {server}; clients of other servers are not affected")
        }
        Reason::OneClient(client) => format!("most lines come from {client}"),
        Reason::Background => {
            "a low steady rate from many addresses: scanners and old bots".to_owned()
        }
        Reason::Scanner => "nearly all lines come from clients that failed in many ways within a minute: a scanner, \
             or your own scan"
            .to_owned(),
        Reason::Noise => "such lines come from scanners and clients that disconnected".to_owned(),
        Reason::Open => {
            "the log does not show whether these are scanners or users: check whether the clients are yours"
                .to_owned()
        }
        Reason::Symptom => "it only follows from other failures".to_owned(),
    }
}

fn named(names: &NameCounts) -> Vec<NamedCount> {
    let ranked = names.ranked().into_iter().take(MAX_NAMES);
    ranked
        .map(|(name, count)| NamedCount { name: String::from_utf8_lossy(name).into_owned(), count })
        .collect()
}

fn upstream(counted: &summary::UpstreamCounts) -> UpstreamFailures {
    let class = |(class, count, cause): &(&'static str, u64, Option<&'static LogCause>)| {
        UpstreamClass { class, count: *count, cause: cause.map(|cause| cause.id) }
    };
    UpstreamFailures {
        address: counted.address.clone(),
        count: counted.count,
        classes: counted.classes.iter().map(class).collect(),
        audits: Vec::new(),
    }
}

fn notes(intake: &Intake, summary: &LogSummary<'_>, mostly_unreadable: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if summary.client_failures_hidden {
        notes.push(
            "The log has no lines below warn. nginx logs most client failures at info, so they are not in this log; \
             error_log FILE info; shows them."
                .to_owned(),
        );
    } else if summary.has_client_failures {
        notes.push(
            "nginx never logs SNI: \"server\" is the address of the listening socket.".to_owned(),
        );
    }
    let traffic = &intake.traffic;
    if traffic.requests > 0 && !traffic.tells_version {
        notes.push(
            "The access lines do not contain the TLS version: add $ssl_protocol, $ssl_cipher and $ssl_session_reused \
             to log_format, or describe your format with --log-format."
                .to_owned(),
        );
    }
    if traffic.requests > 0 {
        notes.push(
            "A handshake that fails on a listener leaves no line in an access log.".to_owned(),
        );
    }
    if mostly_unreadable {
        notes.push(
            "Most lines could not be read: use error logs and access logs of nginx, and give your log_format with \
             --log-format."
                .to_owned(),
        );
    }
    notes
}

/// The likeliest cause of a class.
pub(super) fn first_cause(failure: &FailureClass) -> Option<&explanation::CauseOut> {
    failure.causes.first().filter(|cause| cause.likelihood != Likelihood::Rare)
}
