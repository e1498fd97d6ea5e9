//! `network-unreachable`: from here the address cannot be reached.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "network-unreachable",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "no route leads to the address",
    why: "This machine has no route to the address. For an IPv6 address that usually means that this machine \
          has no IPv6, which says nothing about the server.",
    fix: "Audit from a machine that can reach it, or leave the family out on purpose: -4 for IPv4 only, -6 for \
          IPv6 only.",
    references: &["RFC 4291"],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::Unreachable,
        ("no route leads to the server", "connections find no route"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::audit::fixtures::check_untested;
    use crate::observation::{Cause, Stage};

    #[test]
    fn it_is_never_a_pass() {
        check_untested(RULE.id, Stage::Connect, &Cause::Unreachable("x".to_owned()));
    }
}
