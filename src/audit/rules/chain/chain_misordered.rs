//! `chain-misordered`: a certificate is not followed by its issuer.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::shape::Position;

pub(crate) const RULE: Rule = Rule {
    id: "chain-misordered",
    severity: Severity::Warning,
    section: Section::Certificate,
    summary: "the certificates are sent in the wrong order",
    why: "In TLS 1.2 each certificate must certify the one before it. OpenSSL, nginx and browsers accept any order; \
          strict clients (older Java, GnuTLS and embedded stacks) refuse with a certificate alert.",
    fix: "Sort the file in ssl_certificate into the order that the evidence gives, run nginx -t, and reload. nginx \
          does not start if the leaf is not first.",
    references: &[
        "RFC 5246 section 7.4.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ],
    consequence_of: &[],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let shape = &view.assessment.shape;
    if shape.is_in_order() {
        return Verdict::Pass;
    }
    RULE.finds("the certificates are sent in the wrong order")
        .evidence_from(shape.at(Position::OutOfOrder).map(|index| view.describe(index)))
        .evidence(format!("the right order is {}", right_order(view)))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

fn right_order(view: &ObservedChain<'_>) -> String {
    let subject = |index: &usize| {
        view.chain.certificates.get(*index).map(|certificate| certificate.subject.text.as_str())
    };
    let subjects: Vec<&str> = view.assessment.shape.path.iter().filter_map(subject).collect();
    subjects.join(", then ")
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let lower = scene.intermediate.intermediate("test lower").unwrap();
        let mut chain = lower.issue(&["a.test"]).unwrap().chain();
        chain.swap(1, 2);
        scene.present(&chain);
        scene.judge().findings
    }
}
