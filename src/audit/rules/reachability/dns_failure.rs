//! `dns-failure`: the name has no address.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{looked_up, resolve};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::{Addresses, Cause, Failure, Observation};

pub(crate) const RULE: Rule = Rule {
    id: "dns-failure",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "the name cannot be resolved",
    why: "There is no address to connect to. nginx resolves the names of its upstreams when it starts. If the name does \
          not resolve, nginx does not start (host not found in upstream); a running nginx keeps using the old addresses.",
    fix: "Correct the name or its DNS records. If the addresses of an upstream change, put its name in a variable and set \
          resolver: then nginx resolves it again.",
    references: &["https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver"],
    consequence_of: &[],
    check: Check::Target(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(seen: &Observation, cx: &Context<'_>) -> Verdict {
    match &seen.addresses {
        Addresses::NotTried(_) => Verdict::NotApplicable,
        Addresses::Failed(Failure {
            cause: cause @ (Cause::DnsFailure(_) | Cause::TimedOut),
            ..
        }) => RULE
            .finds(format!("the name {} cannot be resolved", looked_up(cx.target)))
            .evidence(cause.to_string())
            .reproduce(resolve(cx.target))
            .could_not_test()
            .into(),
        Addresses::Failed(failure) => Verdict::Untested(failure.cause.to_string()),
        Addresses::Found(_) if seen.endpoints.is_empty() => RULE
            .finds(format!("the name {} has no address", looked_up(cx.target)))
            .reproduce(resolve(cx.target))
            .could_not_test()
            .into(),
        Addresses::Found(_) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Addresses, Cause, Failure, Observation, Stage, Untried};

    pub(super) fn specimen() -> Vec<Finding> {
        unresolved(Cause::DnsFailure("no such host".to_owned())).judge().findings
    }

    fn unresolved(cause: Cause) -> Scene {
        let mut scene = Scene::new();
        scene.seen.addresses = Addresses::Failed(Failure { stage: Stage::Dns, cause });
        scene.seen.endpoints.clear();
        scene
    }

    #[test]
    fn a_target_that_the_run_never_reached_is_untested() {
        let mut scene = Scene::new();
        scene.seen = Observation::not_tried(Untried::Cancelled);
        scene.check(&[]);
        let reason = "the run ended first".to_owned();
        assert_eq!(scene.judge().untested, [("not-tested", reason)]);
    }

    #[test]
    fn a_name_without_addresses_is_not_a_pass() {
        let mut scene = Scene::new();
        scene.seen.addresses = Addresses::Found(Vec::new());
        scene.seen.endpoints.clear();
        scene.check(&["warning dns-failure"]);
        assert!(!scene.judge().untested.is_empty());
    }
}
