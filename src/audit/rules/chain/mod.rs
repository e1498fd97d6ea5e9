//! Rules about the certificates sent with the leaf: whether they lead to a trust anchor, and which are not needed.

pub mod chain_contains_root;
pub mod chain_duplicate_certificate;
pub mod chain_incomplete;
pub mod chain_misordered;
pub mod chain_unrelated_certificate;
pub mod intermediate_expired;
pub mod intermediate_expiring;
pub mod leaf_not_first;
pub mod self_signed;
pub mod untrusted_issuer;

use super::of_certificate;
use crate::audit::finding::Finding;
use crate::audit::rule::{Context, ObservedChain, Rule, day};
use crate::certificate::Certificate;

/// The finding about the end of an intermediate, which has come or is near.
fn of_end(
    rule: &Rule,
    expires: &str,
    (index, certificate): (usize, &Certificate),
    view: &ObservedChain<'_>,
    cx: &Context<'_>,
) -> Finding {
    let (name, end) = (&certificate.subject.text, day(certificate.not_after));
    of_certificate(rule, format!("the intermediate {name} {expires} on {end}"), (index, view), cx)
}
