//! `upstream-protocol-mismatch`: nginx and the upstream share no protocol version.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::fault;
use crate::audit::upstream::story::Story;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-protocol-mismatch",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "nginx and the upstream share no protocol version",
    why: "proxy_ssl_protocols left TLS 1.3 out before nginx 1.23.4, and TLS 1.0 and 1.1 since \
          1.27.3. An upstream that speaks only what is missing ends the handshake, and nginx \
          answers 502.",
    fix: "List the versions that the upstream speaks, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_protocols",
        "RFC 8446 section 4.2.1",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    fault::check(&RULE, story, cx)
}
