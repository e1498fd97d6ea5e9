//! What `log` says of whole logs: one document, which every form shows.

pub mod prometheus;
pub mod table;

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::explanation;
use crate::nginx::log::direction::Direction;
use crate::nginx::log::importance::{Concern, Reason, judge};
use crate::nginx::log::intake::Intake;
use crate::nginx::log::series::Trend;
use crate::nginx::log::sketch::Names;
use crate::nginx::log::table::{Likelihood, Weight};
use crate::nginx::log::tally::{Class, Tally};
use crate::nginx::log::traffic::Traffic;

/// Names of one kind that are listed.
const MAX_NAMES: usize = 20;

/// Below this share of resumed sessions something is wrong with the cache or the tickets.
const GOOD_REUSE: f64 = 0.7;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// The form of this document.
    pub schema: &'static str,
    /// Who made it.
    pub tool: Tool,
    /// What was read.
    pub files: Vec<FileOut>,
    /// All lines.
    pub lines: u64,
    /// Lines that could not be understood, too long ones among them.
    pub unreadable: u64,
    /// Lines of error logs.
    pub error_lines: u64,
    /// The first failure, on the host's clock.
    pub first_seen: Option<String>,
    /// The last one.
    pub last_seen: Option<String>,
    /// Whether error logs hold no line below warn: then most failures of clients are not in them.
    pub client_failures_hidden: bool,
    /// What matters most first.
    pub failures: Vec<Failure>,
    /// Upstream failures by address, the most frequent first.
    pub upstreams: Vec<Upstream>,
    /// What access logs say.
    pub access: Option<AccessOut>,
    /// What a change of `ssl_protocols` would refuse.
    pub what_if: Option<WhatIf>,
    /// What to know about these figures.
    pub notes: Vec<String>,
}

/// Who made a document.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileOut {
    /// As it was named.
    pub path: String,
    /// Lines in it.
    pub lines: u64,
    /// Lines that could not be understood.
    pub unreadable: u64,
    /// What kept it from being read to its end.
    pub error: Option<String>,
}

/// One class of failures.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Whose connections.
    pub direction: Direction,
    /// The class's name.
    pub class: &'static str,
    /// The alert that the peer sent.
    pub alert: Option<u8>,
    /// Whose business it is.
    pub concern: Concern,
    /// Why.
    pub reason: String,
    /// How much such lines matter by themselves.
    pub weight: Weight,
    /// All of them.
    pub count: u64,
    /// Lines of the same connections that only say what followed.
    pub joined: u64,
    /// Lines a minute between the first and the last failure of the logs.
    pub per_minute: f64,
    /// On the host's clock.
    pub first_seen: Option<String>,
    /// The same.
    pub last_seen: Option<String>,
    /// `steady`, `rising`, `falling`, `jump` or `unclear`.
    pub trend: &'static str,
    /// Lines over time.
    pub series: Option<SeriesOut>,
    /// Different clients.
    pub clients: u64,
    /// Whether that number is exact; else it is within a few in a hundred.
    pub clients_exact: bool,
    /// Lines by server.
    pub servers: Vec<Named>,
    /// Lines by upstream.
    pub upstreams: Vec<Named>,
    /// Who failed, and how.
    pub meaning: Option<&'static str>,
    /// Likeliest first.
    pub causes: Vec<explanation::CauseOut>,
    /// Commands to run.
    pub next: Vec<String>,
    /// The first line.
    pub example: String,
}

/// Counts over time.
#[derive(Clone, Debug, Serialize)]
pub struct SeriesOut {
    /// When the first bucket begins, on the host's clock.
    pub start: String,
    /// Seconds of each bucket.
    pub width: i64,
    /// Lines by bucket.
    pub counts: Vec<u64>,
}

/// A name with its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Its count.
    pub count: u64,
}

/// One upstream.
#[derive(Clone, Debug, Serialize)]
pub struct Upstream {
    /// Its address, as the lines have it.
    pub address: String,
    /// All its lines.
    pub count: u64,
    /// Its classes, the most frequent first.
    pub classes: Vec<UpstreamClass>,
}

/// A class of failures at one upstream.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamClass {
    /// The class's name.
    pub class: &'static str,
    /// Its lines.
    pub count: u64,
    /// The likeliest cause.
    pub cause: Option<&'static str>,
}

/// What access logs say.
#[derive(Clone, Debug, Serialize)]
pub struct AccessOut {
    /// All requests.
    pub requests: u64,
    /// Requests over TLS, `null` where lines do not tell.
    pub tls_requests: Option<u64>,
    /// By version.
    pub versions: Vec<VersionOut>,
    /// By cipher.
    pub ciphers: Vec<Named>,
    /// By curve.
    pub curves: Vec<Named>,
    /// How many resumed a session.
    pub session_reuse: Option<Reuse>,
    /// Connection and handshake to upstreams, in milliseconds.
    pub upstream_connect_ms: Option<Percentiles>,
    /// Answers of 502 and 504.
    pub bad_gateway: u64,
    /// Those that no upstream took a connection for, or finished a handshake.
    pub bad_gateway_not_connected: u64,
    /// Those in the very second of a failed handshake with the same upstream; `null` where not both logs were read.
    pub bad_gateway_with_handshake_failure: Option<u64>,
    /// Tries that never connected, by upstream.
    pub failed_tries: Vec<Named>,
}

