//! Trust: the anchors, and the verdicts on a chain.

pub mod browser;
mod issuer;
pub mod openssl;
pub mod problem;
mod purpose;
mod question;
mod revocation;
pub mod store;

use std::sync::Arc;

use time::OffsetDateTime;

use self::browser::BrowserVerdict;
use self::openssl::OpensslVerdict;
use self::problem::PathProblem;
pub use self::purpose::Purpose;
pub use self::store::TrustStore;
use super::cache::Memory;
use super::chain::Chain;
use super::shape::ChainShape;
use super::signature::Verifier;

/// The assessment of a chain from its certificates alone, at one time and against one store.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The structure of the chain.
    pub shape: ChainShape,
    /// Whether a browser-like client accepts the chain (a server like it, where the certificate is a client's), names left aside.
    pub browser: BrowserVerdict,
    /// The verdict of nginx as the peer, with its defaults and these roots as its trusted file.
    pub nginx: OpensslVerdict,
    /// Why there is no path to an anchor, if there is none, without regard to dates.
    pub problem: Option<PathProblem>,
}

/// Assesses chains against one store at one time; a known chain is not verified again.
#[derive(Debug)]
pub struct Assessor {
    store: Arc<TrustStore>,
    now: OffsetDateTime,
    purpose: Purpose,
    known: Memory<Assessment>,
}

impl Assessor {
    /// An assessor of servers' certificates, with an empty cache.
    pub fn new(store: Arc<TrustStore>, now: OffsetDateTime) -> Self {
        Self::of(Purpose::Server, store, now)
    }

    /// An assessor of certificates that are used for this purpose.
    pub fn of(purpose: Purpose, store: Arc<TrustStore>, now: OffsetDateTime) -> Self {
        Self { store, now, purpose, known: Memory::default() }
    }

    /// The anchors that chains are verified against.
    pub fn store(&self) -> &TrustStore {
        &self.store
    }

    /// The same, to be kept.
    pub fn shared_store(&self) -> Arc<TrustStore> {
        Arc::clone(&self.store)
    }

    /// The verdicts over `chain`.
    pub fn assess(&self, chain: &Chain) -> Arc<Assessment> {
        self.known.get_or_insert(chain.digest, || {
            let verifier = Verifier::default();
            let shape = ChainShape::of(chain, &self.store, &verifier);
            let (store, now) = (&self.store, self.now);
            let judged = openssl::Question { chain, store, lists: None, now };
            let browser = browser::verify(judged, self.purpose, &verifier);
            let profile = openssl::VerifyProfile {
                purpose: self.purpose,
                ..openssl::VerifyProfile::default()
            };
            let nginx = openssl::verify(judged, profile, &verifier);
            let problem = PathProblem::of(chain, &shape, &self.store);
            Assessment { shape, browser, nginx, problem }
        })
    }
}
