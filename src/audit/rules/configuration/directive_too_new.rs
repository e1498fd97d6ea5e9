//! `directive-too-new`: a directive is newer than the installed nginx.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-too-new",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a directive is newer than the installed nginx",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Upgrade nginx to the release that the message names, or remove the directive. Check \
          with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/CHANGES",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Refused),
};
