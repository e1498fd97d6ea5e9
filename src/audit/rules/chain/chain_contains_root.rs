//! `chain-contains-root`: unneeded bytes in every handshake.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::chain;
use crate::certificate::shape::Position;

pub(crate) const RULE: Rule = Rule {
    id: "chain-contains-root",
    severity: Severity::Note,
    section: Section::Certificate,
    summary: "the server sends the root certificate too",
    why: "Clients have their own copy or do not trust it at all, so it only makes each handshake larger.",
    fix: "Remove the last certificate from the file in ssl_certificate, and reload.",
    references: &["RFC 8446 section 4.4.2"],
    consequence_of: &[&chain::untrusted_issuer::RULE],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let Some(index) = view.assessment.shape.at(Position::Root).next() else {
        return Verdict::Pass;
    };
    RULE.finds("the server sends the root certificate too")
        .evidence(view.describe(index))
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
        chain.push(scene.root.certificate.clone());
        scene.present(&chain);
        scene.judge().findings
    }
}
