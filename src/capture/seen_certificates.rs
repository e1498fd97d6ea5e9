//! Certificates that were seen, each kept once, within bounds.

use std::collections::HashMap;

use crate::certificate::chain::Chain;
use crate::certificate::parse::Fingerprint;

/// Certificates that are kept.
const MAX_CERTIFICATES: usize = 4096;

/// Bytes of them.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The certificates so far.
#[derive(Clone, Debug, Default)]
pub struct SeenCertificates {
    kept: HashMap<Fingerprint, Box<[u8]>>,
    bytes: usize,
}

impl SeenCertificates {
    /// Takes a certificate.
    pub(super) fn add(&mut self, fingerprint: Fingerprint, der: Vec<u8>) {
        let has_room =
            self.kept.len() < MAX_CERTIFICATES && self.bytes.saturating_add(der.len()) <= MAX_BYTES;
        if has_room && !self.kept.contains_key(&fingerprint) {
            self.bytes += der.len();
            self.kept.insert(fingerprint, der.into());
        }
    }

    /// The chain of these certificates, as it was sent; `None` where not all of them were kept, or there is none.
    pub fn chain(&self, sent: &[Fingerprint]) -> Option<Chain> {
        let ders: Option<Vec<&[u8]>> =
            sent.iter().map(|fingerprint| self.kept.get(fingerprint).map(AsRef::as_ref)).collect();
        ders.filter(|ders| !ders.is_empty()).map(|ders| Chain::from_der(&ders))
    }
}
