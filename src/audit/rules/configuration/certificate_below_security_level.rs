//! `certificate-below-security-level`: an OpenSSL command sets a level that nginx's own certificate does not reach.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "certificate-below-security-level",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a certificate is below the security level that an OpenSSL command sets",
    why: "nginx loads certificates before it applies ssl_conf_command and proxy_ssl_conf_command. So nginx -t \
          passes, and then OpenSSL refuses to send the certificate: each handshake that needs it fails, the peer \
          gets the alert internal_error, and nginx logs at crit: ee key too small, ca key too small or ca md too \
          weak.",
    fix: "Replace the certificate with one whose key and signatures reach the level, or set a lower level \
          (@SECLEVEL) in the command, then reload. In ssl_ciphers, nginx -t would refuse the level.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::CertificateBelowLevel {
            file: "/etc/nginx/a.pem".to_owned(),
            level: 3,
            reason: "ee key too small",
            is_client: false,
        })
    }
}
