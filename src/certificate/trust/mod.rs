//! Trust: the anchors, and the verdicts over a chain, each by its name.

pub mod browser;

use std::sync::Arc;

use rustls_pki_types::TrustAnchor;
use time::OffsetDateTime;

use self::browser::BrowserVerdict;
use super::chain::{Chain, Shape};
use super::parse::Certificate;

/// The roots that end a path, and what people call this set.
#[derive(Debug)]
pub struct TrustStore {
    /// What to call it in a message: "the system's roots", "Mozilla's roots", a file's name.
    pub label: String,
    /// The anchors as webpki takes them.
    pub anchors: Vec<TrustAnchor<'static>>,
    /// The same anchors as certificates, where they were given as such (Mozilla's set holds names and keys only).
    pub certificates: Vec<Arc<Certificate>>,
    /// Whether these are public roots, whose authorities obey the CA/Browser Forum.
    pub public: bool,
}

/// All that the certificates themselves say about a chain, at one time and against one store.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// How the certificates hang together.
    pub shape: Shape,
    /// Whether a browser-like client accepts the chain, names left aside.
    pub browser: BrowserVerdict,
}

/// Assesses chains against one store at one time; a chain met before is not verified again.
#[derive(Debug)]
pub struct Assessor {
    store: Arc<TrustStore>,
    now: OffsetDateTime,
}

impl Assessor {
    /// An assessor with an empty memory.
    pub fn new(store: Arc<TrustStore>, now: OffsetDateTime) -> Self {
        Self { store, now }
    }

    /// The anchors that chains are held against.
    pub fn store(&self) -> &TrustStore {
        &self.store
    }

    /// The verdicts over `chain`.
    pub fn assess(&self, _chain: &Arc<Chain>) -> Arc<Assessment> {
        let _ = self.now;
        unimplemented!()
    }
}
