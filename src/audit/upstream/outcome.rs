//! nginx's verdict on a target as a whole, and the severity of the other findings in its light.

use super::case::{self, NginxCase};
use super::verdict::{HandshakeVerdict, NginxFailure};
use crate::audit::finding::{Finding, Severity};
use crate::audit::registry;
use crate::audit::rule::{Check, Rule};
use crate::audit::rules::{certificate, chain, sni};
use crate::observation::nginx::{RefusalSubject, Served};
use crate::targets::Target;
use crate::targets::nginx_client::NginxRequest;

/// nginx's verdict on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxOutcome {
    /// The handshake works at every address.
    Pass,
    /// It fails at some address; the line in the error log, if nginx writes one.
    Fail(Option<String>),
    /// Not tested: no connection from here; the line that nginx would log in this case.
    Untested(Option<String>),
}

/// Rules about faults that nginx ignores while it does not verify.
const UNVERIFIED: [&Rule; 6] = [
    &certificate::certificate_without_san::RULE,
    &certificate::hostname_mismatch::RULE,
    &chain::chain_incomplete::RULE,
    &chain::self_signed::RULE,
    &chain::untrusted_issuer::RULE,
    &sni::sni_different_certificate::RULE,
];

/// nginx's verdict on the target; `None` if its settings are not known.
pub fn outcome(target: &Target, cases: &[NginxCase<'_>]) -> Option<NginxOutcome> {
    target.nginx.as_ref()?;
    let fails = |case: &&NginxCase<'_>| matches!(case.verdict, HandshakeVerdict::Fails(_));
    let unreached = |case: &&NginxCase<'_>| {
        matches!(case.verdict, HandshakeVerdict::Fails(NginxFailure::Network(_)))
    };
    if let Some(case) = cases.iter().find(|case| fails(case) && !unreached(case)) {
        return Some(NginxOutcome::Fail(case.error_log_line(target)));
    }
    let works =
        !cases.is_empty() && cases.iter().all(|case| case.verdict == HandshakeVerdict::Works);
    let unreached = cases.iter().find(unreached);
    Some(if works {
        NginxOutcome::Pass
    } else {
        NginxOutcome::Untested(unreached.and_then(|case| case.error_log_line(target)))
    })
}

/// What the answer to a request whose Host or path is only assumed suggests. It is not a fault: nginx may send another
/// request.
pub fn possibly(case: &NginxCase<'_>) -> Option<String> {
    let (served, client) = (&case.configured.served, &case.configured.client);
    let request = client.request.as_ref().filter(|request| request.assumed)?;
    if case.verdict != HandshakeVerdict::Works {
        return None;
    }
    let answers = match served {
        Served::Renegotiates => {
            "another handshake, probably to ask for a client certificate".to_owned()
        }
        Served::Answer { status, subject } => {
            let subject = match subject {
                RefusalSubject::Name => {
                    "the name in the hello (or no name) does not match that Host"
                }
                RefusalSubject::Certificate => "it is about a client certificate",
                RefusalSubject::PostHandshakeAuthentication => {
                    "it asks for a client certificate only after the request, which nginx does not support in TLS 1.3"
                }
                RefusalSubject::PlainText | RefusalSubject::None => return None,
            };
            format!("HTTP {status}: {subject}")
        }
        _ => return None,
    };
    let NginxRequest { method, path, host, .. } = request;
    Some(format!("{method} {path} with Host {host}, which is assumed, is answered with {answers}"))
}

/// Replaces directives that rules name for any proxy by those of this client, with their places.
pub fn adapt(findings: &mut [Finding], target: &Target) {
    let Some(client) = &target.nginx else { return };
    let fixes = findings.iter_mut().filter_map(|finding| finding.fix.as_mut());
    for directive in fixes.flat_map(|fix| &mut fix.directives) {
        if let Some(suffix) = directive.name.strip_prefix("proxy_ssl_")
            && directive.file.is_none()
        {
            *directive = case::directive(client, suffix, directive.value.clone());
        }
    }
}

/// If the result of nginx's own handshake is known, it decides: other errors become warnings, and faults that only
/// verification finds become notes while verification is off.
pub fn soften(findings: &mut [Finding], target: &Target, outcome: Option<&NginxOutcome>) {
    let Some(client) = &target.nginx else { return };
    let of_nginx =
        |finding: &Finding| is_about_nginx(finding) && finding.severity == Severity::Error;
    let decides = match outcome {
        Some(NginxOutcome::Pass) => true,
        // If nginx's failure has no finding of its own, its cause remains an error.
        Some(NginxOutcome::Fail(_)) => findings.iter().any(of_nginx),
        Some(NginxOutcome::Untested(_)) | None => false,
    };
    if !decides {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| !is_about_nginx(finding)) {
        let minded = client.verify || !UNVERIFIED.iter().any(|rule| rule.id == finding.rule);
        let most = if minded { Severity::Warning } else { Severity::Note };
        finding.severity = finding.severity.min(most);
    }
}

/// Whether the finding comes from a rule about nginx's own handshake.
pub fn is_about_nginx(finding: &Finding) -> bool {
    registry::find(finding.rule)
        .is_some_and(|rule| matches!(rule.check, Check::Upstream(_) | Check::Plain(_)))
}
