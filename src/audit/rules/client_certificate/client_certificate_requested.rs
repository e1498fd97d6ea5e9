//! `client-certificate-requested`: the server asks for a certificate, but does not require it.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::rules::client_certificate::accepted_authorities;
use crate::observation::{ClientAuth, Endpoint, Handshake};
use crate::targets::ClientCertificatePolicy;

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-requested",
    severity: Severity::Note,
    section: Section::ClientCertificate,
    summary: "the server asks for a client certificate, but does not require one",
    why: "Clients without a certificate complete the handshake (ssl_verify_client optional). Browsers that have certificates \
          may ask the user to choose one.",
    fix: "If no client uses a certificate, set ssl_verify_client off and reload. If this is intended, set \
          expect.client_certificate = \"optional\".",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let policy = cx.target.expect.client_certificate;
    let asked = |cell: &&Handshake| cell.established() && cell.client_auth.request().is_some();
    let served = |cell: &&Handshake| matches!(cell.client_auth, ClientAuth::Served(_));
    let refused = |cell: &Handshake| matches!(cell.client_auth, ClientAuth::Required(..));
    if cx.own_cells(endpoint).any(refused) {
        return Verdict::Pass;
    }
    let mut served = cx.own_cells(endpoint).filter(asked).filter(served).peekable();
    let shows = served.peek().is_some();
    let Some(cell) = served.next().or_else(|| cx.own_cells(endpoint).find(asked)) else {
        return Verdict::Pass;
    };
    let Some(request) = cell.client_auth.request() else { return Verdict::Pass };
    if request.answered && policy != Some(ClientCertificatePolicy::None) {
        return Verdict::Pass;
    }
    let message = if shows {
        "the server asks for a client certificate, and serves clients without one"
    } else {
        "the server asks for a client certificate, and completes the handshake without one"
    };
    let finding = RULE
        .finds(message)
        .evidence(at(endpoint, cell))
        .evidence(accepted_authorities(&request.authorities))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    match policy {
        Some(ClientCertificatePolicy::Optional) => Verdict::Pass,
        Some(ClientCertificatePolicy::None) => {
            finding.severity(Severity::Error).directive("server", "ssl_verify_client", "off").into()
        }
        Some(ClientCertificatePolicy::Required) if shows => {
            finding.severity(Severity::Error).directive("server", "ssl_verify_client", "on").into()
        }
        Some(ClientCertificatePolicy::Required) => Verdict::Untested(
            "whether the server requires a client certificate: only the protocol inside TLS would show it"
                .to_owned(),
        ),
        None => finding.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::observation::{ClientAuth, ClientCertificateRequest, ClientRefusal};
    use crate::targets::ClientCertificatePolicy;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.each(|cell| {
            cell.client_auth = ClientAuth::Served(ClientCertificateRequest::default());
        });
        scene.judge().findings
    }

    #[test]
    fn severity_goes_by_expectation() {
        let mut scene = Scene::new();
        scene.each(|cell| {
            cell.client_auth = ClientAuth::Served(ClientCertificateRequest::default());
        });
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
    fn what_does_not_show_was_not_tested() {
        let mut scene = Scene::new();
        scene.target.expect.client_certificate = Some(ClientCertificatePolicy::Required);
        scene.each(|cell| {
            cell.client_auth = ClientAuth::Requested(ClientCertificateRequest::default());
        });
        scene.check(&[]);
        assert!(!scene.judge().untested.is_empty());
    }

    #[test]
    fn a_server_that_accepts_ours_still_must_not_ask() {
        let mut scene = Scene::new();
        let answered =
            ClientCertificateRequest { answered: true, ..ClientCertificateRequest::default() };
        scene.each(|cell| cell.client_auth = ClientAuth::Requested(answered.clone()));
        scene.check(&[]);
        scene.target.expect.client_certificate = Some(ClientCertificatePolicy::None);
        scene.check(&["error client-certificate-requested"]);
    }

    #[test]
    fn a_server_that_refuses_one_client_is_not_said_to_serve_another() {
        let mut scene = Scene::new();
        scene.each(|cell| {
            cell.client_auth = ClientAuth::Requested(ClientCertificateRequest::default());
        });
        scene.seen.endpoints[0].handshakes[2].client_auth =
            ClientAuth::Required(ClientCertificateRequest::default(), ClientRefusal::Closed);
        scene.check(&["error client-certificate-required"]);
    }
}
