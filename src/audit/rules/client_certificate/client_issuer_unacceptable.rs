//! `client-issuer-unacceptable`: most clients would not send this certificate to the server.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::client_certificate;
use crate::audit::rules::client_certificate::accepted_authorities;
use crate::certificate::Certificate;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "client-issuer-unacceptable",
    severity: Severity::Warning,
    section: Section::ClientCertificate,
    summary: "the issuer of the client certificate is not among the authorities that the server names",
    why: "A server that asks for a certificate may name the authorities that it accepts. Clients choose a certificate by \
          those names, so most would send none. nginx as a client sends its certificate in any case.",
    fix: "Present a certificate from one of the named authorities, or add this issuer to the file in ssl_client_certificate: \
          nginx sends the subjects of that file.",
    references: &[
        "RFC 8446 section 4.2.4",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_client_certificate",
    ],
    consequence_of: &[&client_certificate::client_certificate_rejected::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(identity) = &cx.target.client_identity else {
        return Verdict::NotApplicable;
    };
    let requests = endpoint.handshakes.iter().filter_map(|cell| cell.client_auth.request());
    let Some(request) = requests.into_iter().find(|request| !request.authorities.is_empty()) else {
        return Verdict::NotApplicable;
    };
    let issuers: Vec<String> = identity
        .chain
        .iter()
        .filter_map(|der| Certificate::parse(der).ok())
        .map(|certificate| certificate.issuer.text)
        .collect();
    if issuers.iter().any(|issuer| request.authorities.contains(issuer)) {
        return Verdict::Pass;
    }
    RULE.finds("the server does not name the issuer of the client certificate among the authorities it accepts")
        .evidence(format!("the client certificate was issued by {}", issuers.join("; ")))
        .evidence(accepted_authorities(&request.authorities))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

#[cfg(test)]
mod tests {
    use rcgen::ExtendedKeyUsagePurpose;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{ClientAuth, ClientCertificateRequest};

    pub(super) fn specimen() -> Vec<Finding> {
        scene("CN=someone else").judge().findings
    }

    fn scene(authority: &str) -> Scene {
        let mut scene = Scene::new();
        scene.target.client_identity = Some(scene.identity(ExtendedKeyUsagePurpose::ClientAuth));
        let request =
            ClientCertificateRequest { authorities: vec![authority.to_owned()], answered: true };
        scene.each(|cell| cell.client_auth = ClientAuth::Requested(request.clone()));
        scene
    }

    #[test]
    fn an_issuer_that_is_named_passes() {
        scene("CN=test intermediate").check(&[]);
    }
}
