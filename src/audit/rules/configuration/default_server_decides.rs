//! `default-server-decides`: the default server's TLS setting applies instead of this one.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Group, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "default-server-decides",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the default server's TLS setting applies instead of this one",
    why: "nginx negotiates before it knows the server name, so the settings of the socket's \
          default server apply; clients get those, not the ones written here.",
    fix: "Move the setting to the default server of the socket, or give the server a listen \
          address of its own. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols",
        "https://nginx.org/en/docs/http/configuring_https_servers.html#name_based_https_servers",
    ],
    consequence_of: &[],
    check: Check::Setting(Group::Ineffective),
};
