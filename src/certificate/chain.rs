//! A chain as a server sent it: its certificates in order, and what could not be read of it.

use std::sync::Arc;

use super::parse::{Certificate, Fingerprint, ParseError};

/// Certificates that are looked at; no honest chain comes near it.
const MAX_CERTIFICATES: usize = 32;

/// The certificates of one Certificate message, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// SHA-256 over the certificates' lengths and bytes, which names this very chain.
    pub digest: Fingerprint,
    /// The certificates, leaf first, up to the first that could not be read.
    pub certificates: Vec<Arc<Certificate>>,
    /// Position (from 0) and reason of the first certificate that could not be read; none after it was tried.
    pub unreadable: Option<(usize, ParseError)>,
    /// Certificates sent beyond those that are looked at.
    pub ignored: usize,
}

impl Chain {
    /// Reads a chain, leaf first.
    pub fn from_der(sent: &[&[u8]]) -> Self {
        let mut chain = Self {
            digest: digest(sent),
            certificates: Vec::new(),
            unreadable: None,
            ignored: sent.len().saturating_sub(MAX_CERTIFICATES),
        };
        for (position, der) in sent.iter().take(MAX_CERTIFICATES).enumerate() {
            match Certificate::parse(der) {
                Ok(certificate) => chain.certificates.push(Arc::new(certificate)),
                Err(error) => {
                    chain.unreadable = Some((position, error));
                    break;
                }
            }
        }
        chain
    }

    /// The certificate the server claims to be, if it sent one that can be read.
    pub fn leaf(&self) -> Option<&Arc<Certificate>> {
        self.certificates.first()
    }
}

/// Names a chain: equal digests mean equal certificates in equal order.
pub(super) fn digest(sent: &[&[u8]]) -> Fingerprint {
    let mut bytes = Vec::with_capacity(sent.iter().map(|der| der.len() + 8).sum());
    for der in sent {
        bytes.extend_from_slice(&(der.len() as u64).to_be_bytes());
        bytes.extend_from_slice(der);
    }
    Fingerprint::of(&bytes)
}
