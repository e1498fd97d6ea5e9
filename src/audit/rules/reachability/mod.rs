//! Endpoints that could not be reached, or end every connection otherwise than by an alert.

pub mod connect_timeout;
pub mod connection_closed;
pub mod connection_refused;
pub mod connection_reset;
pub mod dns_failure;
pub mod handshake_timeout;
pub mod network_unreachable;
pub mod not_tested;
pub mod not_tls;
pub mod protocol_error;
pub mod starttls_refused;

use crate::observation::{Endpoint, Failure, Handshake, Stage};

/// The first failure of this kind, names aside: a handshake that fails with a name and works without it, or the other
/// way round, is a matter of the name.
fn stopped(endpoint: &Endpoint, kind: impl Fn(&Failure) -> bool) -> Option<&Failure> {
    let established = |with_sni| endpoint.cells(with_sni).any(Handshake::established);
    let failures =
        endpoint.handshakes.iter().filter_map(|cell| Some((cell.sni.is_some(), cell.failure()?)));
    let mut own = failures.filter(|(with_sni, failure)| {
        failure.stage < Stage::Handshake || established(*with_sni) || !established(!*with_sni)
    });
    own.find(|(_, failure)| kind(failure)).map(|(_, failure)| failure)
}
