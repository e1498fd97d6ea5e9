//! `connection-refused`: nothing listens on the port.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "connection-refused",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "nothing listens at the address",
    why: "The TCP connection is refused: the server is down, it listens on another port, or a firewall refuses the \
          connection. If it is an upstream, nginx logs connect() failed (111: Connection refused) and answers 502.",
    fix: "Start the server, correct the port (a server line in an upstream block means port 80 by default, even with \
          https), or remove the address from DNS.",
    references: &["https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::ConnectionRefused,
        ("the connection is refused", "connections are refused"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Connect, &Cause::ConnectionRefused)
    }
}
