//! `self-signed`: no authority has signed it.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{curl, show_leaf};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::upstream;
use crate::certificate::trust::problem::PathProblem;

pub(crate) const RULE: Rule = Rule {
    id: "self-signed",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate is self-signed",
    why: "No authority has signed it, so clients refuse it unless they trust this very certificate. nginx as a \
          client accepts it as long as proxy_ssl_verify is off (the default), and logs verify error 18 when it is \
          on.",
    fix: "Have a certificate issued by an authority that the clients trust. For an internal upstream: name \
          this certificate in proxy_ssl_trusted_certificate, with proxy_ssl_verify on; here, --ca-file or \
          --add-ca-file.",
    references: &[
        "RFC 5280 section 3.2",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_trusted_certificate",
    ],
    consequence_of: &[&upstream::upstream_untrusted::RULE],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if view.assessment.problem != Some(PathProblem::SelfSigned) {
        return Verdict::Pass;
    }
    let finding = RULE
        .finds("the certificate is self-signed, and not trusted")
        .evidence(view.describe(0))
        .evidence(format!("it is not among {}", cx.store.label))
        .evidence_from(view.sightings())
        .reproduce(show_leaf(cx.target, view.address()))
        .reproduce_from(curl(cx.target, view.address()));
    if !cx.is_upstream() {
        return finding.into();
    }
    finding
        .directive("location", "proxy_ssl_trusted_certificate", "/path/to/this-certificate.pem")
        .directive("location", "proxy_ssl_verify", "on")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::certificate::issue::self_signed;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.present(&self_signed(&["a.test"], NOW).unwrap().chain());
        scene.judge().findings
    }
}
