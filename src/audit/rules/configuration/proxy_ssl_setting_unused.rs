//! `proxy-ssl-setting-unused`: an upstream TLS setting has no effect because nginx connects to the upstream without
//! TLS.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "proxy-ssl-setting-unused",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "an upstream TLS setting has no effect because nginx connects to the upstream without TLS",
    why: "The setting suggests that nginx uses TLS to the upstream. It does not: proxy_pass uses http://, or \
          proxy_ssl is off in stream, so the data is not encrypted.",
    fix: "Use https:// in proxy_pass (in stream: set proxy_ssl on), or remove the setting. Check \
          with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
        "https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html#proxy_ssl",
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
    use crate::nginx::facts::{FactKind, Plain};

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::ProxySslUnused {
            directive: "proxy_ssl_verify".to_owned(),
            reason: Plain::Http,
        })
    }
}
