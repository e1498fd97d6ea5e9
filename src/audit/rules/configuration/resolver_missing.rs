//! `resolver-missing`: a host name is resolved at run time, and no resolver is configured.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "resolver-missing",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "a host name is resolved at run time, and no resolver is configured",
    why: "A proxy_pass with variables looks up its host while nginx runs. Without resolver \
          every request fails with 502 (no resolver defined to resolve).",
    fix: "Set resolver to the address of a DNS server, or add an upstream block with that name. \
          Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver"],
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
        setting(FactKind::ResolverMissing { host: "backend.test".to_owned() })
    }
}
