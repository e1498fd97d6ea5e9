//! `ssl-client-certificate-missing`: client certificates are verified without CA certificates.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-client-certificate-missing",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "client certificates are verified without CA certificates",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Set ssl_client_certificate to the CA certificates that issue your clients' \
          certificates. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client",
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
    use crate::nginx::defaults::NginxRelease;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::ClientCaMissing { trusted_since: Some(NginxRelease::new(1, 29, 4)) })
    }
}
