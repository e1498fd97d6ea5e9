//! `verify-setting-unused`: a verification setting has no effect because verification is off.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "verify-setting-unused",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "a verification setting has no effect because verification is off",
    why: "The setting suggests that nginx verifies the upstream's certificate. It does not: nginx accepts any \
          certificate, and does not even open the file.",
    fix: "Set proxy_ssl_verify on (or that of the module in use), or remove the setting. \
          Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Ineffective),
};
