//! `session-shared-unverified`: TLS sessions are shared with a place that verifies less.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Group, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "session-shared-unverified",
    severity: Severity::Note,
    section: Section::Prevention,
    summary: "TLS sessions are shared with a place that verifies less",
    why: "nginx keeps sessions by upstream, not by location. A resumed session skips the \
          certificate, so what the other place accepted unverified passes here.",
    fix: "Verify alike in all places that use this upstream, or set proxy_ssl_session_reuse \
          off; here. Check with nginx -t, then reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_session_reuse",
    ],
    consequence_of: &[],
    check: Check::Setting(Group::Doubtful),
};
