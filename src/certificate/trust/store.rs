//! Trust anchors and their names in messages.

use std::collections::HashMap;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use webpki::anchor_from_trusted_cert;

use crate::certificate::parse::{Certificate, DistinguishedName};
use crate::certificate::signature::{SignatureCheck, Verifier};
use crate::certificate::stored::StoredBytes;

/// The roots that end a path, and the name of this set.
#[derive(Debug)]
pub struct TrustStore {
    /// Its name in messages: "the system's roots", "Mozilla's roots", a file's name.
    pub label: String,
    /// The anchors in webpki's form.
    pub anchors: Vec<TrustAnchor<'static>>,
    /// The same anchors as certificates, if they were given as such (Mozilla's set has only names and keys).
    pub certificates: Vec<Arc<Certificate>>,
    /// Whether public roots are among them, whose authorities obey the CA/Browser Forum.
    pub public: bool,
    /// Those that are an organisation's own.
    pub private: Vec<Arc<Certificate>>,
    by_subject: HashMap<Vec<u8>, Vec<usize>>,
}

impl TrustStore {
    /// Mozilla's roots, as compiled in.
    pub fn mozilla() -> Self {
        Self::new(
            "Mozilla's roots".to_owned(),
            webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            Vec::new(),
            true,
        )
    }

    /// The given certificates as anchors; those that cannot be read are left out, and their number is returned.
    pub fn from_certificates(
        label: String,
        given: Vec<CertificateDer<'static>>,
        public: bool,
    ) -> (Self, usize) {
        let mut anchors = Vec::new();
        let mut certificates = Vec::new();
        let mut unreadable = 0;
        for der in given {
            match (anchor_from_trusted_cert(&der), Certificate::parse(&der)) {
                (Ok(anchor), Ok(certificate)) => {
                    anchors.push(anchor.to_owned());
                    certificates.push(Arc::new(certificate));
                }
                _ => unreadable += 1,
            }
        }
        let private = if public { Vec::new() } else { certificates.clone() };
        (Self { private, ..Self::new(label, anchors, certificates, public) }, unreadable)
    }

    /// This store with further certificates trusted as well.
    #[must_use]
    pub fn with(self, label: String, given: Vec<CertificateDer<'static>>) -> (Self, usize) {
        let (more, unreadable) = Self::from_certificates(label, given, false);
        let mut anchors = self.anchors;
        anchors.extend(more.anchors);
        let mut certificates = self.certificates;
        certificates.extend(more.certificates);
        let mut private = self.private;
        private.extend(more.private);
        let label = format!("{} and {}", self.label, more.label);
        (Self { private, ..Self::new(label, anchors, certificates, self.public) }, unreadable)
    }

    fn new(
        label: String,
        anchors: Vec<TrustAnchor<'static>>,
        certificates: Vec<Arc<Certificate>>,
        public: bool,
    ) -> Self {
        let mut by_subject: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (index, anchor) in anchors.iter().enumerate() {
            by_subject.entry(anchor.subject.to_vec()).or_default().push(index);
        }
        Self { label, anchors, certificates, public, private: Vec::new(), by_subject }
    }

    /// Whether a certificate carries the name and key of an anchor.
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.named(&certificate.subject.der).any(|anchor| {
            Some(anchor.subject_public_key_info.as_ref())
                == sequence_body(&certificate.public_key.spki)
        })
    }

    /// Whether an anchor signed a certificate.
    pub fn has_issuer_of(&self, certificate: &Certificate, verifier: &Verifier) -> bool {
        self.named(&certificate.issuer.der).any(|anchor| {
            let spki = sequence(anchor.subject_public_key_info.as_ref());
            // A signature that cannot be checked leaves the name as the only evidence.
            verifier.check(certificate, &spki) != SignatureCheck::Invalid
        })
    }

    /// Whether an anchor has this name, regardless of its key.
    pub fn has_name(&self, name: &DistinguishedName) -> bool {
        self.named(&name.der).next().is_some()
    }

    /// The anchors of a subject, given as a `Name` in DER. webpki keeps the contents of the sequence only.
    fn named(&self, subject: &[u8]) -> impl Iterator<Item = &TrustAnchor<'static>> {
        let known = sequence_body(subject).and_then(|body| self.by_subject.get(body));
        known.into_iter().flatten().map(|index| &self.anchors[*index])
    }
}

/// A store as it is saved. Mozilla's roots are not written out, because they are compiled in.
#[derive(Serialize, Deserialize)]
struct SavedStore {
    label: String,
    public: bool,
    mozilla: bool,
    certificates: Vec<StoredBytes>,
    /// How many of the certificates, from the end, are an organisation's own.
    private: usize,
}

impl Serialize for TrustStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Every field by name, so that none is forgotten here.
        let Self { label, anchors, certificates, public, private, by_subject: _ } = self;
        SavedStore {
            label: label.clone(),
            public: *public,
            mozilla: anchors.len() > certificates.len(),
            certificates: certificates.iter().map(|one| StoredBytes(one.der.to_vec())).collect(),
            private: private.len(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TrustStore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = SavedStore::deserialize(deserializer)?;
        let given = saved.certificates.into_iter().map(|StoredBytes(der)| der.into()).collect();
        let (more, unreadable) = Self::from_certificates(String::new(), given, saved.public);
        if unreadable > 0 {
            return Err(D::Error::custom("a root certificate cannot be read"));
        }
        let mut anchors = if saved.mozilla { Self::mozilla().anchors } else { Vec::new() };
        anchors.extend(more.anchors);
        let start = more.certificates.len().checked_sub(saved.private);
        let start = start.ok_or_else(|| D::Error::custom("more private roots than roots"))?;
        let private = more.certificates[start..].to_vec();
        let store = Self::new(saved.label, anchors, more.certificates, saved.public);
        Ok(Self { private, ..store })
    }
}

/// The contents of a DER SEQUENCE.
fn sequence_body(der: &[u8]) -> Option<&[u8]> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let header = if *length < 0x80 { 0 } else { usize::from(length & 0x7f) };
    (*tag == 0x30).then(|| rest.get(header..)).flatten()
}

/// A DER SEQUENCE of these contents.
fn sequence(body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![0x30];
    if body.len() < 0x80 {
        der.extend(significant.last().or(Some(&0)));
    } else {
        der.push(0x80 | significant.len().to_le_bytes()[0]);
        der.extend(significant);
    }
    der.extend_from_slice(body);
    der
}
