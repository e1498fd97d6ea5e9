//! `not-tls`: the port answers in plain text.

use crate::audit::finding::{Finding, Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::audit::rules::reachability::report;
use crate::audit::trouble::Trouble;
use crate::observation::{Cause, Endpoint, PlainProtocol};
use crate::targets::StartTls;

pub(crate) const RULE: Rule = Rule {
    id: "not-tls",
    severity: Severity::Error,
    section: Section::Reachability,
    summary: "the port does not speak TLS",
    why: "The answer to a hello is plain text. If it is an upstream, nginx logs wrong version number (OpenSSL 1.1.1 \
          and 3.0) or packet length too long with record layer failure (3.2 and later), and answers 502.",
    fix: "Use the TLS port of the server, or plain http:// in proxy_pass. In nginx, a listen directive without \
          ssl speaks plain HTTP; a server line in an upstream block without a port means port 80. For a mail, \
          database or directory server that starts in plain text, use --starttls.",
    references: &[
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#listen",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, cx: &Context<'_>) -> Verdict {
    let phrases = ("the port does not speak TLS", "connections are answered in plain text");
    report(&RULE, (endpoint, cx), Trouble::NotTls, phrases)
        .map(|finding| match plain_protocol(endpoint) {
            Some(protocol) => advise(finding, protocol, cx),
            None => finding,
        })
        .into()
}

fn plain_protocol(endpoint: &Endpoint) -> Option<&PlainProtocol> {
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
            Some(protocol) => finding.fix(format!(
                "The server starts in plain text and may upgrade to TLS: test it with --starttls {}.",
                protocol.name()
            )),
            None => finding,
        },
        _ => finding,
    }
}

/// The protocol that opens with such a line.
fn upgrade(greeting: &str) -> Option<StartTls> {
    let line = greeting.to_ascii_lowercase();
    let starts = |start: &str| line.starts_with(start);
    match () {
        () if starts("* ok") => Some(StartTls::Imap),
        () if starts("+ok") => Some(StartTls::Pop3),
        () if starts("220") && line.contains("ftp") => Some(StartTls::Ftp),
        () if starts("220") && line.contains("lmtp") => Some(StartTls::Lmtp),
        () if starts("220") => Some(StartTls::Smtp),
        () if starts("200") || starts("201") => Some(StartTls::Nntp),
        () if starts("<") => Some(StartTls::Xmpp),
        () if starts("mysql") => Some(StartTls::Mysql),
        () if starts("ldap") => Some(StartTls::Ldap),
        () if starts("\"implementation\"") => Some(StartTls::Sieve),
        () if line.contains("notice") => Some(StartTls::Irc),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::upgrade;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::failing;
    use crate::observation::{Cause, PlainProtocol, Stage};
    use crate::targets::StartTls;

    pub(super) fn specimen() -> Vec<Finding> {
        let http = PlainProtocol::Http("HTTP/1.1 400".to_owned());
        failing(Stage::Handshake, &Cause::NotTls(http))
    }

    #[test]
    fn a_greeting_says_what_to_upgrade_from() {
        for (greeting, protocol) in [
            ("220 mx.a.test ESMTP ready", StartTls::Smtp),
            ("220 a.test LMTP", StartTls::Lmtp),
            ("220 ProFTPD", StartTls::Ftp),
            ("* OK IMAP4rev1", StartTls::Imap),
            ("+OK POP3", StartTls::Pop3),
            ("200 InterNetNews ready", StartTls::Nntp),
            ("<?xml version='1.0'?>", StartTls::Xmpp),
            ("MySQL 8.0.36", StartTls::Mysql),
            ("LDAP notice of disconnection", StartTls::Ldap),
            ("\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"", StartTls::Sieve),
            (":irc.a.test NOTICE * :*** Looking up your hostname", StartTls::Irc),
        ] {
            assert_eq!(upgrade(greeting), Some(protocol), "{greeting}");
        }
        assert_eq!(upgrade("hello"), None);
    }
}
