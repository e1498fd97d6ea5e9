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
};
