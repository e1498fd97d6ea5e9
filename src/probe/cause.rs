//! Translates errors of a connection into causes.

use std::io;

use crate::observation::Cause;
use crate::tls::alert::AlertDescription;

/// The cause of an error in connecting, in a dialogue, in a handshake, or in a read after it.
pub(super) fn cause(error: &io::Error) -> Cause {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return match tls {
            rustls::Error::AlertReceived(alert) => Cause::Alert(AlertDescription(u8::from(*alert))),
            rustls::Error::PeerIncompatible(why) => Cause::Incompatible(format!("{why:?}")),
            other => Cause::ProtocolError(other.to_string()),
        };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Cause::Closed,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => Cause::Reset,
        io::ErrorKind::TimedOut => Cause::TimedOut,
        io::ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Cause::Unreachable(error.to_string()),
        _ => Cause::Local(error.to_string()),
    }
}
