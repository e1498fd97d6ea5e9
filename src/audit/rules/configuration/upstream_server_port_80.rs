//! `upstream-server-port-80`: a server of a TLS upstream has no port, so nginx uses port 80.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "upstream-server-port-80",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "a server of a TLS upstream has no port, so nginx uses port 80",
    why: "The default port of a server in an upstream block is 80, whatever the scheme in proxy_pass, and there is \
          rarely TLS on port 80.",
    fix: "Add the port (server HOST:443). Check with nginx -t, then reload.",
    references: &["https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::Port80)
    }
}
