//! `client-certificate-rejected`: a certificate was presented, and the server refuses it.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::client_certificate::{accepted_authorities, describe, refusals, shows};
use crate::audit::rules::upstream;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-rejected",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "the server refuses the client certificate",
    why: "The server does not accept the certificate: it does not know the issuer (alert 48), or the certificate has \
          expired (45), was revoked (44) or is of the wrong type (43). Alerts 40, 42 and 46 give no reason: which one is \
          sent depends on the server's TLS stack, and the server's own log says more. nginx answers HTTP 400 and logs \
          client SSL certificate verify error at level info.",
    fix: "Make the server trust the issuer (ssl_client_certificate with every certificate above the client's own, \
          ssl_verify_depth if there is more than one intermediate), or present a certificate from an authority that the \
          server names, with its intermediates.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_depth",
    ],
    consequence_of: &[&upstream::upstream_client_certificate::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let refusals: Vec<_> =
        refusals(endpoint, cx.target).filter(|(_, request, _)| request.answered).collect();
    let Some((_, request, _)) = refusals.first() else {
        return Verdict::Pass;
    };
    RULE.finds("the server refuses the client certificate that was presented")
        .evidence_from(refusals.iter().map(|(cell, _, refusal)| describe(endpoint, cell, refusal)))
        .evidence(accepted_authorities(&request.authorities))
        .reproduce(shows(endpoint, cx.target, &refusals))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{ClientAuth, ClientCertificateRequest, ClientRefusal};
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        let request =
            ClientCertificateRequest { answered: true, ..ClientCertificateRequest::default() };
        let refusal = ClientRefusal::Alert(AlertDescription(48));
        scene
            .each(|cell| cell.client_auth = ClientAuth::Required(request.clone(), refusal.clone()));
        scene.judge().findings
    }

    #[test]
    fn an_accepted_certificate_passes() {
        let mut scene = Scene::new();
        let request =
            ClientCertificateRequest { answered: true, ..ClientCertificateRequest::default() };
        scene.each(|cell| cell.client_auth = ClientAuth::Requested(request.clone()));
        scene.check(&[]);
    }
}
