//! `directive-value-invalid`: a directive has a value or a number of arguments that nginx does not accept.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-value-invalid",
    severity: Severity::Error,
    section: Section::Prevention,
    summary: "a directive has a value or a number of arguments that nginx does not accept",
    why: "nginx refuses the whole configuration: it does not start, and at a reload it keeps \
          running with the old one.",
    fix: "Use a value that the documentation of the directive lists. Check with nginx -t, then \
          reload.",
    references: &[
        "https://nginx.org/en/docs/dirindex.html",
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
    use crate::nginx::facts::FactKind;
    use crate::nginx::problem::Fault;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::Refused(Fault::InvalidValue("TLSv1.4".to_owned())))
    }
}
