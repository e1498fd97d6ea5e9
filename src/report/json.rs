//! The JSON document of schema `shakedown/report/v1`. Field names and values are a contract: they are only ever added to.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Report, Summary, certificate, chain, scan};
use crate::audit::finding::{Excuse, Finding, Fix, Severity};
use crate::audit::registry::find;
use crate::audit::rule::{Group, Rule};
use crate::audit::upstream::outcome::NginxOutcome;
use crate::certificate::Chain;
use crate::observation::{
    Cause, ClientAuth, Endpoint, Engine, Failure, Handshake, Observed, RawHello, Session, Stage,
};
use crate::run::{Status, TargetReport};
use crate::targets::{Origin, Role, Target};

/// What this document calls itself.
pub const SCHEMA: &str = "shakedown/report/v1";

/// Writes the whole report as one document.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::of(report))?;
    writeln!(out)
}

/// The JSON Schema of the document.
///
/// # Panics
///
/// Never: a schema is plain data.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document<TargetView<'static>>);
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}

/// Writes targets that are JSON already as one document of a finished run; `times` are its beginning and end.
pub(super) fn write_document(
    targets: &[Value],
    summary: Summary,
    (started_at, finished_at): (Option<String>, Option<String>),
    out: &mut dyn Write,
) -> io::Result<()> {
    let (tool, interrupted) = (Tool::default(), false);
    let targets = targets.iter().collect();
    let document: Document<&Value> =
        Document { schema: SCHEMA, tool, started_at, finished_at, interrupted, summary, targets };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// A whole run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Document")]
struct Document<T> {
    /// Always `shakedown/report/v1`.
    schema: &'static str,
    tool: Tool,
    /// When the first probe started, in UTC; null where times are left out.
    started_at: Option<String>,
    /// When the last target was judged, in UTC; null where times are left out.
    finished_at: Option<String>,
    /// Whether the run was stopped before every target was tested.
    interrupted: bool,
    summary: Summary,
    /// The targets, in input order.
    targets: Vec<T>,
}

#[derive(Serialize, JsonSchema)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Default for Tool {
    fn default() -> Self {
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    }
}

impl<'a> Document<TargetView<'a>> {
    fn of(report: &'a Report) -> Self {
        let (started_at, finished_at) = report.times();
        Self {
            schema: SCHEMA,
            tool: Tool::default(),
            started_at,
            finished_at,
            interrupted: report.interrupted,
            summary: report.summary(),
            targets: report.targets.iter().map(TargetView::of).collect(),
        }
    }
}

/// One target's whole story.
#[derive(Serialize, JsonSchema)]
pub(super) struct TargetView<'a> {
    /// What names the target from run to run: the same where address, names, role and prelude are.
    id: String,
    name: &'a str,
    host: String,
    port: u16,
    /// The name sent as SNI and verified; null where the host is an address and no name was given.
    server_name: Option<&'a str>,
    #[schemars(with = "RoleName")]
    role: Role,
    #[schemars(with = "StatusName")]
    status: Status,
    /// Where the target was named; null for the command line.
    #[schemars(with = "Option<OriginView>")]
    origin: Option<&'a Origin>,
    /// The addresses that were audited.
    addresses: Vec<String>,
    handshakes: Vec<HandshakeView<'a>>,
    /// Every distinct certificate that was presented.
    certificates: Vec<certificate::CertificateView<'a>>,
    /// Every distinct chain that was shown to the target's own name, and the two verdicts over it.
    chains: Vec<chain::ChainView<'a>>,
    /// What a scan listed; empty where none was made.
    scans: Vec<scan::ScanView<'a>>,
    /// How the wanted clients fare.
    clients: Vec<scan::ClientView<'a>>,
    /// The verdict of nginx as a client; null where none was asked for.
    nginx: Option<NginxView>,
    findings: Vec<FindingView<'a>>,
    /// What could not be tested, and why.
    untested: Vec<UntestedView<'a>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema's names for an enum that lives in an earlier room")]
