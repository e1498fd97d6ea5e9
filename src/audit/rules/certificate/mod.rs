//! Rules about the leaf, and about the keys and signatures on its path.

pub mod certificate_differs_by_address;
pub mod certificate_expired;
pub mod certificate_expiring;
pub mod certificate_not_yet_valid;
pub mod certificate_refused;
pub mod certificate_revoked;
pub mod certificate_unreadable;
pub mod certificate_without_san;
pub mod handshake_signature_invalid;
pub mod hostname_mismatch;
pub mod key_mismatch;
pub mod lifetime_too_long;
pub mod must_staple_unmet;
pub mod ocsp_staple_invalid;
pub mod sct_missing;
pub mod serial_malformed;
pub mod served_certificate_stale;
pub mod server_auth_missing;
pub mod weak_key;
pub mod weak_signature;
pub mod wildcard_unusable;

use super::super::rule::Context;
use crate::certificate::ocsp::{self, StapleError, StapleStatus};
use crate::observation::{Endpoint, Handshake};

/// The results of the staples of one address for its certificates.
fn staples<'e>(
    endpoint: &'e Endpoint,
    cx: &Context<'e>,
) -> impl Iterator<Item = (&'e Handshake, Result<StapleStatus, StapleError>)> {
    let (now, store) = (cx.now, cx.store);
    cx.own_cells(endpoint).filter_map(move |cell| {
        let staple = cell.outcome.as_ref().ok()?.ocsp_staple.as_ref()?;
        let chain = cell.chain.as_ref()?;
        let leaf = chain.leaf()?;
        let known = chain.certificates.iter().chain(&store.certificates);
        let issuer = known.map(AsRef::as_ref).find(|one| one.subject.der == leaf.issuer.der);
        Some((cell, ocsp::check(staple, leaf, issuer, now)))
    })
}
