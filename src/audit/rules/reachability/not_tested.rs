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
    use super::RULE;
    use crate::audit::fixtures::check_untested;
    use crate::observation::{Cause, Stage};

    #[test]
    fn it_is_never_a_pass() {
        check_untested(RULE.id, Stage::Connect, &Cause::Local("too many open files".to_owned()));
    }
}
