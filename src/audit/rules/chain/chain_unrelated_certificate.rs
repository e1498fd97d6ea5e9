//! `chain-unrelated-certificate`: a certificate that did not sign any other in the chain.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::chain;
use crate::certificate::shape::Position;

pub(crate) const RULE: Rule = Rule {
    id: "chain-unrelated-certificate",
    severity: Severity::Note,
    section: Section::Certificate,
    summary: "a certificate in the chain belongs to another chain",
    why: "It signed no other certificate in the chain. Most clients ignore it, a few strict ones refuse the chain. \
          Often it is left over from a previous authority, and the right intermediate is missing.",
    fix: "Remove it from the file in ssl_certificate, and reload.",
    references: &["RFC 8446 section 4.4.2"],
    consequence_of: &[&chain::chain_incomplete::RULE],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let unrelated: Vec<usize> = view.assessment.shape.at(Position::Unrelated).collect();
    if unrelated.is_empty() {
        return Verdict::Pass;
    }
    RULE.finds("the chain contains certificates that belong to another chain")
        .evidence_from(unrelated.iter().map(|index| view.describe(*index)))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::certificate::issue::Authority;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let mut chain = scene.issue(|_| {}).chain();
        let stranger =
            Authority::root("stranger", NOW).unwrap().intermediate("strange intermediate").unwrap();
        chain.push(stranger.certificate);
        scene.present(&chain);
        scene.judge().findings
    }

    #[test]
    fn in_place_of_the_missing_one_it_is_part_of_that_finding() {
        let mut scene = Scene::new();
        let leaf = scene.issue(|_| {}).chain().remove(0);
        let stranger =
            Authority::root("stranger", NOW).unwrap().intermediate("strange intermediate").unwrap();
        scene.present(&[leaf, stranger.certificate]);
        let findings = scene.check(&["error chain-incomplete"]);
        assert!(findings[0].evidence.iter().any(|fact| fact.contains("strange intermediate")));
    }
}
