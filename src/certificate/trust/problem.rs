//! Why a chain reaches no anchor, told apart as far as the certificates themselves allow.

use super::TrustStore;
use crate::certificate::chain::Chain;
use crate::certificate::parse::Certificate;
use crate::certificate::shape::{PathEnd, Shape};

/// Why there is no path from the leaf to an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// The server left out a certificate between its own and the anchor.
    MissingIntermediate,
    /// The leaf signed itself.
    SelfSigned,
    /// The path ends below or in an authority that is no anchor.
    UnknownIssuer,
}

impl PathProblem {
    /// The problem with a chain of this shape; `None` where it reaches an anchor.
    pub(super) fn of(chain: &Chain, shape: &Shape, store: &TrustStore) -> Option<Self> {
        match shape.end {
            PathEnd::Anchored => None,
            PathEnd::SelfSignedLeaf => Some(Self::SelfSigned),
            PathEnd::UntrustedRoot => Some(Self::UnknownIssuer),
            PathEnd::MissingIssuer => {
                shape.top(chain).map(|top| missing_or_unknown(top, shape, store))
            }
        }
    }
}

/// The issuer is neither sent nor trusted: is it an intermediate that was forgotten, or an authority that is foreign?
///
/// Nothing in the certificates proves it, so this goes by what authorities do. A public authority names in every
/// certificate where its issuer can be fetched. A private one seldom does; for it, a chain with an intermediate in it
/// was put together by someone who knew how, and a leaf alone, issued by something that is a root by its own name or
/// belongs to another organisation than every anchor, comes from a foreign authority.
fn missing_or_unknown(top: &Certificate, shape: &Shape, store: &TrustStore) -> PathProblem {
    let fetchable = !top.ca_issuers.is_empty();
    let alone = shape.path.len() == 1;
    let missing = if store.public { fetchable && alone } else { alone && !is_foreign(top, store) };
    if missing { PathProblem::MissingIntermediate } else { PathProblem::UnknownIssuer }
}

fn is_foreign(top: &Certificate, store: &TrustStore) -> bool {
    let issuer = &top.issuer.text;
    let names_root =
        attribute(issuer, "CN").is_some_and(|name| name.to_ascii_lowercase().contains("root"));
    let organisation = attribute(issuer, "O");
    let known = |anchor: &Certificate| attribute(&anchor.subject.text, "O") == organisation;
    names_root || (organisation.is_some() && !store.certificates.iter().any(|anchor| known(anchor)))
}

/// An attribute of a name in text form, as `CN=…, O=…`.
fn attribute<'a>(name: &'a str, key: &str) -> Option<&'a str> {
    name.split(", ").find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
}
