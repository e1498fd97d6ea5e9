//! `not-tls`: an honest plain-text answer.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "not-tls",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the port does not speak TLS",
    why: "The answer to a hello is plain text. As an upstream, nginx logs wrong version number (OpenSSL 1.1.1 \
          and 3.0) or packet length too long with record layer failure (3.2 and later), and answers 502.",
    fix: "Use the TLS port of the server, or plain http:// in proxy_pass. In nginx, a listen directive without \
          ssl speaks plain HTTP; a server line in an upstream block without a port means port 80. For a mail, \
          database or directory server that upgrades, use --starttls.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#listen",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    report(
        &RULE,
        (endpoint, cx),
        Trouble::NotTls,
        ("the port does not speak TLS", "connections are answered in plain text"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::fixtures::{Scene, any};
    use crate::observation::{Cause, PlainProtocol, Stage};

    #[test]
    fn it_fails_every_client() {
        let mut scene = Scene::new();
        scene.fail(
            any,
            Stage::Handshake,
            &Cause::NotTls(PlainProtocol::Http("HTTP/1.1 400".to_owned())),
        );
        scene.check(&["error not-tls"]);
    }

    #[test]
    fn a_completed_handshake_passes() {
        Scene::new().check(&[]);
    }
}
