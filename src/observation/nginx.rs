//! A handshake as nginx makes it, and what the server did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Failure, Handshake, RawChoice};
use crate::certificate::Chain;
use crate::targets::nginx_client::{Change, HelloError, NginxClient};

/// One handshake of nginx with one set of settings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAttempt {
    /// nginx, with the changes made.
    pub client: Arc<NginxClient>,
    /// What was changed in its configuration; empty for nginx as it is.
    pub changes: Vec<Change>,
    /// What the server answered to nginx's own hello.
    pub answer: Result<NginxAnswer, Refusal>,
    /// A complete handshake with the same name and certificate, where the answer alone leaves questions: in TLS 1.3,
    /// and where the server asks for a certificate.
    pub complete: Option<Handshake>,
}

impl NginxAttempt {
    /// Connections that it took.
    pub fn connections(&self) -> u32 {
        let hello = !matches!(self.answer, Err(Refusal::NotSent(_)));
        u32::from(hello) + u32::from(self.complete.is_some())
    }
}

/// Why there is no answer to nginx's hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No hello could be made.
    NotSent(HelloError),
    /// It failed.
    Failed(Failure),
}

/// The server's flight in answer to nginx's hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NginxAnswer {
    /// What it chose.
    pub choice: RawChoice,
    /// The size of a finite-field key, in bits.
    pub dh_bits: Option<usize>,
    /// Whether it knows secure renegotiation (RFC 5746), which a server of TLS 1.3 need not say.
    pub secure_renegotiation: bool,
    /// Whether it asks for a client certificate; up to TLS 1.2, later it is encrypted.
    pub certificate_requested: bool,
    /// Its certificates, likewise.
    pub chain: Option<Arc<Chain>>,
}

impl NginxAttempt {
    /// The certificates that were presented, as far as they were seen.
    pub fn chain(&self) -> Option<&Arc<Chain>> {
        let clear = self.answer.as_ref().ok().and_then(|answer| answer.chain.as_ref());
        clear.or_else(|| self.complete.as_ref()?.chain.as_ref())
    }
}
