//! `value-refused-by-openssl`: nginx's OpenSSL does not accept a value.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "value-refused-by-openssl",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "nginx's OpenSSL does not accept a value",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one. OpenSSL decides which cipher suites, groups and commands \
          exist, and this differs by release.",
    fix: "Use a value that this OpenSSL knows (openssl ciphers -v LIST, openssl list -tls-groups), or upgrade \
          OpenSSL. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_ecdh_curve",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command",
        "https://docs.openssl.org/3.0/man1/openssl-ciphers/",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Refused),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::LibraryRefuses {
            words: "SSL_CTX_set_cipher_list(\"NONE-SUCH\") failed".to_owned(),
        })
    }
}
