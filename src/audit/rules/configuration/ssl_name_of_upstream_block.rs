//! `ssl-name-of-upstream-block`: the name of an upstream block is sent or verified as the host name.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "ssl-name-of-upstream-block",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "the name of an upstream block is sent or verified as the host name",
    why: "Without proxy_ssl_name nginx uses the host in proxy_pass, here the name of an upstream block. Certificates \
          do not cover such names.",
    fix: "Set proxy_ssl_name to a name that the upstream's certificate covers. Check with \
          nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name"],
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
        setting(FactKind::GroupName { name: "backend".to_owned() })
    }
}
