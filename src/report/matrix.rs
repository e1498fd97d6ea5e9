//! The four cells of the matrix: one word for the result of each handshake.

use crate::observation::{Cause, ClientAuth, ClientRefusal, Endpoint, Handshake, Stage};
use crate::targets::Target;
use crate::tls::version::ProtocolVersion;

/// The columns of the matrix: with or without SNI, and the version.
pub(super) const COLUMNS: [(bool, ProtocolVersion); 4] = [
    (false, ProtocolVersion::TLS1_2),
    (false, ProtocolVersion::TLS1_3),
    (true, ProtocolVersion::TLS1_2),
    (true, ProtocolVersion::TLS1_3),
];

/// The result of one cell, in at most eleven characters; `-` if there was nothing to try.
pub(super) fn word(
    endpoint: &Endpoint,
    target: &Target,
    (with_sni, version): (bool, ProtocolVersion),
) -> String {
    if with_sni && target.server_name.is_none() {
        return "-".to_owned();
    }
    endpoint.cell(with_sni, version).map_or_else(|| "-".to_owned(), cell_word)
}

fn cell_word(cell: &Handshake) -> String {
    match (&cell.outcome, &cell.client_auth) {
        (_, ClientAuth::Required(_, ClientRefusal::Http(status))) => format!("HTTP {status}"),
        (Ok(_), ClientAuth::Requested(_) | ClientAuth::Served(_)) => "ok, asks".to_owned(),
        (Ok(_), _) => "ok".to_owned(),
        (Err(failure), _) => cause_word(&failure.cause, failure.stage),
    }
}

fn cause_word(cause: &Cause, stage: Stage) -> String {
    match cause {
        Cause::Alert(alert) => return format!("alert {}", alert.0),
        Cause::DnsFailure(_) => "no DNS",
        Cause::ConnectionRefused => "refused",
        Cause::Unreachable(_) => "no route",
        Cause::TimedOut if stage == Stage::Connect => "no answer",
        Cause::TimedOut => "timeout",
        Cause::Reset => "reset",
        Cause::Closed => "closed",
        Cause::StarttlsRefused(_) => "no STARTTLS",
        Cause::TurnedAway(_) => "turned away",
        Cause::NotTls(_) => "not TLS",
        Cause::Incompatible(_) | Cause::ProtocolError(_) => "broken",
        Cause::TooMuchData => "flood",
        Cause::Local(_) | Cause::Cancelled => "untested",
    }
    .to_owned()
}
