//! The metrics under the names of blackbox_exporter, so that existing alerts and dashboards keep working. Each has the
//! same meaning as there (`prober/tcp.go`, `prober/tls.go`), for the handshake with the target's own name.

use super::{NamedTarget, distinct_chains, first_end, flag, moment, tried};
use crate::audit::client_verdict::ClientVerdict;
use crate::certificate::Certificate;
use crate::observation::{Addresses, Endpoint, Handshake};
use crate::report::exposition::Exposition;
use crate::run::TargetReport;
use crate::tls::version::ProtocolVersion;

/// The meaning of success.
const SUCCESS: &str = "Whether the handshake completed and the chain is trusted.";

/// Adds the series of one target.
pub(super) fn add((name, report): NamedTarget<'_>, exposition: &mut Exposition) {
    let labels = [("target", name)];
    if let Some(success) = success(report) {
        exposition.family("probe_success", SUCCESS).add(&labels, flag(success));
    }
    let sent =
        endpoints(report).iter().flat_map(|endpoint| distinct_chains(endpoint, named(report)));
    let certificates: Vec<_> = sent.flat_map(|chain| &chain.certificates).collect();
    if let Some(end) = first_end(certificates.into_iter()) {
        exposition
            .family("probe_ssl_earliest_cert_expiry", "Earliest expiry of the certificates sent.")
            .add(&labels, moment(end));
    }
    chain((name, report), exposition);
    if let Some(cell) = best(report) {
        session(name, cell, exposition);
    }
}

/// Adds the series of the one requested target, whose labels Prometheus adds itself. The request needs an answer, so
/// what could not be tested in time counts as not successful.
pub(super) fn answer(report: &TargetReport, exposition: &mut Exposition) {
    exposition.family("probe_success", SUCCESS).add(&[], flag(success(report).unwrap_or(false)));
    add(("", report), exposition);
}

fn endpoints(report: &TargetReport) -> &[Endpoint] {
    &report.observation.endpoints
}

fn named(report: &TargetReport) -> bool {
    report.target.server_name.is_some()
}

fn own(report: &TargetReport) -> impl Iterator<Item = &Handshake> {
    let named = named(report);
    endpoints(report)
        .iter()
        .flat_map(|endpoint| &endpoint.handshakes)
        .filter(move |cell| cell.sni.is_some() == named)
}

/// `None` if nothing was tried.
fn success(report: &TargetReport) -> Option<bool> {
    let works = |endpoint: &Endpoint| endpoint.cells(named(report)).any(Handshake::established);
    let chains = &report.judgement.chains;
    if endpoints(report).is_empty() {
        let tried = !matches!(report.observation.addresses, Addresses::NotTried(_));
        return tried.then_some(false);
    }
    own(report).any(tried).then(|| {
        endpoints(report).iter().all(works)
            && !chains.is_empty()
            && chains.iter().all(|assessed| {
                ClientVerdict::of_browser(assessed, &report.target) == ClientVerdict::Accepted
            })
    })
}

/// The verified chain without its root: a root is rarely sent, and expires later than what it signed.
fn chain((name, report): NamedTarget<'_>, exposition: &mut Exposition) {
    let verified = report
        .judgement
        .chains
        .iter()
        .find(|one| ClientVerdict::of_browser(one, &report.target) == ClientVerdict::Accepted);
    let Some(assessed) = verified else { return };
    let certificates = &assessed.chain.certificates;
    let path = assessed.assessment.shape.path.iter().filter_map(|at| certificates.get(*at));
    let (Some(end), Some(leaf)) = (first_end(path), assessed.chain.leaf()) else { return };
    exposition
        .family(
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            "Earliest expiry of the certificates on the verified path.",
        )
        .add(&[("target", name)], moment(end));
    let (sha256, serial) = (leaf.sha256.to_string(), leaf.serial.replace(':', ""));
    let labels = [
        ("target", name),
        ("fingerprint_sha256", &sha256),
        ("subject", &leaf.subject.text),
        ("issuer", &leaf.issuer.text),
        ("subjectalternative", &names(leaf)),
        ("serialnumber", &serial),
    ];
    exposition
        .family("probe_ssl_last_chain_info", "The leaf certificate of the verified path.")
        .add(&labels, 1.0);
}

fn names(leaf: &Certificate) -> String {
    leaf.dns_names().join(",")
}

/// The handshake of the newest version that completed.
fn best(report: &TargetReport) -> Option<&Handshake> {
    own(report).filter(|cell| cell.established()).max_by_key(|cell| cell.version)
}

fn session(name: &str, cell: &Handshake, exposition: &mut Exposition) {
    let spent = cell.connect_time.unwrap_or_default() + cell.handshake_time.unwrap_or_default();
    exposition
        .family("probe_duration_seconds", "Duration of connection and handshake.")
        .add(&[("target", name)], spent.as_secs_f64());
    let version = match cell.version {
        ProtocolVersion::TLS1_3 => "TLS 1.3",
        ProtocolVersion::TLS1_2 => "TLS 1.2",
        _ => "unknown",
    };
    exposition
        .family("probe_tls_version_info", "The negotiated TLS version.")
        .add(&[("target", name), ("version", version)], 1.0);
    if let Ok(session) = &cell.outcome {
        exposition
            .family("probe_tls_cipher_info", "The negotiated cipher suite.")
            .add(&[("target", name), ("cipher", &session.cipher_suite.to_string())], 1.0);
    }
}
