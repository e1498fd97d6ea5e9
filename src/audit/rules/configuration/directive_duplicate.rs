//! `directive-duplicate`: something that nginx allows once is configured twice.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-duplicate",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "something that nginx allows once is configured twice",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one. Often the second one comes from an included file.",
    fix: "Remove one of the two; check the included files as well. Check with nginx \
          -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_core_module.html"],
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
    use crate::nginx::problem::Fault;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::Refused(Fault::Duplicate("ssl_ciphers".to_owned())))
    }
}
