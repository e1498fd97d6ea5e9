//! `directive-unknown`: the configuration uses a directive, variable or log format that nginx does not know.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-unknown",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "the configuration uses a directive, variable or log format that nginx does not know",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one. It is misspelt, or belongs to a module that is not loaded.",
    fix: "Correct the spelling, or load the module that provides it. Check with nginx -t, then \
          reload.",
    references: &[
        "https://nginx.org/en/docs/dirindex.html",
        "https://nginx.org/en/docs/varindex.html",
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
    use crate::nginx::facts::FactKind;
    use crate::nginx::problem::Fault;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::Refused(Fault::UnknownDirective("proxy_ssl_verfy".to_owned())))
    }
}
