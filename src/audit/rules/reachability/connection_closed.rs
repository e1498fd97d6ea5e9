//! `connection-closed`: the server closes the connection without an alert.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "connection-closed",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the server closes every connection during the handshake",
    why: "The server closes the connection without an alert before the handshake is complete. Typical reasons: a server \
          without a certificate, a load balancer without a backend, a listener that expects the PROXY protocol. If it is an \
          upstream, nginx logs peer closed connection in SSL handshake and answers 502.",
    fix: "Read the server's log. Check that the name is right (--server-name) and that the port speaks TLS from the first byte.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
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
        Trouble::Closed,
        (
            "the server closes every connection during the handshake",
            "connections are closed during the handshake",
        ),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Handshake, &Cause::Closed)
    }
}
