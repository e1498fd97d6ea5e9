//! `sni-different-certificate`: a client without SNI gets the default certificate.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, s_client};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::names_of;
use crate::certificate::Certificate;
use crate::certificate::name::{Coverage, Name, coverage};
use crate::observation::Endpoint;
use std::sync::Arc;

pub(crate) const RULE: Rule = Rule {
    id: "sni-different-certificate",
    severity: Severity::Note,
    section: Section::Sni,
    summary: "without a server name, the server presents another certificate",
    why: "This is normal with virtual hosts, and browsers always send the name. A client without SNI gets the \
          default certificate, and verification against the expected name may fail. nginx sends upstreams no SNI by \
          default.",
    fix: "Nothing to do for browsers. In nginx as a proxy, set proxy_ssl_server_name on, and proxy_ssl_name if the \
          host in proxy_pass is a different name.",
    references: &[
        "RFC 6066 section 3",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
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
    let (Some(named), Some(default)) = (leaf(endpoint, true), leaf(endpoint, false)) else {
        return Verdict::NotApplicable;
    };
    let sent = cx.target.nginx.as_ref().and_then(|client| client.sni());
    if sent == Some(name) {
        return Verdict::Pass;
    }
    if named.sha256 == default.sha256 || coverage(default, Name::Dns(name)) == Coverage::Covered {
        return Verdict::Pass;
    }
    let finding = RULE
        .finds(format!("without a server name the server presents another certificate, which does not cover {name}"))
        .evidence(format!("{} with the name {name}: {}", endpoint.address, names_of(named)))
        .evidence(format!("{} without a name: {}", endpoint.address, names_of(default)))
        .reproduce(leaf_of(
            &s_client(cx.target, Some(endpoint.address), None, None),
            "-ext subjectAltName",
        ));
    if !cx.is_upstream() {
        return finding.into();
    }
    finding
        .severity(Severity::Warning)
        .fix("Send the name, then reload. Without it, verification of this upstream would fail.")
        .directive("location", "proxy_ssl_server_name", "on")
        .directive("location", "proxy_ssl_name", name)
        .into()
}

fn leaf(endpoint: &Endpoint, with_sni: bool) -> Option<&Arc<Certificate>> {
    endpoint.cells(with_sni).find_map(|cell| cell.chain.as_ref()?.leaf())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, bare, chain_of};

    pub(super) fn specimen() -> Vec<Finding> {
        with_default(Scene::new()).judge().findings
    }

    fn with_default(mut scene: Scene) -> Scene {
        let default = chain_of(&scene.intermediate.issue(&["default.test"]).unwrap().chain());
        scene.each(|cell| {
            if bare(cell) {
                cell.chain = Some(Arc::clone(&default));
            }
        });
        scene
    }

    #[test]
    fn it_matters_more_for_an_upstream() {
        with_default(Scene::new()).check(&["note sni-different-certificate"]);
        with_default(Scene::upstream()).check(&["warning sni-different-certificate"]);
    }

    #[test]
    fn another_certificate_for_the_same_name_passes() {
        let mut scene = Scene::new();
        let twin = chain_of(&scene.intermediate.issue(&["a.test"]).unwrap().chain());
        scene.each(|cell| {
            if bare(cell) {
                cell.chain = Some(Arc::clone(&twin));
            }
        });
        scene.check(&[]);
    }
}
