//! Rules about versions, suites, groups and application protocols that client and server do not share.

pub mod alpn_mismatch;
pub mod cipher_mismatch;
pub mod client_profile_fails;
pub mod clients_lost;
pub mod compression_accepted;
pub mod handshake_refused;
pub mod large_hello_fails;
pub mod legacy_cipher_only;
pub mod legacy_protocol_accepted;
pub mod legacy_protocol_only;
pub mod no_forward_secrecy;
pub mod policy_deviation;
pub mod post_quantum_unsupported;
pub mod protocol_unexpected;
pub mod served_settings_stale;
pub mod tls12_unsupported;
pub mod tls13_unsupported;
pub mod weak_cipher_accepted;
pub mod weak_dh;

use crate::audit::finding::{Finding, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::scan::Scan;
use crate::observation::{Endpoint, Handshake};
use crate::tls::version::ProtocolVersion;

/// The finding that the server does not accept a version: an error where the operator expects it, and else as severe as
/// `severity`.
fn unsupported(
    rule: &Rule,
    (version, severity): (ProtocolVersion, Severity),
    message: &str,
    endpoint: &Endpoint,
    cx: &Context<'_>,
) -> Option<Finding> {
    let missing = missing(endpoint, cx, version)?;
    let expected = cx.expects(version) == Some(true);
    let address = Some(endpoint.address);
    let command = s_client(cx.target, address, missing.sni.as_deref(), Some(version));
    let finding = rule.finds(message).evidence(at(endpoint, missing)).reproduce(command);
    Some(finding.severity(if expected { Severity::Error } else { severity }))
}

/// The failed handshake of a version that the server does not accept although it accepts the other one, unless the
/// operator expects exactly that.
fn missing<'a>(
    endpoint: &'a Endpoint,
    cx: &Context<'_>,
    version: ProtocolVersion,
) -> Option<&'a Handshake> {
    if cx.expects(version) == Some(false) {
        return None;
    }
    let cell = endpoint.cell(cx.target.server_name.is_some(), version)?;
    let trouble = Matrix::new(endpoint, cx.target).trouble(cell);
    (trouble == Some(Trouble::VersionUnsupported)).then_some(cell)
}

/// The handshakes of one kind that failed with the target's own name.
fn troubled<'a>(endpoint: &'a Endpoint, cx: &Context<'_>, trouble: Trouble) -> Vec<&'a Handshake> {
    let matrix = Matrix::new(endpoint, cx.target);
    cx.own_cells(endpoint).filter(|cell| matrix.trouble(cell) == Some(trouble)).collect()
}

/// Runs a check over every scan of an endpoint. A scan with gaps never passes.
fn over_scans(endpoint: &Endpoint, check: impl Fn(&Scan) -> Vec<Finding>) -> Verdict {
    if endpoint.scans.is_empty() {
        return Verdict::NotApplicable;
    }
    let findings: Vec<Finding> = endpoint.scans.iter().flat_map(check).collect();
    let gap = endpoint.scans.iter().find_map(|scan| scan.gaps().first().copied());
    match gap {
        _ if !findings.is_empty() => Verdict::Fail(findings),
        Some(gap) => Verdict::Untested(gap_in(endpoint, &gap.cause)),
        None => Verdict::Pass,
    }
}

/// The evidence for versions and suites that the complete engine does not support: before TLS 1.2, and without ECDHE
/// and AEAD.
const ANSWERED_ONLY: &str = "hellos are answered with this; no complete handshake confirmed it";

fn gap_in(endpoint: &Endpoint, cause: &dyn std::fmt::Display) -> String {
    format!("the scan of {} is incomplete: {cause}", endpoint.address)
}

/// Where a scan was made and with which name, as evidence begins.
fn place(endpoint: &Endpoint, scan: &Scan) -> String {
    match &scan.sni {
        Some(name) => format!("{} with name {name}", endpoint.address),
        None => format!("{} with no name", endpoint.address),
    }
}
