//! A chain as a server sent it, and its shape: which certificate stands where, and what is missing.

use std::sync::Arc;

use super::parse::{Certificate, Fingerprint, ParseError};

/// The certificates of one Certificate message, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// SHA-256 over the certificates' bytes, which names this very chain.
    pub digest: Fingerprint,
    /// The certificates that could be read, leaf first; each position is as sent up to the first unreadable one.
    pub certificates: Vec<Arc<Certificate>>,
    /// Position and reason of the first certificate that could not be read; none after it was tried.
    pub unreadable: Option<(usize, ParseError)>,
}

impl Chain {
    /// The certificate the server claims to be, if it sent one that can be read.
    pub fn leaf(&self) -> Option<&Arc<Certificate>> {
        self.certificates.first()
    }
}

/// What one certificate is within the chain that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// The first certificate.
    Leaf,
    /// On the path from the leaf, directly after the certificate that it signed.
    InOrder,
    /// On the path from the leaf, elsewhere than directly after the certificate that it signed.
    OutOfOrder,
    /// A self-signed certificate that ends the path: needless, clients have their own copy.
    Root,
    /// The same bytes stood earlier.
    Duplicate,
    /// Another certificate of a subject and key on the path: a cross-sign.
    Alternative,
    /// Signs nothing in this chain.
    Unrelated,
}

/// How the chain hangs together; edges are proved by signature, not by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One entry for each certificate, as sent.
    pub positions: Vec<Position>,
    /// Indices from the leaf to the last issuer found in what was sent: the right order of the file, root left out.
    pub path: Vec<usize>,
    /// How the path ends.
    pub end: PathEnd,
}

/// Where the path that starts at the leaf stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEnd {
    /// The last certificate, or its issuer, is a trust anchor.
    Anchored,
    /// The leaf itself is self-signed, and is no trust anchor.
    SelfSignedLeaf,
    /// The path ends in a self-signed certificate that is no trust anchor.
    UntrustedRoot,
    /// The issuer of the last certificate was neither sent nor is a trust anchor.
    MissingIssuer,
}
