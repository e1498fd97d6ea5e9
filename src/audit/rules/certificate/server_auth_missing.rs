//! `server-auth-missing`: an extended key usage without serverAuth.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "server-auth-missing",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate is not meant for servers",
    why: "Its extended key usage does not include server authentication, so clients refuse it. nginx as a client \
          logs verify error 26 (unsuitable certificate purpose).",
    fix: "Have a certificate issued with the serverAuth purpose, and reload.",
    references: &["RFC 5280 section 4.2.1.12"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let Some(usage) = leaf.extended_key_usage else {
        return Verdict::Pass;
    };
    if usage.server_auth || usage.any {
        return Verdict::Pass;
    }
    RULE.finds("the certificate is not meant for servers: its extended key usage lacks serverAuth")
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(leaf_of(&with_own_name(cx.target, view.address()), "-ext extendedKeyUsage"))
        .into()
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene
            .issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
        scene.judge().findings
    }

    #[test]
    fn no_restriction_is_none() {
        let mut scene = Scene::new();
        scene.issue(|params| params.extended_key_usages.clear());
        scene.check(&[]);
    }
}
