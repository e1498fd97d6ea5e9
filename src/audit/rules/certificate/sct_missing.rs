//! `sct-missing`: a public certificate without proof that it is in a Certificate Transparency log.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "sct-missing",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the public certificate contains no Certificate Transparency timestamps",
    why: "Chrome and Safari refuse certificates of public authorities without these timestamps (SCTs). Every public \
          authority embeds them by default. A server can also send them in the handshake, with a special module; \
          this probe does not see those.",
    fix: "Have the certificate issued again without opting out of Certificate Transparency, and reload.",
    references: &["RFC 6962 section 3.3"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let public = cx.store.public && leaf.public_policy && view.assessment.problem.is_none();
    if !public || cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    if leaf.sct_count > 0 {
        return Verdict::Pass;
    }
    RULE.finds("the public certificate contains no Certificate Transparency timestamps")
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(leaf_of(&with_own_name(cx.target, view.address()), "-ext ct_precert_scts"))
        .into()
}

#[cfg(test)]
mod tests {

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, public_policy};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new().public();
        scene.issue(|params| params.custom_extensions = vec![public_policy()]);
        scene.judge().findings
    }

    #[test]
    fn only_public_certificates_are_logged() {
        let mut scene = Scene::new();
        scene.issue(|params| params.custom_extensions = vec![public_policy()]);
        scene.check(&[]);
    }
}
