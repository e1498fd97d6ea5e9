//! `ssl-certificate-missing`: a TLS server has no certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-certificate-missing",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a TLS server has no certificate",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Add ssl_certificate and ssl_certificate_key to the server, or set ssl_reject_handshake on if no handshake \
          should succeed. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake",
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
        setting(FactKind::CertificateMissing)
    }
}
