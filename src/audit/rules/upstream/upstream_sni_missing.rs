//! `upstream-sni-missing`: nginx sends the upstream no server name, and cannot connect without it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::fault;
use crate::audit::upstream::story::Story;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-sni-missing",
    severity: Severity::Error,
    section: Section::Upstream,
    summary: "nginx sends the upstream no server name, and cannot connect without it",
    why: "The upstream serves several names and wants to know which one is meant. nginx sends none \
          unless it is told to, and answers every request with 502.",
    fix: "Switch SNI on in the location that proxies there, with the name that the upstream knows, \
          and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
        "RFC 6066 section 3",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    fault::check(&RULE, story, cx)
}
