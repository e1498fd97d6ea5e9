//! `not-tls`: an honest plain-text answer.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::{Cause, Endpoint, PlainProtocol};

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
    let said = ("the port does not speak TLS", "connections are answered in plain text");
    report(&RULE, (endpoint, cx), Trouble::NotTls, said)
        .map(|finding| match spoken(endpoint) {
            Some(protocol) => advise(finding, protocol, cx),
            None => finding,
        })
        .into()
}

fn spoken(endpoint: &Endpoint) -> Option<&PlainProtocol> {
    endpoint.handshakes.iter().find_map(|cell| match &cell.failure()?.cause {
        Cause::NotTls(protocol) => Some(protocol),
        _ => None,
    })
}

fn advise(finding: Finding, protocol: &PlainProtocol, cx: &Context<'_>) -> Finding {
    match protocol {
        PlainProtocol::Http(_) if !cx.is_upstream() => match cx.target.port() {
            Some(port) => finding.directive("server", "listen", format!("{port} ssl")),
            None => finding,
        },
        PlainProtocol::Greeting(line) => match upgrade(line) {
            Some(name) => finding.fix(format!(
                "The server greets in plain text and may upgrade: audit it with --starttls {name}."
            )),
            None => finding,
        },
        _ => finding,
    }
}

/// The protocol that opens with such a line.
fn upgrade(greeting: &str) -> Option<&'static str> {
    let line = greeting.to_ascii_lowercase();
    match line {
        line if line.starts_with("* ok") => Some("imap"),
        line if line.starts_with("+ok") => Some("pop3"),
        line if line.starts_with("220") && line.contains("ftp") => Some("ftp"),
        line if line.starts_with("220") => Some("smtp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::upgrade;
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

    #[test]
    fn a_greeting_says_what_to_upgrade_from() {
        assert_eq!(upgrade("220 mx.a.test ESMTP ready"), Some("smtp"));
        assert_eq!(upgrade("220 ProFTPD"), Some("ftp"));
        assert_eq!(upgrade("* OK IMAP4rev1"), Some("imap"));
        assert_eq!(upgrade("+OK POP3"), Some("pop3"));
        assert_eq!(upgrade("hello"), None);
    }
}
