//! The findings of the rules about a failing handshake of nginx. Each fault is reported by exactly one rule.

use super::identity::doubts;
use super::mend::over_tls;
use super::story::{FaultKind, Story, directives};
use super::verdict::{Breakage, HandshakeVerdict};
use crate::audit::finding::{Finding, Fix};
use crate::audit::reproduce::{as_nginx, in_plain_text};
use crate::audit::rule::{self, Context, Rule};
use crate::audit::rules::names_of;
use crate::observation::Cause;
use crate::observation::nginx::{Complaint, NginxAttempt, Served};
use crate::targets::nginx_client::{NginxClient, OpenSslSetting, SettingChange};
use crate::tls::version::ProtocolVersion;

/// The check of every rule about a failing handshake of nginx: is the fault of the rule's kind?
pub fn check(rule: &Rule, kind: FaultKind, story: &Story<'_>, cx: &Context<'_>) -> rule::Verdict {
    match &story.verdict {
        // Whether nginx can connect at all is not visible from here; failed connections from here have rules of their
        // own.
        HandshakeVerdict::Fails(Breakage::Network(_)) => rule::Verdict::NotApplicable,
        HandshakeVerdict::Fails(breakage) if story.kind(breakage) == kind => {
            let client = &story.configured.client;
            let address = story.endpoint.address;
            let plain = client.plain.as_ref().and_then(|_| in_plain_text(client, address));
            let requests = breakage.is_behind_the_handshake();
            let command =
                plain.unwrap_or_else(|| as_nginx(cx.target, Some(address), client, requests));
            finding(rule, (kind, breakage), story, cx).reproduce(command).into()
        }
        HandshakeVerdict::Works if story.configured.client.verify || !kind.needs_verification() => {
            rule::Verdict::Pass
        }
        _ => rule::Verdict::NotApplicable,
    }
}

fn finding(
    rule: &Rule,
    (kind, breakage): (FaultKind, &Breakage),
    story: &Story<'_>,
    cx: &Context<'_>,
) -> Finding {
    let mut finding = rule.finds(format!("{}: {}", rule.summary, describe(breakage)));
    finding.evidence.push(story.settings());
    if let Some(line) = story.error_log_line() {
        finding.evidence.push(format!("nginx would log: {line}"));
    }
    if let (Breakage::Name(_), Some(leaf)) =
        (breakage, story.configured.chain().and_then(|chain| chain.leaf()))
    {
        finding.evidence.push(format!("the certificate is for {}", names_of(leaf)));
    }
    if let (FaultKind::ClientCertificate, Some(identity)) =
        (kind, &story.configured.client.identity)
    {
        finding.evidence.extend(doubts(identity, story.certificate_request(), cx.now));
    }
    let tries = story.endpoint.nginx.len() - 1;
    if story.fixed.is_none() && tries > 0 {
        finding
            .evidence
            .push(format!("{tries} changes to nginx's directives were tried; none fixes it"));
    }
    let client = &story.configured.client;
    match (story.fixed, untried(client, kind, breakage)) {
        (Some(fixed), _) => {
            finding.evidence.push(format!(
                "tried: {} {}",
                in_words(&fixed.client, &fixed.changes),
                outcome(fixed)
            ));
            finding.fix = Some(story.fix(text(rule, fixed), fixed, cx.target));
        }
        (None, Some(change)) => {
            let fix = finding.fix.get_or_insert_with(|| Fix {
                text: rule.fix.to_owned(),
                directives: Vec::new(),
                verified: None,
                assumes: None,
            });
            fix.directives = directives(client, &[change]);
        }
        (None, None) => {}
    }
    finding
}

/// The change to propose if it could not be tried.
fn untried(client: &NginxClient, kind: FaultKind, breakage: &Breakage) -> Option<SettingChange> {
    match breakage {
        Breakage::PostHandshakeAuthentication(_) => {
            Some(SettingChange::Protocols(vec![ProtocolVersion::TLS1_2]))
        }
        Breakage::PlainText(_) => over_tls(client).into_iter().flatten().next(),
        _ if kind == FaultKind::SniMissing => Some(SettingChange::ServerName),
        _ => None,
    }
}

