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
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::defaults::NginxRelease;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::TooNew {
            directive: "proxy_ssl_conf_command".to_owned(),
            since: NginxRelease::new(1, 19, 4),
            elsewhere: false,
        })
    }
}
