//! Every rule, one line each, by family. A test holds this list against the files in `rules/`.

use super::rule::Rule;
use super::rules::{
    certificate, chain, client_certificate, configuration, protocol, reachability, session, sni,
    upstream,
};

/// All rules, in the order in which reports and documents show them.
pub const RULES: &[&Rule] = &[
    &sni::sni_required::RULE,
    &sni::sni_name_rejected::RULE,
    &sni::sni_different_certificate::RULE,
    &protocol::tls12_unsupported::RULE,
    &protocol::tls13_unsupported::RULE,
    &protocol::protocol_unexpected::RULE,
    &protocol::legacy_protocol_only::RULE,
    &protocol::legacy_protocol_accepted::RULE,
    &protocol::legacy_cipher_only::RULE,
    &protocol::cipher_mismatch::RULE,
    &protocol::handshake_refused::RULE,
    &protocol::alpn_mismatch::RULE,
    &protocol::weak_cipher_accepted::RULE,
    &protocol::no_forward_secrecy::RULE,
    &protocol::weak_dh::RULE,
    &protocol::compression_accepted::RULE,
    &protocol::post_quantum_unsupported::RULE,
    &protocol::client_profile_fails::RULE,
    &protocol::policy_deviation::RULE,
    &certificate::certificate_expired::RULE,
    &certificate::certificate_not_yet_valid::RULE,
    &certificate::certificate_expiring::RULE,
    &certificate::hostname_mismatch::RULE,
    &certificate::certificate_without_san::RULE,
    &certificate::weak_key::RULE,
    &certificate::weak_signature::RULE,
    &certificate::server_auth_missing::RULE,
    &certificate::certificate_refused::RULE,
    &certificate::certificate_unreadable::RULE,
    &certificate::handshake_signature_invalid::RULE,
    &certificate::certificate_differs_by_address::RULE,
    &certificate::served_certificate_stale::RULE,
    &certificate::key_mismatch::RULE,
    &certificate::lifetime_too_long::RULE,
    &certificate::must_staple_unmet::RULE,
    &certificate::sct_missing::RULE,
    &certificate::wildcard_unusable::RULE,
    &certificate::serial_malformed::RULE,
    &certificate::ocsp_staple_invalid::RULE,
    &certificate::certificate_revoked::RULE,
    &chain::chain_incomplete::RULE,
    &chain::chain_misordered::RULE,
    &chain::leaf_not_first::RULE,
    &chain::chain_contains_root::RULE,
    &chain::chain_unrelated_certificate::RULE,
    &chain::chain_duplicate_certificate::RULE,
    &chain::intermediate_expired::RULE,
    &chain::intermediate_expiring::RULE,
    &chain::self_signed::RULE,
    &chain::untrusted_issuer::RULE,
    &client_certificate::client_certificate_required::RULE,
    &client_certificate::client_certificate_rejected::RULE,
    &client_certificate::client_certificate_requested::RULE,
    &client_certificate::client_certificate_not_requested::RULE,
    &client_certificate::client_issuer_unacceptable::RULE,
    &upstream::upstream_sni_missing::RULE,
    &upstream::upstream_name_mismatch::RULE,
    &upstream::upstream_untrusted::RULE,
    &upstream::upstream_verify_depth::RULE,
    &upstream::upstream_protocol_mismatch::RULE,
    &upstream::upstream_protocol_default::RULE,
    &upstream::upstream_cipher_mismatch::RULE,
    &upstream::upstream_client_certificate::RULE,
    &upstream::upstream_handshake_failed::RULE,
    &upstream::upstream_verify_off::RULE,
    &configuration::configuration_refused::RULE,
    &configuration::configuration_ineffective::RULE,
    &configuration::configuration_doubtful::RULE,
    &session::session_resumption_unsupported::RULE,
    &reachability::connection_refused::RULE,
    &reachability::connect_timeout::RULE,
    &reachability::network_unreachable::RULE,
    &reachability::handshake_timeout::RULE,
    &reachability::not_tested::RULE,
    &reachability::dns_failure::RULE,
    &reachability::connection_reset::RULE,
    &reachability::connection_closed::RULE,
    &reachability::not_tls::RULE,
    &reachability::starttls_refused::RULE,
    &reachability::protocol_error::RULE,
];

/// The rule of that id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

/// The known id nearest to `id`, where one is near enough to be meant.
pub fn closest(id: &str) -> Option<&'static str> {
    RULES
        .iter()
        .map(|rule| (strsim::jaro_winkler(id, rule.id), rule.id))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}
