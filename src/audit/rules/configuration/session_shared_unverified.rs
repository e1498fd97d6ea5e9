//! `session-shared-unverified`: TLS sessions are shared with a place that verifies less.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "session-shared-unverified",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "TLS sessions are shared with a place that verifies less",
    why: "nginx caches sessions by upstream, not by location. A resumed session is not verified again, so an \
          upstream that the other place accepted without verification is accepted here too.",
    fix: "Use the same verification in all places that use this upstream, or set proxy_ssl_session_reuse off here. \
          Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_session_reuse",
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
        setting(FactKind::SharedSession { other: place(1) })
    }
}
