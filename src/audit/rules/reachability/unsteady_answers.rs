//! `unsteady-answers`: identical connections end differently.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::one_after_another;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Endpoint, Steadiness};

pub(crate) const RULE: Rule = Rule {
    id: "unsteady-answers",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "identical connections end differently",
    why: "The same hello succeeds once and fails the next time. Either several servers share the address and are configured \
          differently, or a rate limit cuts off some connections. The other findings hold only for the connections that \
          were answered.",
    fix: "Probe each server separately (NAME:PORT:CONNECT-HOST:CONNECT-PORT) and compare the reports. If there is a rate \
          limit, go slower: --rate 1.",
    references: &["RFC 8446 section 6.2"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Steadiness::Unsteady(failure) = &endpoint.steadiness else { return Verdict::Pass };
    RULE.finds("identical connections end differently: some succeed, others fail")
        .evidence(format!("{}, sometimes: {} ({})", endpoint.address, failure.cause, failure.stage))
        .reproduce(one_after_another(cx.target, Some(endpoint.address)))
        .could_not_test()
        .into()
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