/// What a server that expects TLS makes of plain text.
fn plain_text(served: &Served) -> String {
    match served {
        Served::Answer { status, complaint: Complaint::PlainText } => {
            format!("it answers HTTP {status} and says that it expects TLS")
        }
        Served::Answer { status, .. } => {
            format!("it answers HTTP {status}, and over TLS it serves the request")
        }
        Served::Ended(Cause::Alert(alert)) => {
            format!("it answers in TLS, with the alert {alert}")
        }
        Served::Ended(cause @ (Cause::Closed | Cause::Reset)) => {
            format!("{cause}; a hello is answered in TLS")
        }
        _ => "it does not answer; a hello is answered in TLS".to_owned(),
    }
}

/// The text of the fix, if it differs from the rule's.
fn text<'r>(rule: &'r Rule, fixed: &NginxAttempt) -> &'r str {
    match fixed.changes.first() {
        Some(SettingChange::ConfCommand(OpenSslSetting::Groups, _)) => {
            "The upstream, or a device in front of it, fails on a hello as large as nginx's. Offer smaller key \
             shares, and reload. It is better to make the upstream accept larger hellos."
        }
        Some(SettingChange::ConfCommand(OpenSslSetting::Options, _)) => {
            "Update the upstream: it lacks secure renegotiation (RFC 5746, from 2010). Until then, let nginx connect \
             to it as shown, and reload."
        }
        _ => rule.fix,
    }
}

fn outcome(fixed: &NginxAttempt) -> String {
    match fixed.status() {
        Some(status) => {
            format!(
                "the handshake as nginx makes it completes, and its request is answered with {status}"
            )
        }
        None => "the handshake as nginx makes it completes".to_owned(),
    }
}

fn in_words(client: &NginxClient, changes: &[SettingChange]) -> String {
    let lines = directives(client, changes).into_iter();
    let lines: Vec<String> = lines.map(|line| format!("{} {};", line.name, line.value)).collect();
    lines.join(" ")
}

/// What ended the handshake, in a phrase.
fn describe(breakage: &Breakage) -> String {
    match breakage {
        Breakage::Network(failure) => failure.cause.to_string(),
        Breakage::Configuration(error) => error.to_string(),
        Breakage::Peer(cause) => cause.to_string(),
        Breakage::Version(version) => {
            format!("it answers with {version}, which nginx does not accept")
        }
        Breakage::DhKeyTooSmall(bits) => format!("its Diffie-Hellman key has only {bits} bits"),
        Breakage::LegacySignature => "it signs its key exchange with SHA-1".to_owned(),
        Breakage::UnsafeRenegotiation => "it lacks secure renegotiation (RFC 5746)".to_owned(),
        Breakage::ClientCertificate(cause) => {
            format!("it refuses nginx's client certificate, or that there is none: {cause}")
        }
        Breakage::Verify(error) => format!("verify error {}, {}", error.0, error.text()),
        Breakage::Name(name) => format!("its certificate is not for {name:?}"),
        Breakage::LateClientCertificate(cause) => {
            format!(
                "it refuses nginx's client certificate, or that there is none, after the handshake: {cause}"
            )
        }
        Breakage::HttpRefusal(status) => {
            format!(
                "it answers HTTP {status} because it requires a client certificate that it accepts"
            )
        }
        Breakage::PostHandshakeAuthentication(status) => format!(
            "it answers HTTP {status}: it asks for a client certificate only after the request, which nginx does not \
             support in TLS 1.3"
        ),
        Breakage::BadSignature => {
            "its signature does not prove that it has the certificate's key".to_owned()
        }
        Breakage::PlainText(served) => plain_text(served),
        Breakage::Late(cause) => format!("it refuses nginx after the handshake: {cause}"),
        Breakage::Misdirected(status) => format!(
            "it answers HTTP {status}: the name in the hello (or no name) does not match the request"
        ),
    }
}
