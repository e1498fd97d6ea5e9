//! `configuration-syntax`: nginx cannot parse the configuration.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-syntax",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "nginx cannot parse the configuration",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one. A missing semicolon or brace can make nginx complain \
          several lines further down.",
    fix: "Correct the line that the message names, or the end of the directive before it. \
          Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/beginners_guide.html#conf_structure"],
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
        setting(FactKind::Refused(Fault::UnexpectedEnd))
    }
}
