//! The document over whole logs: plain data, which every form shows.

use serde::Serialize;

use crate::audit::finding::{Fix, Severity};
use crate::log::direction::Direction;
use crate::log::explanation;
use crate::log::importance::Concern;
use crate::log::table::Weight;
use crate::report::tool::Tool;
use crate::run::Status;

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
    pub failures: Vec<FailureClass>,
    /// Upstream failures by address, the most frequent first.
    pub upstreams: Vec<UpstreamFailures>,
    /// What access logs say.
    pub access: Option<AccessOut>,
    /// What a change of `ssl_protocols` would refuse.
    pub what_if: Option<WhatIf>,
    /// What to know about these figures.
    pub notes: Vec<String>,
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
pub struct FailureClass {
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
    pub servers: Vec<NamedCount>,
    /// Lines by upstream.
    pub upstreams: Vec<NamedCount>,
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
pub struct NamedCount {
    /// The name.
    pub name: String,
    /// Its count.
    pub count: u64,
}

/// One upstream.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamFailures {
    /// Its address, as the lines have it.
    pub address: String,
    /// All its lines.
    pub count: u64,
    /// Its classes, the most frequent first.
    pub classes: Vec<UpstreamClass>,
    /// What audits of it found, as nginx meets it; one for each way in which the configuration leads there.
    pub audits: Vec<UpstreamAudit>,
}

/// What an audit of an upstream found.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamAudit {
    /// What was audited.
    pub target: String,
    /// Where the configuration leads there, as file and line; `null` without one.
    pub place: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why it was not tested, where it was not.
    pub reason: Option<String>,
    /// What was found, with the fix and whether it was tried.
    pub findings: Vec<AuditFinding>,
}

/// One finding of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditFinding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do; `verified` where a probe with it succeeded.
    pub fix: Option<Fix>,
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
    pub ciphers: Vec<NamedCount>,
    /// By curve.
    pub curves: Vec<NamedCount>,
    /// How many resumed a session.
    pub session_reuse: Option<Reuse>,
    /// Connection and handshake to upstreams, in milliseconds.
    pub upstream_connect_ms: Option<Percentiles>,
    /// Answers of 502 and 504.
    pub bad_gateway: u64,
    /// Those that no upstream took a connection for, or finished a handshake; `null` where lines do not tell.
    pub bad_gateway_not_connected: Option<u64>,
    /// Those in the very second of a failed handshake with the same upstream; `null` where not both logs were read.
    pub bad_gateway_with_handshake_failure: Option<u64>,
    /// Tries that never connected, by upstream.
    pub failed_tries: Vec<NamedCount>,
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
    pub server_names: Vec<NamedCount>,
    /// What they say they are.
    pub user_agents: Vec<NamedCount>,
}
