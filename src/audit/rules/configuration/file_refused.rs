//! `file-refused`: nginx cannot read or use a file that the configuration names.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "file-refused",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "nginx cannot read or use a file that the configuration names",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Put the file in place, in the format that the directive expects, and make it \
          readable for the user that starts nginx. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
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
        setting(FactKind::Refused(Fault::Unreadable {
            path: "/etc/nginx/tls/a.pem".to_owned(),
            reason: "2: No such file or directory".to_owned(),
        }))
    }
}
