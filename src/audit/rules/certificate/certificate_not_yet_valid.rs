//! `certificate-not-yet-valid`: notBefore is in the future.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_leaf;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict, day};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-not-yet-valid",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate is not valid yet",
    why: "Every client that verifies refuses the connection until the certificate becomes valid. A wrong clock \
          on the machine that issued it, or on this one, looks the same.",
    fix: "Serve the previous certificate until then, or have a new one issued; check the clocks.",
    references: &["RFC 5280 section 4.1.2.5"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if cx.now >= leaf.not_before {
        return Verdict::Pass;
    }
    RULE.finds(format!("the certificate is not valid before {}", day(leaf.not_before)))
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.issue(|params| params.not_before = NOW + Duration::days(1));
        scene.judge().findings
    }

    #[test]
    fn from_its_first_second_on_it_passes() {
        let mut scene = Scene::new();
        scene.issue(|params| params.not_before = NOW);
        scene.check(&[]);
    }
}
