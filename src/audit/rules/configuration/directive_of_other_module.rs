//! `directive-of-other-module`: a setting belongs to a module that does not make this connection.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "directive-of-other-module",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "a setting belongs to a module that does not make this connection",
    why: "Each module uses only its own directives: proxy_ssl_* has no effect on grpc_pass, and grpc_ssl_* none on \
          proxy_pass.",
    fix: "Use the directive with the prefix of the module that makes the connection. Check \
          with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
        "https://nginx.org/en/docs/http/ngx_http_grpc_module.html",
    ],
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
        setting(FactKind::OtherModule {
            directive: "proxy_ssl_name".to_owned(),
            meant: "grpc_ssl_",
        })
    }
}
