//! `chain-incomplete`: a certificate between the server's and the root is missing.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{curl, show_chain};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::certificate;
use crate::certificate::shape::Position;
use crate::certificate::trust::problem::PathProblem;

pub(crate) const RULE: Rule = Rule {
    id: "chain-incomplete",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "an intermediate certificate is missing",
    why: "Clients without a copy of the missing certificate cannot build the path and refuse with alert 48 \
          (unknown_ca): curl, most libraries, mobile apps. Desktop browsers often find the certificate in a cache or \
          download it, which hides the fault. nginx as a client with proxy_ssl_verify on logs verify error 21 (20 \
          with OpenSSL 1.1.1).",
    fix: "Add the missing certificate after the leaf in the file in ssl_certificate (authorities call this the full \
          chain), run nginx -t, and reload.",
    references: &[
        "RFC 8446 section 4.4.2",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate",
    ],
    consequence_of: &[&certificate::certificate_unreadable::RULE],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The fix for a client's certificate.
const OF_CLIENT: &str = "Add the missing certificate after the leaf in the file that the client presents \
                         (proxy_ssl_certificate in nginx), and reload the client.";

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if view.chain.ignored > 0 {
        let (read, more) = (view.chain.certificates.len(), view.chain.ignored);
        return Verdict::Untested(format!(
            "only {read} certificates of the chain were read; {more} more follow"
        ));
    }
    if view.assessment.problem != Some(PathProblem::MissingIntermediate) {
        return Verdict::Pass;
    }
    let shape = &view.assessment.shape;
    let issuer =
        shape.missing_issuer(view.chain).map_or("(unknown)", |issuer| issuer.text.as_str());
    let urls = shape.top(view.chain).map(|top| top.ca_issuers.join(", ")).unwrap_or_default();
    let finding = RULE
        .finds(format!("the chain is incomplete: the certificate of {issuer} is missing"))
        .evidence(view.describe(shape.path.last().copied().unwrap_or(0)))
        .evidence(format!("its issuer was not sent, and is not among {}", cx.store.label))
        .evidence_from(
            shape
                .at(Position::Unrelated)
                .map(|index| format!("{}; it belongs to another chain", view.describe(index))),
        )
        .evidence_from((!urls.is_empty()).then(|| {
            format!("it can be fetched from {urls}; if it is self-signed, it is a root that is not trusted here")
        }))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .reproduce_from(curl(cx.target, view.address()));
    if cx.target.is_client_file() { finding.fix(OF_CLIENT).into() } else { finding.into() }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let issued = scene.issue(|_| {});
        scene.present(&[issued.certificate]);
        scene.judge().findings
    }
}
