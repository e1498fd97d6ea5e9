//! The leaf itself, and the keys and signatures of its path.

pub mod certificate_differs_by_address;
pub mod certificate_expired;
pub mod certificate_expiring;
pub mod certificate_not_yet_valid;
pub mod certificate_refused;
pub mod certificate_unreadable;
pub mod certificate_without_san;
pub mod handshake_signature_invalid;
pub mod hostname_mismatch;
pub mod key_mismatch;
pub mod lifetime_too_long;
pub mod must_staple_unmet;
pub mod server_auth_missing;
pub mod weak_key;
pub mod weak_signature;
