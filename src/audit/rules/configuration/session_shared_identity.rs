//! `session-shared-identity`: TLS sessions are shared with a place that uses another client certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "session-shared-identity",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "TLS sessions are shared with a place that uses another client certificate",
    why: "nginx caches sessions by upstream, not by location. A resumed session keeps the client certificate of the \
          connection that created it.",
    fix: "Use the same client certificate in all places that use this upstream, or set proxy_ssl_session_reuse off. \
          Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_session_reuse",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_certificate",
    ],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Doubtful),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{place, setting};
    use crate::nginx::facts::FactKind;

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::SharedIdentity { other: place(1) })
    }
}
