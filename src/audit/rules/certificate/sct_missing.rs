//! `sct-missing`: a public certificate without proof that it is in a Certificate Transparency log.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
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
        .reproduce(show_leaf(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::CustomExtension;

    use super::RULE;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::audit::judge::{Standard, judge};
    use crate::certificate::trust::{Assessor, TrustStore};

    #[test]
    fn only_public_certificates_are_logged() {
        let mut scene = Scene::new();
        // certificatePolicies with the CA/Browser Forum's domain-validated policy.
        let policy = vec![0x30, 0x0a, 0x30, 0x08, 0x06, 0x06, 0x67, 0x81, 0x0c, 0x01, 0x02, 0x01];
        let extension = CustomExtension::from_oid_content(&[2, 5, 29, 32], policy);
        scene.issue(|params| params.custom_extensions = vec![extension]);
        scene.check(&[]);
        let anchors = vec![scene.root.certificate.clone()];
        let (store, _) = TrustStore::from_certificates("public".to_owned(), anchors, true);
        let judgement = judge(
            &scene.target,
            &scene.seen,
            Standard { assessor: &Assessor::new(Arc::new(store), NOW), policy: None, now: NOW },
        );
        let rules: Vec<_> = judgement.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [RULE.id]);
    }
}
