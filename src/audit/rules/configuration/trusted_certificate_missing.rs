//! `trusted-certificate-missing`: upstream certificates are verified without CA certificates.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "trusted-certificate-missing",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "upstream certificates are verified without CA certificates",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Set proxy_ssl_trusted_certificate (or that of the module in use) to the CA \
          certificates that issue the upstream's certificate. Check with nginx -t, then \
          reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_trusted_certificate",
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
        setting(FactKind::TrustMissing)
    }
}
