//! `client-certificate-not-requested`: the server does not ask for the certificate that it should ask for.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::with_own_name;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::observation::{ClientAuth, Endpoint};
use crate::targets::ClientCertificatePolicy;

pub(crate) const RULE: Rule = Rule {
    id: "client-certificate-not-requested",
    severity: Severity::Error,
    section: Section::ClientCertificate,
    summary: "the server does not ask for a client certificate, but the targets file expects it",
    why: "The targets file says that clients must, or may, present a certificate. The server does not ask for one, so it \
          accepts every client without a certificate.",
    fix: "Set ssl_verify_client on (or optional) and ssl_client_certificate in the server block, and reload. Or correct \
          expect.client_certificate.",
    references: &["https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_verify_client"],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let value = match cx.target.expect.client_certificate {
        Some(ClientCertificatePolicy::Required) => "on",
        Some(ClientCertificatePolicy::Optional) => "optional",
        Some(ClientCertificatePolicy::None) | None => return Verdict::NotApplicable,
    };
    let mut established = cx.own_cells(endpoint).filter(|cell| cell.established());
    let Some(cell) = established.find(|cell| cell.client_auth == ClientAuth::NotRequested) else {
        return Verdict::Pass;
    };
    RULE.finds("the server does not ask for a client certificate")
        .evidence(at(endpoint, cell))
        .directive("server", "ssl_verify_client", value)
        .reproduce(with_own_name(cx.target, Some(endpoint.address)))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;
    use crate::targets::ClientCertificatePolicy;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.target.expect.client_certificate = Some(ClientCertificatePolicy::Required);
        scene.judge().findings
    }
}
