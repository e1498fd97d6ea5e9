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
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::VerifySettingUnused { directive: "proxy_ssl_crl".to_owned() })
    }
}
