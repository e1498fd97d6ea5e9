//! `ssl-certificate-key-missing`: a certificate is configured without its key.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-certificate-key-missing",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a certificate is configured without its key",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Add one ssl_certificate_key (or proxy_ssl_certificate_key) for each certificate; it \
          may name the same file. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate_key",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_certificate_key",
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
        setting(FactKind::KeyMissing)
    }
}
