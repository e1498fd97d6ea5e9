//! `not-tested`: this machine could not make the connections.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "not-tested",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "the endpoint was not tested",
    why: "The run ended before the endpoint was tested, or this machine ran out of file descriptors or ports. This says \
          nothing about the endpoint.",
    fix: "Run again with fewer targets at once (--concurrency) or more time (--run-timeout).",
    references: &["getrlimit(2)"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::NotTested,
        ("the endpoint was not tested", "connections could not be opened by this machine"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, Stage};

    pub(super) fn specimen() -> Vec<Finding> {
        failing(Stage::Connect, &Cause::Local("too many open files".to_owned()))
    }
}
