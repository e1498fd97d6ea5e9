//! `network-unreachable`: this machine has no route to the address.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "network-unreachable",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "there is no route to the address",
    why: "This machine has no route to the address. For an IPv6 address this usually means that the machine has no IPv6; \
          it says nothing about the server.",
    fix: "Run the audit on a machine that can reach the address, or exclude the address family: -4 tests only IPv4, -6 \
          only IPv6.",
    references: &["RFC 4291"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::Unreachable,
        ("there is no route to the server", "connections failed: no route"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Connect, &Cause::Unreachable("network is unreachable".to_owned()))
    }
}
