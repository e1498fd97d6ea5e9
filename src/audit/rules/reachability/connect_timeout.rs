//! `connect-timeout`: nothing answers at the address.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "connect-timeout",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "the TCP connection times out",
    why: "Nothing answers: the host is down, or a firewall drops the packets. As an upstream, nginx waits for \
          proxy_connect_timeout (60 s by default) and answers 504.",
    fix: "Check the routes and firewalls between this machine and the server, or raise --connect-timeout.",
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
        Trouble::ConnectTimeout,
        ("the connection times out", "connections time out"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Connect, &Cause::TimedOut)
    }
}
