//! How a target behaves, as far as a report has it: what is compared of two runs.

use serde::{Deserialize, Serialize};

/// The connections to a target, its certificates and its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedBehaviour {
    /// Every connection.
    pub handshakes: Vec<ReportedHandshake>,
    /// Every certificate.
    pub certificates: Vec<ReportedCertificate>,
    /// The clients that were replayed; reports of early releases have none.
    #[serde(default)]
    pub clients: Vec<ReportedClient>,
}

impl ReportedBehaviour {
    /// Adds that of another address.
    pub fn extend(&mut self, other: Self) {
        self.handshakes.extend(other.handshakes);
        self.certificates.extend(other.certificates);
        self.clients.extend(other.clients);
    }
}

/// A client that was replayed at one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedClient {
    /// What people call it.
    pub title: String,
    /// `established`, `failed`, or `untested`.
    pub outcome: String,
    /// Why it cannot connect.
    #[serde(default)]
    pub missing: Option<String>,
    /// The version that was negotiated; this and the next two are null if it does not connect.
    #[serde(default)]
    pub version: Option<String>,
    /// The cipher suite.
    #[serde(default)]
    pub cipher_suite: Option<String>,
    /// The group.
    #[serde(default)]
    pub group: Option<String>,
}

impl ReportedClient {
    /// Whether it was told if it connects.
    pub fn is_tested(&self) -> bool {
        self.outcome != "untested"
    }

    /// Whether it connects.
    pub fn connects(&self) -> bool {
        self.outcome == ESTABLISHED
    }
}

/// The outcome of a handshake that succeeded.
const ESTABLISHED: &str = "established";

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedHandshake {
    /// The name that was sent.
    pub sni: Option<String>,
    /// The version that was offered.
    pub version: String,
    /// `rustls` or `raw`.
    pub engine: String,
    /// `established` or `failed`.
    pub outcome: String,
    /// SHA-256 of the certificates, leaf first.
    pub chain: Vec<String>,
    /// The application protocol that was selected.
    #[serde(default)]
    pub alpn: Option<String>,
    /// Whether a second connection resumed the session.
    #[serde(default)]
    pub resumed: Option<bool>,
}

impl ReportedHandshake {
    /// Whether it succeeded.
    pub fn is_established(&self) -> bool {
        self.outcome == ESTABLISHED
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedCertificate {
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub sha256: String,
    /// The issuer.
    pub issuer: String,
    /// When it expires (RFC 3339, UTC); sorts as text.
    pub not_after: String,
    /// SHA-256 of its public key.
    pub public_key_sha256: Option<String>,
    /// The type of its key.
    #[serde(default)]
    pub key_type: Option<String>,
    /// The size of its key.
    #[serde(default)]
    pub key_bits: Option<u32>,
    /// Its DNS names; some reports do not have them.
    #[serde(default)]
    pub dns_names: Option<Vec<String>>,
    /// Its IP addresses.
    #[serde(default)]
    pub ip_addresses: Option<Vec<String>>,
}
