//! `not-tested`: the fault is on this side.

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
    why: "The run ended, or this machine had no means left (file descriptors, ports), before the endpoint was \
          tested. It says nothing about the endpoint.",
    fix: "Run again, with fewer targets at once (--concurrency) or more time (--run-timeout).",
    references: &["getrlimit(2)"],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::NotTested,
        ("the endpoint was not tested", "connections could not be made by this machine"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, any, named};
    use crate::observation::{Cause, Stage};

    #[test]
    fn it_is_never_a_pass_and_never_hides_another_address() {
        let mut scene = Scene::new();
        scene.second_address();
        scene.fail(any, Stage::Connect, &Cause::Local("too many open files".to_owned()));
        scene.check(&["warning not-tested"]);
        assert!(!scene.judge().untested.is_empty());
    }

    #[test]
    fn one_failed_connection_is_enough() {
        let mut scene = Scene::new();
        scene.fail(
            |cell| named(cell) && cell.version.0 == 0x0303,
            Stage::Connect,
            &Cause::Local("too many open files".to_owned()),
        );
        scene.check(&["warning not-tested"]);
    }
}
