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
