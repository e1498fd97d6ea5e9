//! `server-without-certificate`: TLS settings belong to a server that has no certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "server-without-certificate",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "TLS settings belong to a server that has no certificate",
    why: "Without ssl_certificate, nginx keeps the default server's TLS settings for this \
          name: clients see its certificate, protocols and client verification.",
    fix: "Add ssl_certificate and ssl_certificate_key to the server, or remove its TLS \
          settings. Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate"],
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
        setting(FactKind::DefaultCertificate)
    }
}
