//! The verdict that nginx gives an upstream: OpenSSL's rules as nginx uses them.
//!
//! nginx's verify callback always answers "go on", so OpenSSL walks the whole chain and nginx logs the **last** error of
//! the walk (`ngx_ssl_verify_callback`, `ngx_http_upstream_ssl_handshake`). The steps below stand in the order of
//! OpenSSL's `X509_verify_cert`, and the last one that objects gives the number.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;

use super::TrustStore;
use crate::certificate::chain::Chain;
use crate::certificate::key::{KeyType, PublicKey, SignatureHash};
use crate::certificate::parse::Certificate;
use crate::certificate::signature::{self, SignatureCheck};

/// A result of `X509_verify_cert`, by its number (`X509_V_ERR_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyError(pub u32);

/// Numbers and texts of OpenSSL 3.0, as nginx logs them: `(10:certificate has expired)`.
const TEXTS: &[(u32, &str)] = &[
    (2, "unable to get issuer certificate"),
    (7, "certificate signature failure"),
    (9, "certificate is not yet valid"),
    (10, "certificate has expired"),
    (18, "self-signed certificate"),
    (19, "self-signed certificate in certificate chain"),
    (20, "unable to get local issuer certificate"),
    (21, "unable to verify the first certificate"),
    (22, "certificate chain too long"),
    (25, "path length constraint exceeded"),
    (26, "unsuitable certificate purpose"),
    (32, "key usage does not include certificate signing"),
    (34, "unhandled critical extension"),
    (66, "EE certificate key too weak"),
    (67, "CA certificate key too weak"),
    (68, "CA signature digest algorithm too weak"),
    (79, "invalid CA certificate"),
];

impl fmt::Display for VerifyError {
    /// As nginx writes it between its brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = TEXTS.iter().find(|(number, _)| *number == self.0).map_or("", |(_, text)| text);
        write!(f, "{}:{text}", self.0)
    }
}

/// How nginx was told to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// `proxy_ssl_verify_depth`: how many intermediates may stand between leaf and anchor.
    pub depth: usize,
    /// OpenSSL's security level: 2 on Debian and from OpenSSL 3.2 on, else 1.
    pub security_level: u8,
}

impl Default for Profile {
    fn default() -> Self {
        Self { depth: 1, security_level: 2 }
    }
}

/// What nginx would say of a chain, names left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpensslVerdict {
    /// The chain verifies.
    Accepted,
    /// nginx logs `upstream SSL certificate verify error: (N:text)` and answers 502.
    Refused(VerifyError),
    /// The verdict rests on something that cannot be checked here.
    CannotCheck(String),
}
