//! The findings of the rules about a failing handshake of nginx: one fault, told by the rule that it belongs to.

use super::story::{FaultKind, Story, directives};
use super::verdict::{Breakage, Verdict};
use crate::audit::finding::{Finding, Fix};
use crate::audit::reproduce::as_nginx;
use crate::audit::rule::{self, Context, Rule};
use crate::audit::rules::names_of;
use crate::targets::nginx_client::{Change, NginxClient};

/// The check of every rule about a failing handshake of nginx: is the fault of the rule's kind?
pub fn check(rule: &Rule, kind: FaultKind, story: &Story<'_>, cx: &Context<'_>) -> rule::Verdict {
    match &story.verdict {
        // Whether nginx gets a connection is not seen from elsewhere, and what is seen from here has its own rules.
        Verdict::Fails(Breakage::Network(_)) => rule::Verdict::NotApplicable,
        Verdict::Fails(breakage) if story.kind(breakage) == kind => {
            let client = &story.configured.client;
            let command = as_nginx(cx.target, Some(story.endpoint.address), client);
            finding(rule, kind, story, breakage).reproduce(command).into()
        }
        Verdict::Works if story.configured.client.verify || !kind.needs_verification() => {
            rule::Verdict::Pass
        }
        _ => rule::Verdict::NotApplicable,
    }
}

fn finding(rule: &Rule, kind: FaultKind, story: &Story<'_>, breakage: &Breakage) -> Finding {
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
    let tries = story.endpoint.nginx.len() - 1;
    if story.cure.is_none() && tries > 0 {
        finding
            .evidence
            .push(format!("{tries} changes of nginx's directives were tried; none mends it"));
    }
    if story.cure.is_none() && kind == FaultKind::SniMissing {
        let client = &story.configured.client;
        let fix = finding.fix.get_or_insert_with(|| Fix {
            text: rule.fix.to_owned(),
            directives: Vec::new(),
            verified: None,
        });
        fix.directives = directives(client, &[Change::ServerName]);
    }
    if let Some(cure) = story.cure {
        finding.evidence.push(format!(
            "tried with {}: the handshake as nginx makes it completes",
            in_words(&cure.client, &cure.changes)
        ));
        finding.fix = Some(Fix {
            text: rule.fix.to_owned(),
            directives: directives(&cure.client, &cure.changes),
            verified: Some(true),
        });
    }
    finding
}

fn in_words(client: &NginxClient, changes: &[Change]) -> String {
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
            format!("it answers with {version}, which nginx does not take")
        }
        Breakage::DhKeyTooSmall(bits) => format!("its Diffie-Hellman key has only {bits} bits"),
        Breakage::LegacySignature => "it signs its key exchange with SHA-1".to_owned(),
        Breakage::UnsafeRenegotiation => "it lacks secure renegotiation (RFC 5746)".to_owned(),
        Breakage::ClientCertificate(cause) => {
            format!("it refuses nginx's client certificate, or its lack: {cause}")
        }
        Breakage::Verify(error) => format!("verify error {}, {}", error.0, error.text()),
        Breakage::Name(name) => format!("its certificate is not for {name:?}"),
        Breakage::LateClientCertificate(cause) => {
            format!(
                "it refuses nginx's client certificate, or its lack, after the handshake: {cause}"
            )
        }
        Breakage::HttpRefusal(status) => {
            format!("it answers HTTP {status} for want of a client certificate that it takes")
        }
    }
}
