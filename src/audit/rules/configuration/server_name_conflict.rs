//! `server-name-conflict`: nginx drops a server name because another server has it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "server-name-conflict",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "nginx drops a server name because another server has it",
    why: "The first server with a name gets all requests for it; nginx only warns (conflicting server name).",
    fix: "Remove the name from one of the two servers, or give them different listen \
          addresses. Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/server_names.html"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{place, setting};
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::NameTaken { name: "a.test".to_owned(), first: place(1) })
    }
}
