//! `certificate-without-san`: clients no longer accept a common name alone.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::name_of;
use crate::certificate::Certificate;
use crate::certificate::name::{Coverage, coverage};

pub(crate) const RULE: Rule = Rule {
    id: "certificate-without-san",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate has no subject alternative name",
    why: "Browsers and most libraries have ignored the common name since 2017 and refuse the certificate for \
          every name. OpenSSL, and so nginx as a client, still falls back to the common name.",
    fix: "Have the certificate issued again with the names in its subject alternative name extension (openssl \
          req -addext subjectAltName=DNS:name), and reload.",
    references: &["RFC 9525 section 6.3", "RFC 2818 section 3.1"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if cx.target.is_client_file() {
        return Verdict::NotApplicable;
    }
    let first = cx.target.required_names().next();
    let Some(Coverage::NoSubjectAltName { by_common_name }) =
        first.map(|host| coverage(leaf, name_of(&host)))
    else {
        return Verdict::Pass;
    };
    let common_name = leaf.common_name().unwrap_or("(none)");
    let relation =
        if by_common_name { "is the expected name" } else { "is not the expected name either" };
    let finding = RULE
        .finds("the certificate has no subject alternative name, so it covers no name")
        .evidence(format!("its common name, {common_name}, {relation}"))
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()));
    let nginx_accepts = cx.is_upstream() && by_common_name;
    finding.severity(if nginx_accepts { Severity::Warning } else { Severity::Error }).into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        without_names(Scene::new()).judge().findings
    }

    fn without_names(mut scene: Scene) -> Scene {
        scene.issue(|params| params.subject_alt_names.clear());
        scene
    }

    #[test]
    fn browsers_refuse_it_and_nginx_falls_back_to_the_common_name() {
        without_names(Scene::new()).check(&["error certificate-without-san"]);
        without_names(Scene::upstream()).check(&["warning certificate-without-san"]);
    }
}
