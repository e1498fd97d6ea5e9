//! The findings of the rules about a failing handshake of nginx. Each fault is reported by exactly one rule.

use super::candidates::over_tls;
use super::case::{FaultKind, NginxCase, directives};
use super::identity::doubts;
use super::verdict::{HandshakeVerdict, NginxFailure};
use crate::audit::finding::{Finding, Fix};
use crate::audit::reproduce::{as_nginx, in_plain_text, probe_with_name};
use crate::audit::rule::{self, Context, Rule, day};
use crate::audit::rules::names_of;
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl::{self, ListFault};
use crate::observation::Cause;
use crate::observation::nginx::{NginxAttempt, RefusalSubject, Served};
use crate::openssl::verify_error::VerifyError;
use crate::targets::nginx_client::{NginxClient, OpenSslSetting, SettingChange};
use crate::tls::version::ProtocolVersion;

/// The check of every rule about a failing handshake of nginx: is the fault of the rule's kind?
pub fn check(
    rule: &Rule,
    kind: FaultKind,
    case: &NginxCase<'_>,
    cx: &Context<'_>,
) -> rule::Verdict {
    match &case.verdict {
        // Whether nginx can connect at all is not visible from here; failed connections from here have rules of their
        // own.
        HandshakeVerdict::Fails(NginxFailure::Network(_)) => rule::Verdict::NotApplicable,
        HandshakeVerdict::Fails(failure) if case.kind(failure) == kind => {
            let client = &case.configured.client;
            let address = case.endpoint.address;
            let plain = client.plain.as_ref().and_then(|_| in_plain_text(client, address));
            let requests = failure.is_behind_the_handshake();
            let command =
                plain.unwrap_or_else(|| as_nginx(cx.target, Some(address), client, requests));
            finding(rule, (kind, failure), case, cx).reproduce(command).into()
        }
        HandshakeVerdict::Works if case.configured.client.verify || !kind.needs_verification() => {
            rule::Verdict::Pass
        }
        _ => rule::Verdict::NotApplicable,
    }
}

