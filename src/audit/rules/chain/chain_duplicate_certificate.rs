//! `chain-duplicate-certificate`: a certificate is in the chain twice.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::shape::Position;

pub(crate) const RULE: Rule = Rule {
    id: "chain-duplicate-certificate",
    severity: Severity::Note,
    section: Section::Certificate,
    summary: "the server sends a certificate twice",
    why: "The second copy makes each handshake larger. Usually the file of intermediates contains the \
          leaf as well.",
    fix: "Remove the second copy from the file in ssl_certificate, and reload.",
    references: &["RFC 8446 section 4.4.2"],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let copies: Vec<usize> = view.assessment.shape.at(Position::Duplicate).collect();
    if copies.is_empty() {
        return Verdict::Pass;
    }
    RULE.finds("the server sends a certificate twice")
        .evidence_from(copies.iter().map(|index| view.describe(*index)))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let mut chain = scene.issue(|_| {}).chain();
        chain.insert(1, chain[0].clone());
        scene.present(&chain);
        scene.judge().findings
    }
}
