//! `upstream-cipher-mismatch`: nginx and the upstream cannot agree on how to encrypt.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::upstream::fault;
use crate::audit::upstream::story::Story;

pub(crate) const RULE: Rule = Rule {
    id: "upstream-cipher-mismatch",
    severity: Severity::Error,
    section: Section::ProtocolCipher,
    summary: "nginx and the upstream cannot agree on how to encrypt",
    why: "The upstream takes none of the suites of proxy_ssl_ciphers, or answers with a key or \
          signature that OpenSSL's security level forbids. nginx answers 502.",
    fix: "Better than the directive is an upstream that speaks what is current. Until then: widen \
          the list, and reload.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_ciphers",
        "https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/",
    ],
    consequence_of: &[],
    check: Check::Upstream(check),
};

fn check(story: &Story<'_>, cx: &Context<'_>) -> Verdict {
    fault::check(&RULE, story, cx)
}
