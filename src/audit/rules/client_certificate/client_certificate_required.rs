//! `client-certificate-required`: the server requires a certificate, and none was presented.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::client_certificate::{accepted_authorities, describe, refusals, shows};
use crate::audit::rules::upstream;
use crate::observation::Endpoint;
use crate::targets::ClientCertificatePolicy;

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-required",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "a client certificate is required and none was presented",
    why: "The server refuses clients without a certificate. How it refuses them depends on its TLS stack. Over TLS 1.2, \
          OpenSSL, BoringSSL and Go 1.20 and later send alert 40, NSS, Java and older Go alert 42, GnuTLS alert 50; mbedTLS \
          and Node.js close the connection. Over TLS 1.3 most send alert 116, and it arrives only after the client has \
          finished its handshake. nginx completes the handshake and answers HTTP 400 (its stream module closes the connection).",
    fix: "Present a certificate that the server accepts: with --client-cert and --client-key here, with \
          proxy_ssl_certificate and proxy_ssl_certificate_key where nginx is the client. If the endpoint should require \
          one, set expect.client_certificate = \"required\".",
    references: &[
        "RFC 8446 section 4.4.2.4",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_certificate",
    ],
    consequence_of: &[&upstream::upstream_client_certificate::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    if cx.target.expect.client_certificate == Some(ClientCertificatePolicy::Required) {
        return Verdict::NotApplicable;
    }
    let refusals: Vec<_> =
        refusals(endpoint, cx.target).filter(|(_, request, _)| !request.answered).collect();
    let Some((_, request, _)) = refusals.first() else {
        return Verdict::Pass;
    };
    let finding = RULE
        .finds("the server requires a client certificate, and none was presented")
        .evidence_from(refusals.iter().map(|(cell, _, refusal)| describe(endpoint, cell, refusal)))
        .evidence(accepted_authorities(&request.authorities))
        .reproduce(shows(endpoint, cx.target, &refusals));
    if !cx.is_upstream() {
        return finding.into();
    }
    finding
        .directive("location", "proxy_ssl_certificate", "/path/to/client.pem")
        .directive("location", "proxy_ssl_certificate_key", "/path/to/client.key")
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{
        Cause, ClientAuth, ClientCertificateRequest, ClientRefusal, Failure, Stage,
    };
    use crate::targets::ClientCertificatePolicy;
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        refused(&ClientRefusal::Alert(AlertDescription(116))).judge().findings
    }

    fn refused(refusal: &ClientRefusal) -> Scene {
        let mut scene = Scene::new();
        scene.each(|cell| {
            cell.client_auth =
                ClientAuth::Required(ClientCertificateRequest::default(), refusal.clone());
            if let ClientRefusal::Alert(alert) = refusal {
                cell.outcome =
                    Err(Failure { stage: Stage::PostHandshake, cause: Cause::Alert(*alert) });
            }
        });
        scene
    }

    #[test]
    fn every_shape_of_refusal_is_known() {
        for refusal in [
            ClientRefusal::Alert(AlertDescription(116)),
            ClientRefusal::Http(400),
            ClientRefusal::Closed,
        ] {
            refused(&refusal).check(&["error client-certificate-required"]);
        }
    }

    #[test]
    fn where_it_is_expected_it_is_in_order() {
        let mut scene = refused(&ClientRefusal::Http(400));
        scene.target.expect.client_certificate = Some(ClientCertificatePolicy::Required);
        scene.check(&[]);
    }
}