/// Requests of one version.
#[derive(Clone, Debug, Serialize)]
pub struct VersionOut {
    /// As OpenSSL names it.
    pub version: String,
    /// All of them.
    pub requests: u64,
    /// Of those over TLS.
    pub share: f64,
    /// Different clients.
    pub clients: u64,
    /// Its share in the earlier half of the log.
    pub share_before: Option<f64>,
    /// Its share in the later half.
    pub share_after: Option<f64>,
}

/// How many resumed a session.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reuse {
    /// The share.
    pub ratio: f64,
    /// Whether it is lower than a working cache gives.
    pub low: bool,
    /// `connection`, or `request` where lines do not number the requests of a connection.
    pub per: &'static str,
}

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the names are the definition")]
pub struct Percentiles {
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

/// What a change of `ssl_protocols` would refuse.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// The versions that would stay on.
    pub ssl_protocols: Vec<String>,
    /// Requests that came by another version.
    pub refused_requests: u64,
    /// Of those over TLS.
    pub refused_share: f64,
    /// Different clients, counted by version.
    pub refused_clients: u64,
    /// Whether it is known that these clients can do no better: requests came by a version that stays on.
    pub exact: bool,
    /// The names that they asked for.
    pub server_names: Vec<Named>,
    /// What they say they are.
    pub user_agents: Vec<Named>,
}

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
        Self {
            schema: "shakedown/log/v1",
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            lines: files.iter().map(|file| file.lines).sum(),
            unreadable: files.iter().map(|file| file.unreadable).sum(),
            error_lines: intake.errors.lines,
            first_seen: first.and_then(clock),
            last_seen: last.and_then(clock),
            client_failures_hidden: intake.errors.lines > 0 && intake.errors.verbose_lines == 0,
            upstreams: upstreams(tally),
            access: (traffic.requests > 0).then(|| access(traffic, tally)),
            what_if: what_if.map(|versions| refused(traffic, versions)),
            notes: notes(intake),
            failures,
            files,
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
                upstreams.push(Upstream { address, count: 0, classes: Vec::new() });
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

fn access(traffic: &Traffic, tally: &Tally) -> AccessOut {
    let tls = traffic.tls();
    let totals = halves(traffic);
    let mut versions: Vec<VersionOut> = traffic
        .versions
        .iter()
        .map(|(name, version)| {
            let counts = traffic.grid.map(|grid| version.series.counts(&grid)).unwrap_or_default();
            let (early, late) = counts.split_at(counts.len() / 2);
            let part =
                |counts: &[u64], whole: u64| (whole > 0).then(|| share(counts.iter().sum(), whole));
            VersionOut {
                version: String::from_utf8_lossy(name).into_owned(),
                requests: version.requests,
                share: share(version.requests, tls),
                clients: version.clients.count().0,
                share_before: part(early, totals.0),
                share_after: part(late, totals.1),
            }
        })
        .collect();
    versions.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.version.cmp(&b.version)));
    let times = &traffic.connect_time;
    let at = |percent| times.percentile(percent).unwrap_or(0);
    AccessOut {
        requests: traffic.requests,
        tls_requests: traffic.tells_version.then_some(tls),
        versions,
        ciphers: named(&traffic.ciphers),
        curves: named(&traffic.curves),
        session_reuse: traffic.reuse_ratio().map(|ratio| Reuse {
            ratio: rounded(ratio),
            low: ratio < GOOD_REUSE,
            per: if traffic.by_connection { "connection" } else { "request" },
        }),
        upstream_connect_ms: (times.total() > 0).then(|| Percentiles {
            count: times.total(),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }),
        bad_gateway: traffic.bad_gateway,
        bad_gateway_not_connected: traffic.not_connected,
        bad_gateway_with_handshake_failure: tally.moments.coincidences(),
        failed_tries: named(&traffic.failed_tries),
    }
}

/// Requests over TLS in the earlier and the later half of the log.
fn halves(traffic: &Traffic) -> (u64, u64) {
    let Some(grid) = traffic.grid else { return (0, 0) };
    let half = |counts: &[u64]| -> (u64, u64) {
        let (early, late) = counts.split_at(counts.len() / 2);
        (early.iter().sum(), late.iter().sum())
    };
    let parts = traffic.versions.values().map(|version| half(&version.series.counts(&grid)));
    parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
}

fn refused(traffic: &Traffic, versions: &[String]) -> WhatIf {
    let stays = |name: &[u8]| versions.iter().any(|version| version.as_bytes() == name);
    let mut what_if = WhatIf {
        ssl_protocols: versions.to_vec(),
        refused_requests: 0,
        refused_share: 0.0,
        refused_clients: 0,
        exact: traffic.versions.keys().any(|name| stays(name)),
        server_names: Vec::new(),
        user_agents: Vec::new(),
    };
    for (_, version) in traffic.versions.iter().filter(|(name, _)| !stays(name)) {
        what_if.refused_requests += version.requests;
        what_if.refused_clients += version.clients.count().0;
        add(&mut what_if.server_names, &version.names);
        add(&mut what_if.user_agents, &version.agents);
    }
    what_if.refused_share = share(what_if.refused_requests, traffic.tls());
    what_if
}

/// Adds the counts of one version to those of others.
fn add(sum: &mut Vec<Named>, names: &Names) {
    for named in named(names) {
        match sum.iter_mut().find(|known| known.name == named.name) {
            Some(known) => known.count += named.count,
            None => sum.push(named),
        }
    }
    sum.sort_by(|a, b| b.count.cmp(&a.count).then(a.name.cmp(&b.name)));
    sum.truncate(MAX_NAMES);
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
