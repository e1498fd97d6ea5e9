//! `untrusted-issuer`: the path ends with an authority that is not trusted here.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{curl, show_chain};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::audit::rules::{certificate, upstream};
use crate::certificate::shape::Position;
use crate::certificate::trust::problem::PathProblem;

pub(crate) const RULE: Rule = Rule {
    id: "untrusted-issuer",
    severity: Severity::Error,
    section: Section::Certificate,
    summary: "the certificate comes from an authority that is not trusted",
    why: "Clients that do not know the authority refuse with alert 48 (unknown_ca). nginx as a client accepts \
          it as long as proxy_ssl_verify is off (the default), and logs verify error 19, 20 or 21 when it is \
          on.",
    fix: "If the authority is your own, give it to the clients: proxy_ssl_trusted_certificate with \
          proxy_ssl_verify on in nginx, --ca-file or --add-ca-file here. Otherwise have the certificate issued by \
          an authority that the clients trust.",
    references: &[
        "RFC 5280 section 6.1",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_trusted_certificate",
    ],
    consequence_of: &[
        &certificate::certificate_unreadable::RULE,
        &upstream::upstream_untrusted::RULE,
        &upstream::upstream_verify_depth::RULE,
    ],
    check: Check::Chain(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

/// The fix for a client's certificate.
const OF_CLIENT: &str = "Add the authority's root to the file in ssl_client_certificate on the server (here: \
                         --ca-names or --ca-file). Otherwise present a certificate from an authority that the server \
                         trusts.";

fn check(view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if view.assessment.problem != Some(PathProblem::UnknownIssuer) {
        return Verdict::Pass;
    }
    let shape = &view.assessment.shape;
    let root = shape.at(Position::Root).next();
    let last = root.or(shape.path.last().copied()).unwrap_or(0);
    let authority = view
        .chain
        .certificates
        .get(last)
        .map_or("(unknown)", |certificate| certificate.issuer.text.as_str());
    let finding = RULE
        .finds(format!("the certificate comes from an authority that is not trusted: {authority}"))
        .evidence(view.describe(last))
        .evidence(format!("it is not among {}", cx.store.label))
        .evidence_from(view.sightings())
        .reproduce(show_chain(cx.target, view.address()))
        .reproduce_from(curl(cx.target, view.address()));
    if cx.target.is_client_file() {
        return finding.fix(OF_CLIENT).into();
    }
    if !cx.is_upstream() {
        return finding.into();
    }
    finding
        .directive("location", "proxy_ssl_trusted_certificate", "/path/to/ca.pem")
        .directive("location", "proxy_ssl_verify", "on")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{NOW, Scene};
    use crate::certificate::issue::Authority;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let foreign = Authority::root("foreign root", NOW)
            .unwrap()
            .intermediate("foreign intermediate")
            .unwrap();
        scene.present(&foreign.issue(&["a.test"]).unwrap().chain());
        scene.judge().findings
    }
}
