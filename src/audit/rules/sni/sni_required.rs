//! `sni-required`: a hello without a name is turned away, as nginx sends it to an upstream by default.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{s_client, with_own_name};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::at;
use crate::audit::trouble::{Trouble, trouble};
use crate::certificate::name::{Coverage, Name, coverage};
use crate::observation::Cause;
use crate::observation::Endpoint;
use crate::tls::alert::AlertDescription;

pub(crate) const RULE: Rule = Rule {
    id: "sni-required",
    severity: Severity::Note,
    section: Section::Sni,
    summary: "the handshake fails without a server name and works with it",
    why: "A client that sends no server name (SNI) is turned away. Browsers send one. nginx as a proxy sends \
          none unless proxy_ssl_server_name is on, and then answers 502; with a session cached by another \
          location the fault comes and goes.",
    fix: "In the location that proxies to this upstream, switch proxy_ssl_server_name on and give \
          proxy_ssl_name the name that the certificate covers, then reload. Without proxy_ssl_name nginx sends \
          the host of proxy_pass, which is the name of the upstream block where one is used.",
    references: &[
        "RFC 6066 section 3",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    if cx.target.server_name.is_none() {
        return nameless(endpoint, cx);
    }
    let Trouble::NameRequired(refused) = trouble(endpoint, cx.target) else {
        return Verdict::Pass;
    };
    let name = name_to_send(endpoint, cx);
    let finding = RULE
        .finds("the handshake fails without a server name (SNI) and works with it".to_owned())
        .severity(if cx.is_upstream() { Severity::Error } else { Severity::Note })
        .evidence(at(endpoint, refused))
        .evidence(format!("{} with the name {name}: the handshake completes", endpoint.address))
        .reproduce(s_client(cx.target, Some(endpoint.address), None, Some(refused.version)))
        .reproduce(with_own_name(cx.target, Some(endpoint.address)));
    if !cx.is_upstream() {
        let text = "Nothing to do for browsers. A proxy in front of this listener must send the name: proxy_ssl_server_name on.";
        return finding.fix(text).into();
    }
    let tried = cx.target.server_name.as_deref() == Some(&*name);
    let finding = finding.directive("location", "proxy_ssl_server_name", "on").directive(
        "location",
        "proxy_ssl_name",
        name,
    );
    // The handshake with the name is the fix, tried.
    if tried { finding.verified().into() } else { finding.into() }
}

/// An address has no name to try, but a server that answers "unrecognized name" to a hello without one says it all.
fn nameless(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let wants_name = Cause::Alert(AlertDescription::UNRECOGNIZED_NAME);
    let Some(refused) =
        endpoint.cells(false).find(|cell| cell.failure().is_some_and(|f| f.cause == wants_name))
    else {
        return Verdict::NotApplicable;
    };
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
    leaf.dns_names().iter().find(|name| !name.starts_with('*')).cloned().unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::audit::fixtures::{Scene, any, bare};
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;

    #[test]
    fn an_upstream_that_wants_a_name_is_an_error_with_the_directives() {
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
    fn a_listener_that_wants_a_name_is_worth_a_note() {
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
    fn an_endpoint_that_takes_both_passes() {
        Scene::upstream().check(&[]);
    }
}
