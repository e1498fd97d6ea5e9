//! `sni-name-rejected`: the server knows other names, but not the one that clients send.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::s_client;
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::{at, names_of};
use crate::audit::trouble::{Trouble, trouble};
use crate::observation::{Cause, Endpoint, Handshake};
use crate::tls::alert::AlertDescription;

pub(crate) const RULE: Rule = Rule {
    id: "sni-name-rejected",
    severity: Severity::Error,
    section: Section::Sni,
    summary: "the handshake fails with the server name and works without it",
    why: "The server does not know the name that clients send, and refuses the connection instead of falling \
          back to its default certificate.",
    fix: "On the server, add the name to server_name of the server block that holds its certificate, and \
          reload. As its client, send the name that it knows: proxy_ssl_name.",
    references: &[
        "RFC 6066 section 3",
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_name",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let Some(name) = cx.target.server_name.as_deref() else {
        return Verdict::NotApplicable;
    };
    let (refused, default) = match trouble(endpoint, cx.target) {
        Trouble::NameRejected(refused) => (refused, true),
        _ => match refuses_name(endpoint) {
            Some(refused) => (refused, false),
            None => return Verdict::Pass,
        },
    };
    let mut finding = RULE
        .finds(format!("the server refuses the name {name}"))
        .evidence(at(endpoint, refused))
        .reproduce(s_client(cx.target, Some(endpoint.address), Some(name), Some(refused.version)));
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
    let value =
        if cx.is_upstream() { leaf.and_then(|leaf| leaf.dns_names().first()) } else { None };
    finding.directive(context, directive, value.map_or(name, String::as_str)).into()
}

/// Alert 112 in answer to the name, where nothing else worked either.
fn refuses_name(endpoint: &Endpoint) -> Option<&Handshake> {
    let refused = Cause::Alert(AlertDescription::UNRECOGNIZED_NAME);
    let mut named = endpoint.cells(true);
    let none_established = !endpoint.cells(true).any(Handshake::established);
    named.find(|cell| {
        none_established && cell.failure().is_some_and(|failure| failure.cause == refused)
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, any, named};
    use crate::observation::{Cause, Stage};
    use crate::tls::alert::AlertDescription;

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
    fn a_known_name_passes() {
        Scene::new().check(&[]);
    }
}
