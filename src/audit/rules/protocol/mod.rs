//! Versions, suites, groups and application protocols that do not meet.

pub mod alpn_mismatch;
pub mod cipher_mismatch;
pub mod handshake_refused;
pub mod legacy_cipher_only;
pub mod legacy_protocol_accepted;
pub mod legacy_protocol_only;
pub mod protocol_unexpected;
pub mod tls12_unsupported;
pub mod tls13_unsupported;

use crate::audit::rule::Context;
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Endpoint, Handshake};
use crate::tls::version::ProtocolVersion;

/// The failed handshake of a version that the server does not speak although it speaks the other, where the operator
/// does not want it so.
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
