//! `default-server-decides`: the default server's TLS setting applies instead of this one.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "default-server-decides",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the default server's TLS setting applies instead of this one",
    why: "OpenSSL uses these settings before nginx knows the server name, so those of the socket's default server \
          apply, not the ones written here.",
    fix: "Move the setting to the default server of the socket, or give the server its own listen address. Check \
          with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/configuring_https_servers.html#name_based_https_servers",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Ineffective),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{place, setting};
    use crate::nginx::defaults::NginxRelease;
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::DefaultServerDecides {
            directive: "ssl_protocols",
            default: place(1),
            until: Some(NginxRelease::new(1, 29, 2)),
        })
    }
}
