//! `tls13-suites-in-ciphers`: TLS 1.3 cipher suites are listed where only TLS 1.2 and older are configured.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "tls13-suites-in-ciphers",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "TLS 1.3 cipher suites are listed where only TLS 1.2 and older are configured",
    why: "ssl_ciphers and proxy_ssl_ciphers do not affect TLS 1.3: OpenSSL ignores those \
          names, and a list with nothing else is refused or leaves only TLS 1.3.",
    fix: "Set TLS 1.3 cipher suites with ssl_conf_command Ciphersuites (or \
          proxy_ssl_conf_command), and remove them from the list. Check with nginx -t, then \
          reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ciphers",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Ineffective),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::SuitesIgnored { suites: vec!["TLS_AES_128_GCM_SHA256".to_owned()] })
    }
}