enum RoleName {
    Listener,
    Upstream,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema's names for an enum that lives in an earlier room")]
enum StatusName {
    Pass,
    Fail,
    Untested,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema's form of a struct that lives in an earlier room")]
struct OriginView {
    file: String,
    line: u32,
    column: u32,
}

/// What nginx, as the endpoint's client, makes of it.
#[derive(Serialize, JsonSchema)]
struct NginxView {
    /// `pass`, `fail` or `untested`.
    as_configured: &'static str,
    /// The line that nginx would write to its error log.
    error_log_line: Option<String>,
}

impl NginxView {
    fn of(outcome: &NginxOutcome) -> Self {
        let (as_configured, error_log_line) = match outcome {
            NginxOutcome::Pass => ("pass", None),
            NginxOutcome::Fail(line) => ("fail", line.clone()),
            NginxOutcome::Untested(line) => ("untested", line.clone()),
        };
        Self { as_configured, error_log_line }
    }
}

#[derive(Serialize, JsonSchema)]
struct UntestedView<'a> {
    rule: &'static str,
    reason: &'a str,
}

impl<'a> TargetView<'a> {
    pub(super) fn of(report: &'a TargetReport) -> Self {
        let target: &Target = &report.target;
        let endpoints = &report.observation.endpoints;
        Self {
            id: target.id(),
            name: &target.name,
            host: target.host.to_string(),
            port: target.port,
            server_name: target.server_name.as_deref(),
            role: target.role,
            status: report.status,
            origin: target.origin.as_ref(),
            addresses: endpoints.iter().map(|endpoint| endpoint.address.ip().to_string()).collect(),
            handshakes: endpoints.iter().flat_map(handshakes).collect(),
            certificates: certificate::distinct(report),
            chains: chains(report),
            scans: endpoints.iter().flat_map(scan::scans).collect(),
            clients: endpoints.iter().flat_map(scan::clients).collect(),
            nginx: report.judgement.nginx.as_ref().map(NginxView::of),
            findings: report
                .judgement
                .findings
                .iter()
                .map(|finding| FindingView::of(finding, target))
                .collect(),
            untested: report
                .judgement
                .untested
                .iter()
                .map(|(rule, reason)| UntestedView { rule, reason })
                .collect(),
        }
    }
}

fn handshakes(endpoint: &Endpoint) -> impl Iterator<Item = HandshakeView<'_>> {
    let complete = endpoint.handshakes.iter().map(|cell| HandshakeView::of(endpoint.address, cell));
    complete.chain(endpoint.raw.iter().map(|raw| HandshakeView::of_raw(endpoint.address, raw)))
}

fn chains(report: &TargetReport) -> Vec<chain::ChainView<'_>> {
    let assessed = report.judgement.chains.iter();
    assessed.map(|assessed| chain::ChainView::of(assessed, &report.target)).collect()
}

/// One connection.
#[derive(Serialize, JsonSchema)]
struct HandshakeView<'a> {
    /// Address and port.
    address: String,
    /// The name sent; null for none.
    sni: Option<&'a str>,
    /// The one version offered.
    version: String,
    /// `rustls` for a complete handshake, `raw` for a hello of our own that is never completed.
    engine: &'static str,
    /// `established` or `failed`; for a raw hello, whether the server answered with a hello of its own.
    outcome: &'static str,
    /// How far it got: `dns`, `connect`, `starttls`, `handshake` or `post-handshake`.
    stage: String,
    /// Why it failed; null where it did not.
    cause: Option<&'static str>,
    /// The cause in words.
    detail: Option<String>,
    alert: Option<AlertView>,
    cipher_suite: Option<String>,
    group: Option<String>,
    alpn: Option<&'a str>,
    /// SHA-256 of the certificates as sent, leaf first.
    chain: Vec<String>,
    /// `none`, `requested` or `required`.
    client_certificate: &'static str,
    /// Whether the session was resumed on a second connection; null where that was not tried.
    resumed: Option<bool>,
    /// Whether an OCSP response was stapled.
    ocsp_stapled: bool,
    connect_ms: Option<f64>,
    handshake_ms: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct AlertView {
    number: u8,
    /// IANA's name; null for an unassigned number.
    name: Option<&'static str>,
}

impl<'a> HandshakeView<'a> {
    fn of(address: SocketAddr, cell: &'a Handshake) -> Self {
        let session: Option<&Session> = cell.outcome.as_ref().ok();
        let failure = cell.failure();
        Self {
            address: address.to_string(),
            sni: cell.sni.as_deref(),
            version: cell.version.to_string(),
            engine: engine(cell.engine),
            outcome: outcome(failure),
            stage: failure.map_or(Stage::Handshake, |failure| failure.stage).to_string(),
            cause: failure.map(|failure| cause(&failure.cause)),
            detail: failure.map(|failure| failure.cause.to_string()),
            alert: failure.and_then(alert),
            cipher_suite: session.map(|session| session.cipher_suite.to_string()),
            group: session.and_then(|session| session.group).map(|group| group.to_string()),
            alpn: session.and_then(|session| session.alpn.as_deref()),
            chain: fingerprints(cell.chain.as_deref()),
            client_certificate: match cell.client_auth {
                ClientAuth::NotRequested => "none",
                ClientAuth::Requested(_) => "requested",
                ClientAuth::Required(..) => "required",
            },
            resumed: match cell.resumption {
                Observed::Seen(()) => Some(true),
                Observed::Absent => Some(false),
                Observed::Failed(_) | Observed::NotTried => None,
            },
            ocsp_stapled: session.is_some_and(|session| session.ocsp_staple.is_some()),
            connect_ms: cell.connect_time.map(milliseconds),
            handshake_ms: cell.handshake_time.map(milliseconds),
        }
    }

