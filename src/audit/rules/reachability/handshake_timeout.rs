//! `handshake-timeout`: the server accepts the connection and then does not answer.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "handshake-timeout",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "the TLS handshake times out",
    why: "The TCP connection succeeds, but the server does not answer the hello. It may wait for something else first (a \
          PROXY protocol header, plain text) or be overloaded, or a device on the way may drop the hello. If it is an \
          upstream, nginx answers 504.",
    fix: "Check what listens on the port. Raise --handshake-timeout if the server is slow. Use --starttls if the protocol \
          starts in plain text.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_connect_timeout",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::HandshakeTimeout,
        ("the TLS handshake times out", "TLS handshakes time out"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Handshake, &Cause::TimedOut)
    }
}
