//! What there is to say of a target, one after the other: its findings, and what could not be tested.

use super::escape::escape;
use crate::audit::finding::{Finding, Severity};
use crate::audit::registry::find;
use crate::audit::rule::Rule;
use crate::run::TargetReport;
use crate::targets::Target;
use crate::targets::address::host_port;

/// One thing to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Finding(&'a Finding),
    /// What no finding explains: the rule's id and the reason.
    Untested(&'static str, &'a str),
}

/// Everything there is to say of a target: findings, worst first, then what could not be tested.
pub(super) fn items(report: &TargetReport) -> impl Iterator<Item = Item<'_>> {
    let judgement = &report.judgement;
    let findings = judgement.findings.iter();
    let unexplained = judgement
        .untested
        .iter()
        .filter(|(rule, _)| !judgement.findings.iter().any(|finding| finding.rule == *rule));
    findings.map(Item::Finding).chain(unexplained.map(|(rule, why)| Item::Untested(rule, why)))
}

impl<'a> Item<'a> {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Finding(finding) => finding.rule,
            Self::Untested(rule, _) => rule,
        }
    }

    pub(super) fn finding(self) -> Option<&'a Finding> {
        match self {
            Self::Finding(finding) => Some(finding),
            Self::Untested(..) => None,
        }
    }

    /// What is said, on one line.
    pub(super) fn message(self) -> String {
        match self {
            Self::Finding(finding) => escape(&finding.message).into_owned(),
            Self::Untested(_, reason) => format!("could not test: {}", escape(reason)),
        }
    }

    /// The finding's severity, or `untested`.
    pub(super) fn level(self) -> &'static str {
        match self {
            Self::Finding(finding) => match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            Self::Untested(..) => "untested",
        }
    }

    /// What names it from run to run; what was not tested is named as a finding of that rule would be.
    pub(super) fn fingerprint(self, target: &Target) -> String {
        match (self, find(self.rule())) {
            (Self::Finding(finding), _) => finding.fingerprint(target),
            (_, Some(rule)) => rule.finds("").subject("untested").fingerprint(target),
            (_, None) => self.rule().to_owned(),
        }
    }

    /// What to do, with the directives, on one line; empty where there is nothing to do.
    pub(super) fn fix(self) -> String {
        let Some(fix) = self.finding().and_then(|finding| finding.fix.as_ref()) else {
            return String::new();
        };
        let directives = fix.directives.iter();
        let directives = directives.map(|one| format!("{} {};", one.name, one.value));
        let text =
            std::iter::once(fix.text.clone()).chain(directives).collect::<Vec<_>>().join(" ");
        escape(text.trim()).into_owned()
    }
}

/// Host and port in the fields that have held them since the first release. What is no endpoint has port 0 there, and a
/// configuration the host `nginx`.
pub(super) fn host_and_port(target: &Target) -> (String, u16) {
    let host = target.host().map_or_else(|| "nginx".to_owned(), ToString::to_string);
    (host, target.port().unwrap_or(0))
}

/// The target as an address of this program's own: host and port with the name that is sent, or else its name.
pub(super) fn address(target: &Target) -> String {
    let Some((host, port)) = target.host().zip(target.port()) else {
        return escape(&target.name).into_owned();
    };
    let place = host_port(host, port).to_string();
    let sni = target.server_name.as_deref().map(|name| format!("?sni={}", escape(name)));
    format!("tls://{}{}", escape(&place), sni.unwrap_or_default())
}

/// A rule's summary; its id where the registry does not know it.
pub(super) fn summary(id: &'static str) -> &'static str {
    find(id).map_or(id, |rule: &Rule| rule.summary)
}
