//! What nginx's configuration says of a live socket: what it can be held against.

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::tls::group::NamedGroup;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The settings of a socket and a name, each only where nothing but the configuration decides it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenSettings {
    /// The versions that it accepts.
    pub versions: Option<WrittenSetting<Vec<ProtocolVersion>>>,
    /// Suites up to TLS 1.2 without which it accepts none; perhaps not all of them.
    pub suites: Option<WrittenSetting<Vec<CipherSuite>>>,
    /// Groups without which it accepts none.
    pub groups: Option<WrittenSetting<Vec<NamedGroup>>>,
    /// The application protocols that it may select.
    pub alpn: Option<WrittenSetting<Vec<String>>>,
    /// Whether it asks clients for a certificate.
    pub asks: Option<WrittenSetting<bool>>,
}

/// A setting, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenSetting<T> {
    /// Its meaning.
    pub value: T,
    /// The directive: `ssl_protocols TLSv1.3`.
    pub text: String,
    /// Its place, or that of the server that lacks it.
    pub place: Origin,
}
