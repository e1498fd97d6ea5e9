//! `ssl-client-certificate-unused`: CA certificates for clients have no effect because clients are not verified.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-client-certificate-unused",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "CA certificates for clients have no effect because clients are not verified",
    why: "ssl_client_certificate suggests that clients must present a certificate. Without ssl_verify_client nginx \
          never asks for one, and accepts every client.",
    fix: "Set ssl_verify_client on (or optional), or remove ssl_client_certificate. Check \
          with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client"],
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
        setting(FactKind::ClientCaUnused)
    }
}