    fn of_raw(address: SocketAddr, raw: &'a RawHello) -> Self {
        let choice = raw.outcome.as_ref().ok();
        let failure = raw.outcome.as_ref().err();
        Self {
            address: address.to_string(),
            sni: raw.sni.as_deref(),
            version: raw.version.to_string(),
            engine: engine(Engine::Raw),
            outcome: outcome(failure),
            stage: failure.map_or(Stage::Handshake, |failure| failure.stage).to_string(),
            cause: failure.map(|failure| cause(&failure.cause)),
            detail: failure.map(|failure| failure.cause.to_string()),
            alert: failure.and_then(alert),
            cipher_suite: choice.map(|choice| choice.cipher_suite.to_string()),
            group: choice.and_then(|choice| choice.group).map(|group| group.to_string()),
            alpn: None,
            chain: fingerprints(raw.chain.as_deref()),
            client_certificate: "none",
            resumed: None,
            ocsp_stapled: false,
            connect_ms: None,
            handshake_ms: None,
        }
    }
}

fn fingerprints(chain: Option<&Chain>) -> Vec<String> {
    let certificates = chain.iter().flat_map(|chain| &chain.certificates);
    certificates.map(|certificate| certificate.sha256.to_string()).collect()
}

fn engine(engine: Engine) -> &'static str {
    match engine {
        Engine::Raw => "raw",
        Engine::Rustls => "rustls",
    }
}

fn outcome(failure: Option<&Failure>) -> &'static str {
    if failure.is_some() { "failed" } else { "established" }
}

fn alert(failure: &Failure) -> Option<AlertView> {
    match failure.cause {
        Cause::Alert(alert) => Some(AlertView { number: alert.0, name: alert.name() }),
        _ => None,
    }
}

fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Alert(_) => "alert",
        Cause::Cancelled => "cancelled",
        Cause::Closed => "connection-closed",
        Cause::ConnectionRefused => "connection-refused",
        Cause::DnsFailure(_) => "dns-failure",
        Cause::Incompatible(_) => "incompatible",
        Cause::Local(_) => "local-error",
        Cause::NotTls(_) => "not-tls",
        Cause::ProtocolError(_) => "protocol-error",
        Cause::Reset => "connection-reset",
        Cause::StarttlsRefused(_) => "starttls-refused",
        Cause::TimedOut => "timeout",
        Cause::TooMuchData => "too-much-data",
        Cause::Unreachable(_) => "unreachable",
    }
}

/// Microseconds are as fine as the measurement is.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// One cause, found once.
#[derive(Serialize, JsonSchema)]
struct FindingView<'a> {
    rule: &'static str,
    /// The group of rules that it belongs to; null for most.
    group: Option<&'static str>,
    #[schemars(with = "SeverityName")]
    severity: Severity,
    message: &'a str,
    evidence: &'a [String],
    /// The family of fixes.
    section: String,
    #[schemars(with = "Option<FixView>")]
    fix: Option<&'a Fix>,
    /// Commands that show the fault without this tool.
    reproduce: &'a [String],
    /// The same from run to run: free of dates, serials and line numbers.
    fingerprint: String,
    /// Why it does not fail the run; null where it is not excused.
    excuse: Option<ExcuseView<'a>>,
}

/// Why a finding does not fail the run.
#[derive(Serialize, JsonSchema)]
struct ExcuseView<'a> {
    /// `allowed` by the gate file, `ignored` by a comment beside the directive, or `known` from the baseline.
    kind: &'static str,
    /// The reason that the gate file or the comment gives; null for what is known.
    reason: Option<&'a str>,
    /// The last day of an allowance; null for everything else.
    until: Option<String>,
}

impl<'a> ExcuseView<'a> {
    fn of(excuse: &'a Excuse) -> Self {
        match excuse {
            Excuse::Allowed { reason, until } => {
                Self { kind: "allowed", reason: Some(reason), until: Some(until.to_string()) }
            }
            Excuse::Ignored { reason } => {
                Self { kind: "ignored", reason: Some(reason), until: None }
            }
            Excuse::Known => Self { kind: "known", reason: None, until: None },
        }
    }
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema's names for an enum that lives in an earlier room")]
enum SeverityName {
    Error,
    Warning,
    Note,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema's form of a struct that lives in an earlier room")]
struct FixView {
    text: String,
    directives: Vec<DirectiveView>,
    /// Whether a probe with the fix applied succeeded; null where none was made.
    verified: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the schema's form of a struct that lives in an earlier room")]
struct DirectiveView {
    context: String,
    name: String,
    value: String,
    file: Option<String>,
    line: Option<u32>,
}

impl<'a> FindingView<'a> {
    fn of(finding: &'a Finding, target: &Target) -> Self {
        Self {
            rule: finding.rule,
            group: find(finding.rule).and_then(Rule::group).map(Group::id),
            severity: finding.severity,
            message: &finding.message,
            evidence: &finding.evidence,
            section: finding.section.to_string(),
            fix: finding.fix.as_ref(),
            reproduce: &finding.reproduce,
            fingerprint: finding.fingerprint(target),
            excuse: finding.excuse.as_ref().map(ExcuseView::of),
        }
    }
}

/// RFC 3339 in UTC, to the second for certificates and as fine as the clock for the run.
pub(super) fn timestamp(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    moment.format(&Rfc3339).unwrap_or_else(|_| moment.to_string())
}
