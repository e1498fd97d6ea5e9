//! Every rule, one per line, by family. A test compares this list with the files in `rules/`.

use super::rule::{Rule, RuleGroup};
use super::rules::{
    certificate, chain, client_certificate, configuration, protocol, quic, reachability, session,
    sni, upstream,
};

/// All rules, in the order in which reports and documents show them.
pub const RULES: &[&Rule] = &[
    &sni::sni_required::RULE,
    &sni::sni_name_rejected::RULE,
    &sni::sni_different_certificate::RULE,
    &protocol::tls12_unsupported::RULE,
    &protocol::tls13_unsupported::RULE,
    &protocol::protocol_unexpected::RULE,
    &protocol::served_settings_stale::RULE,
    &protocol::legacy_protocol_only::RULE,
    &protocol::legacy_protocol_accepted::RULE,
    &protocol::legacy_cipher_only::RULE,
    &protocol::cipher_mismatch::RULE,
    &protocol::handshake_refused::RULE,
    &protocol::large_hello_fails::RULE,
    &protocol::alpn_mismatch::RULE,
    &protocol::weak_cipher_accepted::RULE,
    &protocol::no_forward_secrecy::RULE,
    &protocol::weak_dh::RULE,
    &protocol::compression_accepted::RULE,
    &protocol::post_quantum_unsupported::RULE,
    &protocol::client_profile_fails::RULE,
    &protocol::clients_lost::RULE,
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
    &client_certificate::client_auth_missing::RULE,
    &client_certificate::client_certificate_unverifiable::RULE,
    &client_certificate::client_ca_unnamed::RULE,
    &upstream::upstream_scheme_mismatch::RULE,
    &upstream::upstream_sni_missing::RULE,
    &upstream::upstream_name_mismatch::RULE,
    &upstream::upstream_untrusted::RULE,
    &upstream::upstream_verify_depth::RULE,
    &upstream::crl_expired::RULE,
    &upstream::crl_expiring::RULE,
    &upstream::crl_missing::RULE,
    &upstream::upstream_protocol_mismatch::RULE,
    &upstream::upstream_protocol_default::RULE,
    &upstream::upstream_cipher_mismatch::RULE,
    &upstream::upstream_client_certificate::RULE,
    &upstream::upstream_client_certificate_unfit::RULE,
    &upstream::upstream_handshake_failed::RULE,
    &upstream::upstream_verify_off::RULE,
    &configuration::configuration_syntax::RULE,
    &configuration::directive_unknown::RULE,
    &configuration::directive_misplaced::RULE,
    &configuration::directive_duplicate::RULE,
    &configuration::directive_value_invalid::RULE,
    &configuration::directive_too_new::RULE,
    &configuration::directive_removed::RULE,
    &configuration::file_refused::RULE,
    &configuration::value_refused_by_openssl::RULE,
    &configuration::ssl_certificate_missing::RULE,
    &configuration::ssl_certificate_key_missing::RULE,
    &configuration::ssl_client_certificate_missing::RULE,
    &configuration::trusted_certificate_missing::RULE,
    &configuration::nginx_test_failed::RULE,
    &configuration::configuration_untested::RULE,
    &configuration::configuration_not_loaded::RULE,
    &configuration::upgrade_not_running::RULE,
    &configuration::default_server_decides::RULE,
    &configuration::server_without_certificate::RULE,
    &configuration::verify_setting_unused::RULE,
    &configuration::proxy_ssl_setting_unused::RULE,
    &configuration::ssl_client_certificate_unused::RULE,
    &configuration::ssl_stapling_ignored::RULE,
    &configuration::tls13_suites_in_ciphers::RULE,
    &configuration::conf_command_overrides::RULE,
    &configuration::directive_of_other_module::RULE,
    &configuration::annotation_ignored::RULE,
    &configuration::controller_differs::RULE,
    &configuration::certificate_below_security_level::RULE,
    &configuration::server_name_conflict::RULE,
    &configuration::listen_443_without_ssl::RULE,
    &configuration::listen_ssl_conflict::RULE,
    &configuration::proxy_pass_http_to_443::RULE,
    &configuration::ssl_name_not_sent::RULE,
    &configuration::ssl_name_of_upstream_block::RULE,
    &configuration::upstream_server_port_80::RULE,
    &configuration::resolver_missing::RULE,
    &configuration::session_shared_unverified::RULE,
    &configuration::session_shared_identity::RULE,
    &session::session_resumption_unsupported::RULE,
    &quic::quic_unreachable::RULE,
    &quic::http3_refused::RULE,
    &quic::quic_certificate_differs::RULE,
    &quic::http3_not_advertised::RULE,
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
    &reachability::turned_away::RULE,
    &reachability::connections_limited::RULE,
    &reachability::unsteady_answers::RULE,
    &reachability::addresses_untested::RULE,
    &reachability::scan_withheld::RULE,
    &reachability::protocol_error::RULE,
];

/// The rule with that id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

/// A rule or a group of rules that the user named.
#[derive(Clone, Copy, Debug)]
pub enum RuleOrGroup {
    /// One rule.
    Rule(&'static Rule),
    /// A group.
    Group(RuleGroup),
}

impl RuleOrGroup {
    /// The rule or group with that name.
    pub fn find(name: &str) -> Option<Self> {
        let group = RuleGroup::ALL.into_iter().find(|group| group.id() == name);
        find(name).map(Self::Rule).or(group.map(Self::Group))
    }

    /// The name.
    pub fn id(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.id,
            Self::Group(group) => group.id(),
        }
    }

    /// Whether it includes this rule.
    pub fn covers(self, id: &str) -> bool {
        match self {
            Self::Rule(rule) => rule.id == id,
            Self::Group(group) => find(id).and_then(Rule::group) == Some(group),
        }
    }
}

impl PartialEq for RuleOrGroup {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for RuleOrGroup {}

/// The rules of a group.
pub fn members(group: RuleGroup) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().copied().filter(move |rule| rule.group() == Some(group))
}

/// The rule or group whose name is closest to `id`, if one is close enough.
pub fn closest(id: &str) -> Option<&'static str> {
    let groups = RuleGroup::ALL.into_iter().map(RuleGroup::id);
    RULES
        .iter()
        .map(|rule| rule.id)
        .chain(groups)
        .map(|known| (strsim::jaro_winkler(id, known), known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}
