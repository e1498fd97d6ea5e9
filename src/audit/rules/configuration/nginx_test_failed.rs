//! `nginx-test-failed`: nginx -t refuses the configuration.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "nginx-test-failed",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "nginx -t refuses the configuration",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one. The message comes from the nginx binary.",
    fix: "Correct what the message names. Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/switches.html"],
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
        setting(FactKind::TestFailed {
            words: "host not found in upstream \"backend.test\"".to_owned(),
        })
    }
}
