//! `unsteady-answers`: identical connections end differently.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::one_after_another;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Cause, Endpoint, Failure, Handshake, Observed, Steadiness};

pub(crate) const RULE: Rule = Rule {
    id: "unsteady-answers",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "identical connections end differently",
    why: "The same hello succeeds once and fails the next time. Either several servers share the address and are configured \
          differently, a rate limit cuts off some connections, or the server went away during the test. The other findings \
          hold only for the connections that were answered.",
    fix: "Probe each server separately (NAME:PORT:CONNECT-HOST:CONNECT-PORT) and compare the reports. If there is a rate \
          limit, go slower: --rate 1.",
    references: &["RFC 8446 section 6.2"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let (message, evidence) = match (&endpoint.steadiness, later_failure(endpoint)) {
        (Steadiness::Unsteady(failure), _) => (
            "identical connections end differently: some succeed, others fail",
            format!("{}, sometimes: {} ({})", endpoint.address, failure.cause, failure.stage),
        ),
        (_, Some((what, failure))) => (
            "connections succeeded, and a later one to the same address failed",
            format!("{}: {what}: {} ({})", endpoint.address, failure.cause, failure.stage),
        ),
        _ => return Verdict::Pass,
    };
    RULE.finds(message)
        .evidence(evidence)
        .reproduce(one_after_another(cx.target, Some(endpoint.address)))
        .could_not_test()
        .into()
}

/// What follows the matrix and failed, although every handshake of the matrix succeeded: the server went away, or began
/// to refuse this machine.
fn later_failure(endpoint: &Endpoint) -> Option<(String, &Failure)> {
    if !endpoint.handshakes.iter().all(Handshake::established) {
        return None;
    }
    let resumed = endpoint.handshakes.iter().find_map(|cell| match &cell.resumption {
        Observed::Failed(failure) => {
            Some((format!("a second connection over {}", cell.version), failure))
        }
        _ => None,
    });
    let browser = || {
        let failure = endpoint.browser.as_ref()?.whole.outcome.as_ref().err()?;
        let is_lost = !failure.is_silence_or_refusal();
        is_lost.then(|| ("the hello of a browser".to_owned(), failure))
    };
    let is_own = |failure: &Failure| matches!(failure.cause, Cause::Local(_) | Cause::Cancelled);
    resumed.or_else(browser).filter(|(_, failure)| !is_own(failure))
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Stage, Steadiness};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let failure = Failure { stage: Stage::Handshake, cause: Cause::Reset };
        scene.seen.endpoints[0].steadiness = Steadiness::Unsteady(failure);
        scene.judge().findings
    }
}
