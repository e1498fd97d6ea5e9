//! `connection-reset`: the server resets the connection before it answers.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "connection-reset",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the server resets every connection during the handshake",
    why: "The connection is reset before the server answers the hello. Firewalls, rate limits, load balancers that route \
          by name and gateways that do not know the name do this. If it is an upstream, nginx logs peer closed connection \
          in SSL handshake (104: Connection reset by peer) and answers 502.",
    fix: "Check that the name is right (--server-name). Check what is in front of the server: a firewall, a load balancer, \
          a listener that expects the PROXY protocol.",
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
        Trouble::Reset,
        (
            "the server resets every connection during the handshake",
            "connections are reset during the handshake",
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
        failing(Stage::Handshake, &Cause::Reset)
    }
}
