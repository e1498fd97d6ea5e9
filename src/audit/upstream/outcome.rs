//! What nginx makes of a target as a whole, and how much the other findings matter beside that.

use super::story::{self, Story};
use super::verdict::{Breakage, HandshakeVerdict};
use crate::audit::finding::{Finding, Severity};
use crate::audit::registry;
use crate::audit::rule::{Check, Rule};
use crate::audit::rules::{certificate, chain, sni};
use crate::targets::Target;

/// What nginx makes of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxOutcome {
    /// The handshake works at every address.
    Pass,
    /// It fails somewhere; the line in the error log, where nginx writes one.
    Fail(Option<String>),
    /// It could not be told: the connection is not even made, from here; the line in the error log, were it nginx.
    Untested(Option<String>),
}

/// Rules about what nginx does not look at while it does not verify.
const UNVERIFIED: [&Rule; 6] = [
    &certificate::certificate_without_san::RULE,
    &certificate::hostname_mismatch::RULE,
    &chain::chain_incomplete::RULE,
    &chain::self_signed::RULE,
    &chain::untrusted_issuer::RULE,
    &sni::sni_different_certificate::RULE,
];

/// What nginx makes of the target; `None` where its settings are not known.
pub fn outcome(target: &Target, stories: &[Story<'_>]) -> Option<NginxOutcome> {
    target.nginx.as_ref()?;
    let fails = |story: &&Story<'_>| matches!(story.verdict, HandshakeVerdict::Fails(_));
    let unreached =
        |story: &&Story<'_>| matches!(story.verdict, HandshakeVerdict::Fails(Breakage::Network(_)));
    if let Some(story) = stories.iter().find(|story| fails(story) && !unreached(story)) {
        return Some(NginxOutcome::Fail(story.error_log_line()));
    }
    let works =
        !stories.is_empty() && stories.iter().all(|story| story.verdict == HandshakeVerdict::Works);
    let unreached = stories.iter().find(unreached);
    Some(if works {
        NginxOutcome::Pass
    } else {
        NginxOutcome::Untested(unreached.and_then(Story::error_log_line))
    })
}

/// Directives that a rule names for any proxy, as this one calls them, and where it has them.
pub fn adapt(findings: &mut [Finding], target: &Target) {
    let Some(client) = &target.nginx else { return };
    let fixes = findings.iter_mut().filter_map(|finding| finding.fix.as_mut());
    for directive in fixes.flat_map(|fix| &mut fix.directives) {
        if let Some(suffix) = directive.name.strip_prefix("proxy_ssl_")
            && directive.file.is_none()
        {
            *directive = story::directive(client, suffix, directive.value.clone());
        }
    }
}

/// Where nginx's own handshake tells, nothing else that was found decides: an error is a warning then, and what only
/// verification would mind is a note while there is none.
pub fn soften(findings: &mut [Finding], target: &Target, outcome: Option<&NginxOutcome>) {
    let Some(client) = &target.nginx else { return };
    let of_nginx =
        |finding: &Finding| is_about_nginx(finding) && finding.severity == Severity::Error;
    let decides = match outcome {
        Some(NginxOutcome::Pass) => true,
        // Without a finding of its own, nginx's failure is told by its cause.
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

/// Whether the rule that found this judges nginx's own handshake.
pub fn is_about_nginx(finding: &Finding) -> bool {
    registry::find(finding.rule)
        .is_some_and(|rule| matches!(rule.check, Check::Upstream(_) | Check::Plain(_)))
}
