//! What OpenSSL is asked about a chain, and what it answers.

use time::OffsetDateTime;

use super::TrustStore;
pub use super::purpose::Purpose;
use crate::certificate::chain::Chain;
use crate::certificate::crl::RevocationLists;
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::openssl::verify_error::VerifyError;

/// nginx's settings for verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyProfile {
    /// `proxy_ssl_verify_depth`: how many intermediates are allowed between leaf and anchor.
    pub depth: usize,
    /// OpenSSL's security level: 2 on Debian and from OpenSSL 3.2 on, else 1.
    pub security_level: u8,
    /// The library.
    pub library: OpensslRelease,
    /// Whose certificate it is.
    pub purpose: Purpose,
    /// nginx sets no callback, so OpenSSL stops at the first error.
    pub first_error: bool,
}

impl Default for VerifyProfile {
    fn default() -> Self {
        Self {
            depth: 1,
            security_level: security_level::DEFAULT,
            library: OpensslRelease::default(),
            purpose: Purpose::Server,
            first_error: false,
        }
    }
}

/// nginx's verdict on a chain with `proxy_ssl_verify on`, without the name check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpensslVerdict {
    /// The chain verifies.
    Accepted,
    /// nginx logs this, and answers 502.
    Refused(VerifyError),
    /// OpenSSL cannot read a certificate, so the handshake fails even without verification; the part that cannot be
    /// read.
    Unreadable(String),
    /// The verdict depends on something that cannot be checked here; its description.
    CannotCheck(String),
}

/// A chain to verify, with these certificates as nginx's trusted file, at this time.
#[derive(Clone, Copy, Debug)]
pub struct Question<'c> {
    /// The chain as sent.
    pub chain: &'c Chain,
    /// The contents of `proxy_ssl_trusted_certificate`.
    pub store: &'c TrustStore,
    /// The revocation lists (`proxy_ssl_crl`); with them, every certificate of the path needs one.
    pub lists: Option<&'c RevocationLists>,
    /// The time.
    pub now: OffsetDateTime,
}
