//! `directive-misplaced`: a directive is in a block where nginx does not allow it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-misplaced",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a directive is in a block where nginx does not allow it",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Move the directive to a block that the documentation lists as its context. Check \
          with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/dirindex.html"],
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
        setting(FactKind::Refused(Fault::NotAllowed("proxy_pass".to_owned())))
    }
}
