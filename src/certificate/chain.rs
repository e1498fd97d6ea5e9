//! A chain as a server sent it: its certificates in order, and what could not be read of it.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parse::{Certificate, Fingerprint, ParseError};
use super::stored::StoredBytes;

/// The most certificates that are read; real chains are much shorter.
const MAX_CERTIFICATES: usize = 32;

/// The certificates of one Certificate message, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// SHA-256 of the certificates' lengths and bytes, which identifies the chain.
    pub digest: Fingerprint,
    /// The certificates, leaf first, up to the first that could not be read.
    pub certificates: Vec<Arc<Certificate>>,
    /// Position (from 0) and reason of the first certificate that could not be read; later ones are not read.
    pub unreadable: Option<(usize, ParseError)>,
    /// The number of further certificates that were not read.
    pub ignored: usize,
    /// The bytes that were not parsed, so that a stored chain is complete.
    unread: Vec<Vec<u8>>,
}

impl Chain {
    /// Reads a chain, leaf first.
    pub fn from_der(sent: &[&[u8]]) -> Self {
        let mut chain = Self {
            digest: digest(sent),
            certificates: Vec::new(),
            unreadable: None,
            ignored: sent.len().saturating_sub(MAX_CERTIFICATES),
            unread: Vec::new(),
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
        let read = chain.certificates.len();
        chain.unread = sent[read..].iter().map(|der| der.to_vec()).collect();
        chain
    }

    /// The chain of certificates that were read already, leaf first.
    pub fn of(certificates: &[Arc<Certificate>]) -> Self {
        let ders: Vec<&[u8]> = certificates.iter().map(|one| one.der.as_ref()).collect();
        let (read, rest) = ders.split_at(ders.len().min(MAX_CERTIFICATES));
        Self {
            digest: digest(&ders),
            certificates: certificates[..read.len()].to_vec(),
            unreadable: None,
            ignored: rest.len(),
            unread: rest.iter().map(|der| der.to_vec()).collect(),
        }
    }

    /// The bytes of each certificate as sent, unreadable ones included.
    pub fn ders(&self) -> impl Iterator<Item = &[u8]> {
        let read = self.certificates.iter().map(|certificate| certificate.der.as_ref());
        read.chain(self.unread.iter().map(Vec::as_slice))
    }

    /// The certificate the server claims to be, if it sent one that can be read.
    pub fn leaf(&self) -> Option<&Arc<Certificate>> {
        self.certificates.first()
    }
}

/// Identifies a chain: equal digests mean the same certificates in the same order.
pub(super) fn digest(sent: &[&[u8]]) -> Fingerprint {
    let mut bytes = Vec::with_capacity(sent.iter().map(|der| der.len() + 8).sum());
    for der in sent {
        bytes.extend_from_slice(&(der.len() as u64).to_be_bytes());
        bytes.extend_from_slice(der);
    }
    Fingerprint::of(&bytes)
}

/// Each certificate as sent.
impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.ders().map(|der| StoredBytes(der.to_vec())))
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Vec::<StoredBytes>::deserialize(deserializer)?;
        Ok(Self::from_der(&sent.iter().map(|StoredBytes(der)| der.as_slice()).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::certificate::issue::Authority;

    fn sample() -> Vec<Vec<u8>> {
        let root = Authority::root("root", datetime!(2026-06-15 12:00 UTC)).unwrap();
        let leaf = root.issue(&["a.test"]).unwrap();
        [leaf.certificate, root.certificate].iter().map(|der| der.to_vec()).collect()
    }

    fn read(sent: &[Vec<u8>]) -> Chain {
        Chain::from_der(&sent.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn reading_ends_at_the_first_unreadable_certificate() {
        let mut sent = sample();
        sent.insert(1, b"garbage".to_vec());
        let chain = read(&sent);
        assert_eq!(chain.certificates.len(), 1);
        assert!(matches!(chain.unreadable, Some((1, ParseError::Malformed(_)))));
    }

    #[test]
    fn no_certificate_after_the_32nd_is_read() {
        let chain = read(&vec![sample().remove(0); 100]);
        assert_eq!((chain.certificates.len(), chain.ignored), (MAX_CERTIFICATES, 68));
    }

    #[test]
    fn a_chain_of_certificates_that_were_read_is_the_chain_of_their_bytes() {
        let sent: Vec<Vec<u8>> = sample().into_iter().cycle().take(40).collect();
        let read_before: Vec<_> =
            sent.iter().map(|der| Arc::new(Certificate::parse(der).unwrap())).collect();
        assert_eq!(Chain::of(&read_before), read(&sent));
    }

    #[test]
    fn the_digest_depends_on_where_a_certificate_ends() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_ne!(digest(&[]), digest(&[b""]));
    }

    #[test]
    fn a_stored_chain_is_the_chain_that_was_sent() {
        let mut sent = sample();
        sent.push(b"garbage".to_vec());
        sent.extend(vec![sent[0].clone(); 40]);
        let chain = read(&sent);
        let stored = serde_json::to_string(&chain).unwrap();
        assert_eq!(serde_json::from_str::<Chain>(&stored).unwrap(), chain);
    }

    #[test]
    fn a_stored_chain_must_be_base64() {
        assert!(serde_json::from_str::<Chain>(r#"["3"]"#).is_err());
        assert!(serde_json::from_str::<Chain>(r#"["zz!"]"#).is_err());
    }
}
