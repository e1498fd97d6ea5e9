//! `conf-command-overrides`: an OpenSSL command overrides the protocols directive.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "conf-command-overrides",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "an OpenSSL command overrides the protocols directive",
    why: "nginx applies ssl_conf_command last, so the protocol versions are those of the command, not of the \
          directive.",
    fix: "Set the versions in one place: ssl_protocols (or proxy_ssl_protocols). Check with \
          nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_conf_command"],
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
        setting(FactKind::CommandWins {
            directive: "ssl_protocols".to_owned(),
            command: "MinProtocol TLSv1.2".to_owned(),
        })
    }
}