fn finding(
    rule: &Rule,
    (kind, failure): (FaultKind, &NginxFailure),
    case: &NginxCase<'_>,
    cx: &Context<'_>,
) -> Finding {
    let mut finding = rule.finds(format!("{}: {}", rule.summary, describe(failure)));
    finding.evidence.push(case.settings());
    if failure.is_behind_the_handshake() {
        finding.evidence.extend(requested(&case.configured.client));
    }
    if let Some(line) = case.error_log_line(cx.target) {
        finding.evidence.push(format!("nginx would log: {line}"));
    }
    if let (NginxFailure::Name(_), Some(leaf)) =
        (failure, case.configured.chain().and_then(|chain| chain.leaf()))
    {
        finding.evidence.push(format!("the certificate is for {}", names_of(leaf)));
    }
    if let NginxFailure::Revocation(_) = failure {
        finding.evidence.extend(list_evidence(case, cx));
    }
    if let (FaultKind::ClientCertificate, Some(identity)) = (kind, &case.configured.client.identity)
    {
        finding.evidence.extend(doubts(identity, case.certificate_request(), cx.now));
    }
    let tries = case.endpoint.nginx.len() - 1;
    if case.fixed.is_none() && tries > 0 {
        finding
            .evidence
            .push(format!("{tries} changes to nginx's directives were tried; none fixes it"));
    }
    let client = &case.configured.client;
    match (case.fixed, untried(client, kind, failure)) {
        (Some(fixed), _) => {
            finding.evidence.push(format!(
                "tried: {} {}",
                in_words(&fixed.client, &fixed.changes),
                outcome(fixed)
            ));
            finding.fix = Some(case.fix(text(rule, fixed), fixed, cx.target));
        }
        (None, Some(change)) => {
            if kind == FaultKind::SniMissing {
                finding.evidence.push(name_wanted(client, case));
            }
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

/// A server name alone is no fix where it is not the upstream's.
fn name_wanted(client: &NginxClient, case: &NginxCase<'_>) -> String {
    let named = client.with_name_sent();
    let sent =
        named.sni().map_or("no name, because the host of proxy_pass is an address", |name| name);
    let command = probe_with_name(&client.name, case.endpoint.address);
    format!(
        "{} on alone would send {sent}; no name that the upstream accepts is known here: ask its operator for one, then try {command}",
        client.directive("server_name")
    )
}

/// What each certificate of the path lacks, issuer by issuer.
fn list_evidence(case: &NginxCase<'_>, cx: &Context<'_>) -> Vec<String> {
    let client = &case.configured.client;
    let (Some(trusted), Some(chain)) = (&client.trusted, case.configured.chain()) else {
        return Vec::new();
    };
    let question = client.question(chain, trusted, cx.now);
    let profile = client.verification(client.verify_depth);
    let faults = openssl::list_faults(question, profile, &Verifier::default());
    let file = client.crl.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for fault in faults {
        let ListFault { certificate, issuer, error, ends } = &fault;
        let line = match (*error, ends) {
            (VerifyError::UNABLE_TO_GET_CRL, _) => {
                format!("{file} has no revocation list of {issuer} that counts")
            }
            (VerifyError::CRL_HAS_EXPIRED, Some(ends)) => {
                format!("the revocation list of {issuer} in {file} ended on {}", day(*ends))
            }
            (VerifyError::CERT_REVOKED, _) => {
                format!("the revocation list of {issuer} in {file} contains {certificate}")
            }
            _ => format!("the revocation list of {issuer} in {file}: {}", error.text()),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The change to propose if it could not be tried.
fn untried(client: &NginxClient, kind: FaultKind, failure: &NginxFailure) -> Option<SettingChange> {
    match failure {
        NginxFailure::PostHandshakeAuthentication(_) => {
            Some(SettingChange::Protocols(vec![ProtocolVersion::TLS1_2]))
        }
        NginxFailure::PlainText(_) => over_tls(client).into_iter().flatten().next(),
        _ if kind == FaultKind::SniMissing => Some(SettingChange::ServerName),
        _ => None,
    }
}

/// What a server that expects TLS makes of plain text.
fn plain_text(served: &Served) -> String {
    match served {
        Served::Answer { status, subject: RefusalSubject::PlainText } => {
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

/// Which of several paths was requested.
fn requested(client: &NginxClient) -> Option<String> {
    let request = client.request.as_ref().filter(|request| !request.more_paths.is_empty())?;
    let left_out = match request.paths_left_out {
        0 => String::new(),
        count => format!("; {count} more paths were not requested"),
    };
    Some(format!("seen with a request for {}{left_out}", request.path))
}

/// What ended the handshake, in a phrase.
fn describe(failure: &NginxFailure) -> String {
    match failure {
        NginxFailure::Network(failure) => failure.cause.to_string(),
        NginxFailure::Configuration(error) => error.to_string(),
        NginxFailure::Peer(cause) => cause.to_string(),
        NginxFailure::Version(version) => {
            format!("it answers with {version}, which nginx does not accept")
        }
        NginxFailure::DhKeyTooSmall(bits) => format!("its Diffie-Hellman key has only {bits} bits"),
        NginxFailure::LegacySignature => "it signs its key exchange with SHA-1".to_owned(),
        NginxFailure::UnsafeRenegotiation => "it lacks secure renegotiation (RFC 5746)".to_owned(),
        NginxFailure::ClientCertificate(cause) => {
            format!("it refuses nginx's client certificate, or that there is none: {cause}")
        }
        NginxFailure::Verify(error) | NginxFailure::Revocation(error) => {
            format!("verify error {}, {}", error.0, error.text())
        }
        NginxFailure::Name(name) => format!("its certificate is not for {name:?}"),
        NginxFailure::LateClientCertificate(cause) => {
            format!(
                "it refuses nginx's client certificate, or that there is none, after the handshake: {cause}"
            )
        }
        NginxFailure::HttpRefusal(status) => {
            format!(
                "it answers HTTP {status} because it requires a client certificate that it accepts"
            )
        }
        NginxFailure::PostHandshakeAuthentication(status) => format!(
            "it answers HTTP {status}: it asks for a client certificate only after the request, which nginx does not \
             support in TLS 1.3"
        ),
        NginxFailure::BadSignature => {
            "its signature does not prove that it has the certificate's key".to_owned()
        }
        NginxFailure::UnreadableCertificate(part) => format!("OpenSSL cannot read {part}"),
        NginxFailure::PlainText(served) => plain_text(served),
        NginxFailure::Late(cause) => format!("it refuses nginx after the handshake: {cause}"),
        NginxFailure::Misdirected(status) => format!(
            "it answers HTTP {status}: the name in the hello (or no name) does not match the request"
        ),
    }
}
