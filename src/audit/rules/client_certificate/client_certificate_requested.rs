//! `client-certificate-requested`: asked, but not insisted on.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::client_certificate::accepted_authorities;
use crate::observation::{ClientAuth, Endpoint};
use crate::target::ClientCertificatePolicy;

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-requested",
    severity: Severity::Note,
    section: Section::ClientCertificate,
    summary: "a client certificate is asked for, but not required",
    why: "Clients are served without one (ssl_verify_client optional). Browsers that hold certificates may ask \
          their user to choose one.",
    fix: "If nobody uses them, set ssl_verify_client off and reload; if it is meant so, say it: \
          expect.client_certificate = \"optional\".",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client"],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let asked = cx.own_cells(endpoint).find_map(|cell| match &cell.client_auth {
        ClientAuth::Requested(request) if cell.established() && !request.answered => {
            Some((cell, request))
        }
        _ => None,
    });
    let Some((cell, request)) = asked else {
        return Verdict::Pass;
    };
    let finding = RULE
        .finds("the server asks for a client certificate, and serves clients without one")
        .evidence(at(endpoint, cell))
        .evidence(accepted_authorities(request))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    match cx.target.expect.client_certificate {
        Some(ClientCertificatePolicy::Optional) => Verdict::Pass,
        Some(ClientCertificatePolicy::None) => {
            finding.severity(Severity::Error).directive("server", "ssl_verify_client", "off").into()
        }
        Some(ClientCertificatePolicy::Required) => {
            finding.severity(Severity::Error).directive("server", "ssl_verify_client", "on").into()
        }
        None => finding.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::Scene;
    use crate::observation::{CertificateRequest, ClientAuth};
    use crate::target::ClientCertificatePolicy;

    #[test]
    fn severity_goes_by_expectation() {
        let mut scene = Scene::new();
        scene.each(|cell| cell.client_auth = ClientAuth::Requested(CertificateRequest::default()));
        scene.check(&["note client-certificate-requested"]);
        for (policy, expected) in [
            (ClientCertificatePolicy::Optional, &[][..]),
            (ClientCertificatePolicy::None, &["error client-certificate-requested"]),
            (ClientCertificatePolicy::Required, &["error client-certificate-requested"]),
        ] {
            scene.target.expect.client_certificate = Some(policy);
            scene.check(expected);
        }
    }

    #[test]
    fn a_server_that_does_not_ask_passes() {
        Scene::new().check(&[]);
    }
}
