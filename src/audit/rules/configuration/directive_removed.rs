//! `directive-removed`: a directive no longer exists in the installed nginx.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-removed",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a directive no longer exists in the installed nginx",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps running with the old \
          one. nginx 1.25.1 removed the directive ssl: since then nginx -t reports an unknown directive.",
    fix: "Remove the directive. Replace ssl on with the ssl parameter of listen. Check with \
          nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/CHANGES",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl",
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
        setting(FactKind::Removed {
            directive: "ssl".to_owned(),
            since: NginxRelease::new(1, 25, 1),
        })
    }
}
