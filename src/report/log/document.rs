//! The report on whole logs: plain data for every format.

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
    /// The schema of this document.
    pub schema: &'static str,
    /// The program that wrote it.
    pub tool: Tool,
    /// The files that were read.
    pub files: Vec<FileOut>,
    /// All lines.
    pub lines: u64,
    /// Lines that could not be read, too long ones among them.
    pub unreadable: u64,
    /// Lines of error logs.
    pub error_lines: u64,
    /// The first failure, on the host's clock.
    pub first_seen: Option<String>,
    /// The last one.
    pub last_seen: Option<String>,
    /// Whether error logs contain no lines below warn: then most client failures are not in them.
    pub client_failures_hidden: bool,
    /// Classes of failures, most important first.
    pub failures: Vec<FailureClass>,
    /// Upstream failures by address, the most frequent first.
    pub upstreams: Vec<UpstreamFailures>,
    /// The results of access logs.
    pub access: Option<AccessOut>,
    /// The requests and clients that other `ssl_protocols` would refuse.
    pub what_if: Option<WhatIf>,
    /// Notes about these figures.
    pub notes: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub struct FileOut {
    /// Its path, as given.
    pub path: String,
    /// Lines in it.
    pub lines: u64,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Why it could not be read to its end.
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
    /// How urgent it is, and for whom.
    pub concern: Concern,
    /// Why.
    pub reason: String,
    /// How much such lines matter in general.
    pub weight: Weight,
    /// All of them.
    pub count: u64,
    /// Lines of the same connections that only follow from these failures.
    pub joined: u64,
    /// Lines per minute between the first and the last failure of the logs.
    pub per_minute: f64,
    /// On the host's clock.
    pub first_seen: Option<String>,
    /// The same.
    pub last_seen: Option<String>,
    /// `steady`, `rising`, `falling`, `jump` or `unclear`.
    pub trend: &'static str,
    /// Lines over time.
    pub series: Option<SeriesOut>,
    /// Distinct clients.
    pub clients: u64,
    /// Whether that number is exact; otherwise it is an estimate with an error of a few per cent.
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
    /// The length of a bucket, in seconds.
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
    /// Its address, as in the log.
    pub address: String,
    /// All its lines.
    pub count: u64,
    /// Its classes, the most frequent first.
    pub classes: Vec<UpstreamClass>,
    /// Audits of it with nginx's handshake; one for each place in the configuration that uses it.
    pub audits: Vec<UpstreamAudit>,
}

/// What an audit of an upstream found.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamAudit {
    /// What was audited.
    pub target: String,
    /// The place in the configuration, as file and line; `null` without one.
    pub place: Option<String>,
    /// The result.
    pub status: Status,
    /// Why it was not tested; `null` if it was.
    pub reason: Option<String>,
    /// The findings, with their fixes.
    pub findings: Vec<AuditFinding>,
}

/// One finding of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditFinding {
    /// The rule's id.
    pub rule: &'static str,
    /// The severity.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The fix; `verified` if a probe with it succeeded.
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

/// The results of access logs.
#[derive(Clone, Debug, Serialize)]
pub struct AccessOut {
    /// All requests.
    pub requests: u64,
    /// Requests over TLS; `null` if the lines do not show it.
    pub tls_requests: Option<u64>,
    /// By version.
    pub versions: Vec<VersionOut>,
    /// By cipher.
    pub ciphers: Vec<NamedCount>,
    /// By curve.
    pub curves: Vec<NamedCount>,
    /// Session reuse.
    pub session_reuse: Option<Reuse>,
    /// Connection and handshake to upstreams, in milliseconds.
    pub upstream_connect_ms: Option<Percentiles>,
    /// Answers of 502 and 504.
    pub bad_gateway: u64,
    /// Those without a completed connection or handshake to an upstream; `null` if the lines do not show it.
    pub bad_gateway_not_connected: Option<u64>,
    /// Those in the same second as a failed handshake with the same upstream, or the one after; `null` unless both logs
    /// were read.
    pub bad_gateway_with_handshake_failure: Option<u64>,
    /// Attempts that never connected, by upstream.
    pub failed_tries: Vec<NamedCount>,
}

/// Requests of one version.
#[derive(Clone, Debug, Serialize)]
pub struct VersionOut {
    /// Its name, as OpenSSL writes it.
    pub version: String,
    /// All of them.
    pub requests: u64,
    /// Share of the requests over TLS, from 0 to 1.
    pub share: f64,
    /// Distinct clients.
    pub clients: u64,
    /// Its share in the earlier half of the log.
    pub share_before: Option<f64>,
    /// Its share in the later half.
    pub share_after: Option<f64>,
}

/// Session reuse.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reuse {
    /// The share of resumed sessions, from 0 to 1.
    pub ratio: f64,
    /// Whether it is lower than with a working cache.
    pub low: bool,
    /// `connection`, or `request` if the lines do not number the requests of a connection.
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

/// The requests and clients that other `ssl_protocols` would refuse.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// The versions that would remain.
    pub ssl_protocols: Vec<String>,
    /// Requests that used another version.
    pub refused_requests: u64,
    /// Share of the requests over TLS, from 0 to 1.
    pub refused_share: f64,
    /// Distinct clients, counted by version.
    pub refused_clients: u64,
    /// Whether these clients are known to support no other version: other requests used a version that remains.
    pub exact: bool,
    /// The server names that they requested.
    pub server_names: Vec<NamedCount>,
    /// Their user agents.
    pub user_agents: Vec<NamedCount>,
}
