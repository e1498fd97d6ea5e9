//! `configuration-untested`: a part of the configuration could not be tested.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-untested",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "a part of the configuration could not be tested",
    why: "Whether nginx accepts it depends on a file, a library or a release that is not known here, so it neither \
          passed nor failed.",
    fix: "Run shakedown on the machine where nginx runs, as a user who may read the files, \
          with --nginx-binary; or run nginx -t there.",
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
        setting(FactKind::Untested { reason: "the file is not in the dump".to_owned() })
    }
}
