//! `ssl-stapling-ignored`: stapling is on, and the certificate names no OCSP responder.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-stapling-ignored",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "ssl_stapling is on, and the certificate names no OCSP responder",
    why: "nginx has no responder to ask, so it staples nothing, and warns at every start: \"ssl_stapling\" ignored, \
          no OCSP responder URL in the certificate. Let's Encrypt has named none since 2025; clients use revocation \
          lists instead.",
    fix: "Remove ssl_stapling and ssl_stapling_verify, or set them only in servers whose certificate names a responder. \
          Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_stapling"],
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
        setting(FactKind::StaplingIgnored { certificate: "/etc/nginx/tls/a.pem".to_owned() })
    }
}
