//! `listen-443-without-ssl`: port 443 is served without TLS.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "listen-443-without-ssl",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "port 443 is served without TLS",
    why: "Clients expect TLS on port 443; their handshakes fail, and nginx logs status 400 because it reads the \
          hello as an invalid request.",
    fix: "Add the ssl parameter to listen, and a certificate to the server. Check with nginx \
          -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#example"],
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
        setting(FactKind::PlainOn443)
    }
}
