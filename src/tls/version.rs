//! Protocol versions by their numbers (RFC 8446 section 4.2.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A `ProtocolVersion` as sent in a hello; unknown values are kept.
///
/// It prints in nginx's and OpenSSL's spelling: `TLSv1.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 3.0 (RFC 6101).
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0 (RFC 2246).
    pub const TLS1: Self = Self(0x0301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS1_3: Self = Self(0x0304);

    /// Every version that a server may still accept, oldest first.
    pub const ALL: [Self; 5] = [Self::SSL3, Self::TLS1, Self::TLS1_1, Self::TLS1_2, Self::TLS1_3];

    /// nginx's spelling, as in `ssl_protocols`; `None` for a value nginx has no name for.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::SSL3 => Some("SSLv3"),
            Self::TLS1 => Some("TLSv1"),
            Self::TLS1_1 => Some("TLSv1.1"),
            Self::TLS1_2 => Some("TLSv1.2"),
            Self::TLS1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// The text is not the name of a protocol version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol version {0:?}; use TLSv1.2 or TLSv1.3 (or TLSv1.1, TLSv1, SSLv3)")]
pub struct UnknownVersion(pub String);

impl FromStr for ProtocolVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(version) = Self::ALL.into_iter().find(|v| v.name() == Some(text)) {
            return Ok(version);
        }
        text.strip_prefix("0x")
            .and_then(|hex| u16::from_str_radix(hex, 16).ok())
            .map(Self)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

impl From<ProtocolVersion> for String {
    fn from(version: ProtocolVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for ProtocolVersion {
    type Error = UnknownVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
