//! `certificate-refused`: webpki refuses what no other rule explains.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::show_chain;
use crate::audit::rule::{ChainView, Check, Context, Rule, Verdict};
use crate::certificate::trust::browser::BrowserVerdict;

pub(crate) const RULE: Rule = Rule {
    id: "certificate-refused",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "clients refuse the chain for another reason",
    why: "A path to a trust anchor exists, and clients that check like browsers still refuse it: an authority \
          used as a server certificate, a name outside an authority's constraints, a critical extension nobody \
          knows.",
    fix: "Have the certificate issued again without the fault that the evidence names, and reload.",
    references: &["RFC 5280 section 6"],
    consequence_of: &[
        "handshake-signature-invalid",
        "intermediate-expired",
        "server-auth-missing",
        "weak-key",
        "weak-signature",
    ],
    check: Check::Chain(check),
};

fn check(view: &ChainView<'_>, cx: &Context<'_>) -> Verdict {
    let reason = match &view.assessment.browser {
        BrowserVerdict::Refused(reason) => reason.as_str(),
        BrowserVerdict::UnknownIssuer if view.assessment.problem.is_none() => {
            "no path to a trust anchor could be verified"
        }
        _ => return Verdict::Pass,
    };
    if view.assessment.problem.is_some() {
        return Verdict::NotApplicable;
    }
    RULE.finds("clients that check like browsers refuse the chain")
        .subject(reason)
        .evidence(reason)
        .evidence(view.describe(0))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;
    use rcgen::{BasicConstraints, IsCa};

    #[test]
    fn an_authority_as_server_certificate_is_refused() {
        let mut scene = Scene::new();
        scene.issue(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        scene.check(&["error certificate-refused"]);
    }

    #[test]
    fn an_ordinary_chain_passes() {
        Scene::new().check(&[]);
    }
}
