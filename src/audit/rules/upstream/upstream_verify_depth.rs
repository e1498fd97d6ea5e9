//! `upstream-verify-depth`: the upstream's chain is longer than nginx follows.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::fault;
use crate::audit::upstream::story::Story;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-verify-depth",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "the upstream's chain is longer than nginx follows",
    why: "proxy_ssl_verify_depth is 1 by default: one intermediate between the certificate and the \
          root. With more, OpenSSL 3 reports error 20, which reads as if the issuer were unknown.",
    fix: "Raise the depth to the number of intermediates, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify_depth",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    fault::check(&RULE, story, cx)
}
