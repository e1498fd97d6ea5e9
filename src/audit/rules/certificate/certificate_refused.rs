//! `certificate-refused`: webpki refuses the chain, and no other rule explains why.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::{certificate, chain, client_certificate};
use crate::certificate::trust::browser::BrowserVerdict;
use crate::certificate::trust::openssl::OpensslVerdict;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-refused",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "clients refuse the chain for another reason",
    why: "A path to a trust anchor exists, and clients that check like browsers still refuse it: an authority's \
          certificate used for a server (OpenSSL, and so nginx as a client, accepts that), a name outside an \
          authority's constraints, an intermediate that is not valid yet, or a critical extension that clients do \
          not know.",
    fix: "Have the certificate issued again without the fault that the evidence names, and reload.",
    references: &["RFC 5280 section 6"],
    consequence_of: &[
        &certificate::certificate_expired::RULE,
        &certificate::certificate_not_yet_valid::RULE,
        &certificate::certificate_unreadable::RULE,
        &certificate::handshake_signature_invalid::RULE,
        &chain::intermediate_expired::RULE,
        &certificate::server_auth_missing::RULE,
        &client_certificate::client_auth_missing::RULE,
        &certificate::weak_key::RULE,
        &certificate::weak_signature::RULE,
    ],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    let reason = match &view.assessment.browser {
        BrowserVerdict::Refused(reason) => reason.as_str(),
        BrowserVerdict::UnknownIssuer if view.assessment.problem.is_none() => {
            "no path to a trust anchor could be verified"
        }
        BrowserVerdict::OutsideValidity => "a certificate on the path is not valid at this time",
        _ => return Verdict::Pass,
    };
    if view.assessment.problem.is_some() {
        return Verdict::NotApplicable;
    }
    let authority = view.chain.leaf().is_some_and(|leaf| leaf.is_ca());
    // OpenSSL, and so nginx as a client, accepts a CA certificate as a server's.
    let is_client = cx.target.is_client_file();
    // Most servers that verify clients use OpenSSL, which accepts certificates of version 1.
    let accepted = is_client && view.assessment.nginx == OpensslVerdict::Accepted;
    let is_doubt = accepted || authority && cx.is_upstream();
    let severity = if is_doubt { Severity::Warning } else { Severity::Error };
    let checked_by = if is_client { "servers" } else { "clients" };
    RULE.finds(format!("{checked_by} that check like browsers refuse the chain"))
        .severity(severity)
        .subject(reason)
        .evidence(reason)
        .evidence_from(
            accepted.then(|| "servers with OpenSSL, nginx among them, accept it".to_owned()),
        )
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(leaf_of(&with_own_name(cx.target, view.address()), "-text"))
        .into()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, IsCa};
    use time::Duration;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.issue(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        scene.judge().findings
    }

    #[test]
    fn nginx_accepts_an_authority_as_a_server() {
        let mut scene = Scene::upstream();
        scene.issue(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        scene.check(&["warning certificate-refused"]);
    }

    #[test]
    fn an_intermediate_of_tomorrow_is_refused() {
        let mut scene = Scene::new();
        let early = scene
            .root
            .intermediate_with("early", |params| params.not_before = NOW + Duration::days(1))
            .unwrap();
        scene.present(&early.issue(&["a.test"]).unwrap().chain());
        scene.check(&["error certificate-refused"]);
    }
}
