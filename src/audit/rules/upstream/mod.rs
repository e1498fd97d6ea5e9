//! nginx as the client of an upstream: whether its handshake works as configured, and which directive fixes it.

pub(crate) mod crl_expired;
pub(crate) mod crl_expiring;
pub(crate) mod crl_missing;
pub(crate) mod upstream_cipher_mismatch;
pub(crate) mod upstream_client_certificate;
pub(crate) mod upstream_client_certificate_unfit;
pub(crate) mod upstream_handshake_failed;
pub(crate) mod upstream_name_mismatch;
pub(crate) mod upstream_protocol_default;
pub(crate) mod upstream_protocol_mismatch;
pub(crate) mod upstream_scheme_mismatch;
pub(crate) mod upstream_sni_missing;
pub(crate) mod upstream_untrusted;
pub(crate) mod upstream_verify_depth;
pub(crate) mod upstream_verify_off;
