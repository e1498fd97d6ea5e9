//! Versions, suites, groups and application protocols that do not meet.

pub mod alpn_mismatch;
pub mod cipher_mismatch;
pub mod handshake_refused;
pub mod legacy_cipher_only;
pub mod legacy_protocol_only;
pub mod protocol_unexpected;
pub mod tls12_unsupported;
pub mod tls13_unsupported;

use super::super::rule::Context;
use super::super::trouble::{Trouble, failed_in_tls, trouble};
use crate::observation::{Cause, Endpoint, Handshake};
use crate::tls::version::ProtocolVersion;

/// The failed handshake of a version that the server does not speak although it speaks the other, where the operator
/// does not want it so. A raw hello of that version that is answered means that it is spoken after all.
fn missing<'a>(
    endpoint: &'a Endpoint,
    cx: &Context<'_>,
    version: ProtocolVersion,
) -> Option<&'a Handshake> {
    let reachable =
        matches!(trouble(endpoint, cx.target), Trouble::None | Trouble::NameRequired(_));
    if !reachable || cx.expects(version) == Some(false) {
        return None;
    }
    let cell = endpoint
        .cell(cx.target.server_name.is_some(), version)
        .filter(|cell| failed_in_tls(cell))?;
    let spoken = endpoint.raw.iter().any(|raw| {
        raw.sni == cell.sni && raw.outcome.as_ref().is_ok_and(|choice| choice.version == version)
    });
    let refused =
        !matches!(cell.failure()?.cause, Cause::TimedOut | Cause::Local(_) | Cause::Cancelled)
            && cell.client_auth.request().is_none();
    (refused && !spoken).then_some(cell)
}
