//! A target as the JSON document has it.

use schemars::JsonSchema;
use serde::Serialize;

use super::certificate::{self, CertificateView};
use super::change::ChangeView;
use super::finding::{ExcuseView, FindingView};
use super::handshake::HandshakeView;
use super::requests::RequestsView;
use crate::audit::judge::Judgement;
use crate::audit::upstream::outcome::NginxOutcome;
use crate::audit::weight::RequestWeight;
use crate::observation::Endpoint;
use crate::report::saved::change::TargetChange;
use crate::report::{chain, items, scan};
use crate::run::{Status, TargetReport};
use crate::targets::{Origin, Role, Target, TargetKind};

/// Everything about one target.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct TargetView<'a> {
    /// What names the target from run to run: the same where address, names, role and prelude are.
    id: String,
    name: &'a str,
    /// What the target is: `endpoint`, `configuration` or `file`.
    kind: &'static str,
    /// The host that the user named; `nginx` for a configuration, and for a file the name that it is checked for.
    host: String,
    /// The port that the user named; 0 for a configuration or a file.
    port: u16,
    /// The name that is sent as SNI and verified; null if the host is an address and no name was given.
    server_name: Option<&'a str>,
    #[schemars(with = "RoleName")]
    role: Role,
    #[schemars(with = "StatusName")]
    status: Status,
    /// Where the target was named; null for the command line.
    #[schemars(with = "Option<OriginView>")]
    origin: Option<&'a Origin>,
    /// Every place that names the target with the same settings, with `origin` first; empty for the command line.
    #[schemars(with = "Vec<OriginView>")]
    origins: Vec<&'a Origin>,
    /// The addresses that were audited.
    addresses: Vec<String>,
    /// Connections that were opened to them.
    connections: u32,
    handshakes: Vec<HandshakeView<'a>>,
    /// Every distinct certificate that was sent.
    certificates: Vec<CertificateView<'a>>,
    /// Every distinct chain that was sent for the target's own name, and both verdicts on it.
    chains: Vec<chain::ChainView<'a>>,
    /// What was seen at a QUIC socket besides its handshakes, by address; absent for TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    quic: Option<Vec<QuicView<'a>>>,
    /// The results of scans; empty if there was none.
    scans: Vec<scan::ScanView<'a>>,
    /// The results of the clients that were replayed.
    clients: Vec<scan::ClientView<'a>>,
    /// What changed since the state that `--against` names; absent if it is not compared with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<ChangeView>>")]
    changes: Option<Vec<TargetChange>>,
    /// What would become of the requests in `--access-log`; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<RequestsView>,
    /// The verdict of nginx as a client; null if it was not requested.
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

/// What was seen at a QUIC socket besides its handshakes.
#[derive(Serialize, JsonSchema)]
struct QuicView<'a> {
    /// Address and port.
    address: String,
    /// Whether a client first had to prove its address (a Retry packet).
    retry: bool,
    /// The same handshake over TCP at the same address and port; null if it was not tried.
    tcp: Option<HandshakeView<'a>>,
    /// The Alt-Svc header of the answer to `GET /` over TCP; null if there is none, or no answer.
    alt_svc: Option<&'a str>,
}

impl<'a> QuicView<'a> {
    fn of(endpoint: &'a Endpoint) -> Option<Self> {
        let facts = endpoint.quic.as_ref()?;
        Some(Self {
            address: endpoint.address.to_string(),
            retry: facts.retried,
            tcp: facts.over_tcp.as_ref().map(|cell| HandshakeView::of(endpoint.address, cell)),
            alt_svc: facts.advertised.seen().map(String::as_str),
        })
    }
}

/// The verdict of nginx as the endpoint's client.
#[derive(Serialize, JsonSchema)]
struct NginxView {
    /// `pass`, `fail` or `untested`.
    as_configured: &'static str,
    /// The line that nginx would write to its error log.
    error_log_line: Option<String>,
    /// What nginx's request may meet behind a handshake that works. Its Host or path is only assumed, so this is not a
    /// fault; null if there is nothing to say.
    possibly: Option<String>,
}

impl NginxView {
    fn of(judgement: &Judgement) -> Option<Self> {
        let outcome = judgement.nginx.as_ref()?;
        let (as_configured, error_log_line) = match outcome {
            NginxOutcome::Pass => ("pass", None),
            NginxOutcome::Fail(line) => ("fail", line.clone()),
            NginxOutcome::Untested(line) => ("untested", line.clone()),
        };
        Some(Self { as_configured, error_log_line, possibly: judgement.nginx_possibly.clone() })
    }
}

#[derive(Serialize, JsonSchema)]
struct UntestedView<'a> {
    rule: &'static str,
    reason: &'a str,
    /// Why it does not fail the run; null where it does.
    excuse: Option<ExcuseView<'a>>,
}

impl<'a> TargetView<'a> {
    pub(in crate::report) fn of(report: &'a TargetReport) -> Self {
        let target: &Target = &report.target;
        let endpoints = &report.observation.endpoints;
        let (host, port) = items::host_and_port(target);
        Self {
            id: target.id(),
            name: &target.name,
            kind: match target.kind {
                TargetKind::Endpoint { .. } => "endpoint",
                TargetKind::Configuration => "configuration",
                TargetKind::File { .. } | TargetKind::ClientFile { .. } => "file",
            },
            host,
            port,
            server_name: target.server_name.as_deref(),
            role: target.role,
            status: report.status,
            origin: target.origin.as_ref(),
            origins: target.origin.iter().chain(&target.more_origins).collect(),
            addresses: endpoints.iter().map(|endpoint| endpoint.address.ip().to_string()).collect(),
            connections: report.observation.connections(),
            handshakes: endpoints.iter().flat_map(handshakes).collect(),
            certificates: certificate::distinct(report),
            chains: chains(report),
            quic: target.quic.then(|| endpoints.iter().filter_map(QuicView::of).collect()),
            scans: endpoints.iter().flat_map(scan::scans).collect(),
            clients: endpoints.iter().flat_map(|one| scan::clients(one, target)).collect(),
            changes: None,
            requests: None,
            nginx: NginxView::of(&report.judgement),
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
                .map(|(rule, reason)| UntestedView {
                    rule,
                    reason,
                    excuse: report.judgement.waiver.as_ref().map(ExcuseView::of),
                })
                .collect(),
        }
    }
}

impl TargetView<'_> {
    pub(super) fn compared(
        self,
        changes: Option<Vec<TargetChange>>,
        weight: Option<RequestWeight>,
    ) -> Self {
        Self { changes, requests: weight.map(RequestsView::of), ..self }
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
