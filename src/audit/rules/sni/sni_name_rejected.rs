//! `sni-name-rejected`: the server knows other names, but not the one that clients send.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::{at, names_of, plain_name};
use crate::audit::trouble::{Matrix, Trouble};
use crate::observation::{Endpoint, Handshake};

pub(crate) const RULE: Rule = Rule {
    id: "sni-name-rejected",
    severity: Severity::Error,
    section: Section::Sni,
    summary: "the handshake fails with the server name and works without it",
    why: "The server does not know the name that clients send, and refuses the connection instead of falling \
          back to its default certificate.",
    fix: "On the server, add the name to server_name in the server block with its certificate, and reload. In nginx \
          as the client, set proxy_ssl_name to a name that the server knows.",
    references: &[
        "RFC 6066 section 3",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(name) = cx.target.server_name.as_deref() else {
        return Verdict::NotApplicable;
    };
    let refused = Matrix::new(endpoint, cx.target).with(Trouble::NameRejected);
    let Some(first) = refused.iter().find(|cell| cell.sni.is_some()) else {
        return Verdict::Pass;
    };
    let default = endpoint.cells(false).any(Handshake::established);
    let mut finding = RULE
        .finds(format!("the server refuses the name {name}"))
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .reproduce(s_client(cx.target, Some(endpoint.address), Some(name), Some(first.version)));
    if default {
        finding = finding
            .evidence(format!("{} without a name: the handshake completes", endpoint.address));
    }
    let leaf = endpoint.cells(false).find_map(|cell| cell.chain.as_ref()?.leaf());
    if let Some(leaf) = leaf {
        finding = finding.evidence(format!("the default certificate covers {}", names_of(leaf)));
    }
    let (context, directive) =
        if cx.is_upstream() { ("location", "proxy_ssl_name") } else { ("server", "server_name") };
    let known = leaf.filter(|_| cx.is_upstream()).and_then(|leaf| plain_name(leaf));
    finding.directive(context, directive, known.unwrap_or(name)).into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any, named};
    use crate::observation::{Cause, ClientAuth, ClientCertificateRequest, ClientRefusal, Stage};
    use crate::tls::alert::AlertDescription;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.fail(named, Stage::Handshake, &Cause::Alert(AlertDescription(112)));
        scene.judge().findings
    }

    #[test]
    fn a_name_that_fails_where_none_works_is_rejected() {
        for cause in
            [Cause::Alert(AlertDescription(112)), Cause::Alert(AlertDescription(40)), Cause::Closed]
        {
            let mut scene = Scene::new();
            scene.fail(named, Stage::Handshake, &cause);
            scene.check(&["error sni-name-rejected"]);
        }
    }

    #[test]
    fn alert_112_to_the_name_says_so_even_where_nothing_works() {
        let mut scene = Scene::new();
        scene.fail(any, Stage::Handshake, &Cause::Alert(AlertDescription(112)));
        scene.check(&["error sni-name-rejected"]);
    }

    #[test]
    fn a_name_behind_client_certificates_is_known() {
        let mut scene = Scene::new();
        let alert = AlertDescription(40);
        scene.fail(named, Stage::Handshake, &Cause::Alert(alert));
        scene.each(|cell| {
            if named(cell) {
                let refusal = ClientRefusal::Alert(alert);
                cell.client_auth =
                    ClientAuth::Required(ClientCertificateRequest::default(), refusal);
            }
        });
        scene.check(&["error client-certificate-required"]);
    }
}
