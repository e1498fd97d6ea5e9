//! `ssl-name-not-sent`: a name is set for the upstream but not sent.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-name-not-sent",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "a name is set for the upstream but not sent",
    why: "nginx sends proxy_ssl_name only with proxy_ssl_server_name on. Without it, an upstream that serves several \
          names presents its default certificate or refuses the connection.",
    fix: "Set proxy_ssl_server_name on next to proxy_ssl_name. Check with nginx -t, then \
          reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
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
        setting(FactKind::NameNotSent { is_verified: true })
    }
}
