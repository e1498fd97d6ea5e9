//! `sni-required`: the server refuses a hello without a name, which is what nginx sends to upstreams by default.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::reproduce::{s_client, with_own_name};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::upstream;
use crate::audit::rules::{at, plain_name};
use crate::audit::trouble::{Matrix, Trouble, answers_in_tls};
use crate::certificate::name::{Coverage, Name, coverage};
use crate::observation::{Endpoint, Handshake};
use crate::tls::version::ProtocolVersion;

pub(crate) const RULE: Rule = Rule {
    id: "sni-required",
    severity: Severity::Note,
    section: Section::Sni,
    summary: "the handshake fails without a server name and works with it",
    why: "The server refuses clients that send no server name (SNI). Browsers send one. nginx as a proxy sends none \
          unless proxy_ssl_server_name is on, and answers 502. If another location has cached a session with the \
          same upstream, the fault comes and goes.",
    fix: "In the location that proxies to this upstream, set proxy_ssl_server_name on and proxy_ssl_name to the name \
          that the certificate covers, then reload. Without proxy_ssl_name, nginx sends the host in proxy_pass. With \
          an upstream block, that is the name of the block.",
    references: &[
        "RFC 6066 section 3",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
    consequence_of: &[&upstream::upstream_sni_missing::RULE],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let matrix = Matrix::new(endpoint, cx.target);
    let refused = matrix.with(Trouble::NameRequired);
    let Some(first) = refused.first() else {
        return Verdict::Pass;
    };
    if cx.target.server_name.is_none() {
        return nameless(endpoint, first, cx);
    }
    let name = name_to_send(endpoint, cx);
    let twin = endpoint.cell(true, first.version);
    let completes = twin.is_some_and(Handshake::established);
    let (message, seen) = if completes {
        (
            "the handshake fails without a server name (SNI) and works with it",
            "the handshake completes",
        )
    } else {
        (
            "the server sends its certificate only to clients that send a server name (SNI)",
            "the server sends its certificate",
        )
    };
    let finding = RULE
        .finds(message)
        .evidence_from(refused.iter().map(|cell| at(endpoint, cell)))
        .evidence(format!("{} with the name {name}: {seen}", endpoint.address))
        .reproduce(s_client(cx.target, Some(endpoint.address), None, Some(first.version)))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    if endpoint.cells(false).any(answers_in_tls) {
        return in_one_version(finding, first.version);
    }
    if !cx.is_upstream() || cx.target.nginx.is_some() {
        let text = "Nothing to do for browsers. A proxy in front of this listener must send the name: proxy_ssl_server_name on.";
        return finding.fix(text).into();
    }
    let tried = cx.target.server_name.as_deref() == Some(&*name);
    let finding = finding
        .severity(Severity::Error)
        .directive("location", "proxy_ssl_server_name", "on")
        .directive("location", "proxy_ssl_name", name);
    // The handshake with the name has tried the fix.
    if tried && completes { finding.verified().into() } else { finding.into() }
}

/// Without the name the other version works, so no client that supports both is refused.
fn in_one_version(finding: Finding, version: ProtocolVersion) -> Verdict {
    let mut finding = finding.fix(
        "Give the default server of the socket the same ssl_protocols as the server of that name, and reload; \
         from nginx 1.29.2 on, each server's own value applies.",
    );
    finding.message = format!("{version} works only with a server name (SNI)");
    finding.into()
}

/// The target is an address, so there is no name to try. But alert 112 in answer to a hello without a name is clear
/// enough.
fn nameless(endpoint: &Endpoint, refused: &Handshake, cx: &Context<'_>) -> Verdict {
    RULE.finds("the server answers a hello without a server name (SNI) with alert 112 (unrecognized_name)")
        .severity(Severity::Error)
        .evidence(at(endpoint, refused))
        .evidence("an address is never sent as SNI, so no name could be tried")
        .fix("Give the name with --server-name (server_name in a targets file). In nginx as its client: proxy_ssl_server_name on, and proxy_ssl_name with that name.")
        .directive("location", "proxy_ssl_server_name", "on")
        .reproduce(s_client(cx.target, Some(endpoint.address), None, Some(refused.version)))
        .into()
}

/// The target's own name where the certificate covers it, else the first plain name on the certificate.
fn name_to_send(endpoint: &Endpoint, cx: &Context<'_>) -> String {
    let own = cx.target.server_name.clone().unwrap_or_default();
    let leaf = endpoint.cells(true).find_map(|cell| cell.chain.as_ref()?.leaf());
    let Some(leaf) = leaf else { return own };
    if coverage(leaf, Name::Dns(&own)) == Coverage::Covered {
        return own;
    }
    plain_name(leaf).map_or(own, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::{Scene, any, bare};
    use crate::observation::{Cause, Handshake, Stage};
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::upstream();
        scene.fail(bare, Stage::Handshake, &Cause::Alert(AlertDescription(112)));
        scene.judge().findings
    }

    #[test]
    fn an_upstream_that_requires_a_name_is_an_error_with_the_directives() {
        for cause in
            [Cause::Alert(AlertDescription(112)), Cause::Alert(AlertDescription(40)), Cause::Reset]
        {
            let mut scene = Scene::upstream();
            scene.fail(bare, Stage::Handshake, &cause);
            let findings = scene.check(&["error sni-required"]);
            let fix = findings[0].fix.as_ref().unwrap();
            let lines: Vec<_> =
                fix.directives.iter().map(|d| format!("{} {}", d.name, d.value)).collect();
            assert_eq!(lines, ["proxy_ssl_server_name on", "proxy_ssl_name a.test"]);
            assert_eq!(fix.verified, Some(true));
            assert!(findings[0].reproduce[0].contains("-noservername"));
        }
    }

    #[test]
    fn a_listener_that_requires_a_name_is_a_note() {
        let mut scene = Scene::new();
        scene.fail(bare, Stage::Handshake, &Cause::Closed);
        scene.check(&["note sni-required"]);
    }

    #[test]
    fn an_address_that_asks_for_a_name_needs_one() {
        let mut scene = Scene::of("192.0.2.1");
        scene.check(&[]);
        scene.fail(any, Stage::Handshake, &Cause::Alert(AlertDescription(112)));
        assert_eq!(scene.check(&["error sni-required"])[0].rule, RULE.id);
    }

    #[test]
    fn one_version_without_a_name_is_enough_for_a_proxy() {
        let mut scene = Scene::upstream();
        let refused = Cause::Alert(AlertDescription::PROTOCOL_VERSION);
        let which = |cell: &Handshake| bare(cell) && cell.version == ProtocolVersion::TLS1_3;
        scene.fail(which, Stage::Handshake, &refused);
        let findings = scene.check(&["note sni-required"]);
        assert!(findings[0].message.starts_with("TLSv1.3 works only with"));
    }

    #[test]
    fn no_name_off_a_certificate_can_break_out_of_a_directive() {
        let mut scene = Scene::upstream();
        scene.target.server_name = Some("b.test".to_owned());
        scene.each(|cell| cell.sni = cell.sni.as_ref().map(|_| "b.test".to_owned()));
        let hostile = scene.intermediate.issue(&["x;include /tmp/evil", "c.test"]).unwrap();
        scene.present(&hostile.chain());
        scene.fail(bare, Stage::Handshake, &Cause::Closed);
        for finding in scene.judge().findings {
            for directive in finding.fix.unwrap().directives {
                assert!(!directive.value.contains(';'), "{directive:?}");
            }
        }
    }
}
