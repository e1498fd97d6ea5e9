//! Why one address does not answer as it should: each failing endpoint has exactly one trouble, and each trouble
//! belongs to one rule. That keeps one cause from being reported twice.

use crate::observation::{Cause, ClientAuth, Endpoint, Failure, Handshake, RawHello, Stage};
use crate::target::Target;
use crate::tls::version::ProtocolVersion;

/// What keeps handshakes with one address from completing.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    /// Nothing: a handshake with the target's own name completes.
    None,
    /// Handshakes complete with the name and fail without it; one of those that failed.
    NameRequired(&'a Handshake),
    /// Handshakes complete without the name and fail with it; one of those that failed.
    NameRejected(&'a Handshake),
    /// The server refuses the client's certificate, or the lack of one.
    ClientCertificate,
    /// No TLS 1.2 or 1.3, but an older version.
    LegacyProtocol(&'a RawHello),
    /// TLS 1.2 with suites that modern clients have dropped, and nothing else.
    LegacyCipher(&'a RawHello),
    /// TLS 1.3, but no group or suite that a modern client offers.
    Mismatch(&'a RawHello),
    /// Every hello is answered by an alert.
    Refused(&'a Failure),
    /// Every connection ends otherwise: closed, reset, timed out, in plain text.
    Ended(&'a Failure),
}

/// The trouble with one address of a target.
pub fn trouble<'a>(endpoint: &'a Endpoint, target: &Target) -> Trouble<'a> {
    let named = target.server_name.is_some();
    let established = |with_sni| endpoint.cells(with_sni).any(Handshake::established);
    let failed = |with_sni| endpoint.cells(with_sni).find(|cell| failed_in_tls(cell));
    if named && established(true) != established(false) {
        let odd_one_out = failed(!established(true)).map(|cell| (cell, established(true)));
        match odd_one_out {
            Some((cell, true)) => return Trouble::NameRequired(cell),
            Some((cell, false)) => return Trouble::NameRejected(cell),
            None => {}
        }
    }
    if established(named) {
        return Trouble::None;
    }
    if endpoint.cells(named).any(|cell| matches!(cell.client_auth, ClientAuth::Required(..))) {
        return Trouble::ClientCertificate;
    }
    explained_by_hello(endpoint).unwrap_or_else(|| by_failure(endpoint, named))
}

/// Whether a handshake got as far as TLS and failed there.
pub fn failed_in_tls(cell: &Handshake) -> bool {
    cell.failure().is_some_and(|failure| failure.stage >= Stage::Handshake)
}

/// A raw hello that a server answers tells what the complete engine lacks.
fn explained_by_hello(endpoint: &Endpoint) -> Option<Trouble<'_>> {
    let chosen = |version| {
        endpoint
            .raw
            .iter()
            .find(|raw| raw.outcome.as_ref().is_ok_and(|choice| choice.version == version))
    };
    if let Some(raw) = chosen(ProtocolVersion::TLS1_3) {
        return Some(Trouble::Mismatch(raw));
    }
    if let Some(raw) = chosen(ProtocolVersion::TLS1_2) {
        return Some(Trouble::LegacyCipher(raw));
    }
    [ProtocolVersion::TLS1_1, ProtocolVersion::TLS1, ProtocolVersion::SSL3]
        .into_iter()
        .find_map(chosen)
        .map(Trouble::LegacyProtocol)
}

fn by_failure(endpoint: &Endpoint, named: bool) -> Trouble<'_> {
    let failures: Vec<&Failure> = endpoint.cells(named).filter_map(Handshake::failure).collect();
    let refused =
        |failure: &&&Failure| matches!(failure.cause, Cause::Alert(_) | Cause::Incompatible(_));
    match (failures.first(), failures.iter().find(refused)) {
        (_, Some(failure)) => Trouble::Refused(failure),
        (Some(failure), None) => Trouble::Ended(failure),
        (None, None) => Trouble::None,
    }
}
