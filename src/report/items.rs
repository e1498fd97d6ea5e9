//! The items to report about a target: its findings, and what could not be tested.

use super::escape::escape;
use crate::audit::finding::{Finding, Severity};
use crate::audit::judge::Judgement;
use crate::audit::registry::find;
use crate::audit::rule::Rule;
use crate::run::TargetReport;
use crate::targets::Target;
use crate::targets::address::host_port;

/// An item to report.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Finding(&'a Finding),
    /// Something that could not be tested and has no finding: the rule's id and the reason.
    Untested(&'static str, &'a str),
}

/// Everything to report about a target: findings, worst first, then what could not be tested.
pub(super) fn items(report: &TargetReport) -> impl Iterator<Item = Item<'_>> {
    let findings = report.judgement.findings.iter().map(Item::Finding);
    findings.chain(unexplained(report).map(|(rule, why)| Item::Untested(rule, why)))
}

/// What could not be tested and has no finding of its own: the rule's id and the reason.
pub(super) fn unexplained(report: &TargetReport) -> impl Iterator<Item = (&'static str, &str)> {
    let Judgement { findings, untested, .. } = &report.judgement;
    // A defect at one address does not show that another address could not be tested.
    let says_so = |rule| findings.iter().any(|one| one.rule == rule && one.could_not_test);
    let left = untested.iter().filter(move |(rule, _)| !says_so(*rule));
    left.map(|(rule, why)| (*rule, why.as_str()))
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

    /// The message on one line.
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

    /// Identifies it across runs; what was not tested is identified like a finding of that rule.
    pub(super) fn fingerprint(self, target: &Target) -> String {
        match (self, find(self.rule())) {
            (Self::Finding(finding), _) => finding.fingerprint(target),
            (_, Some(rule)) => rule.finds("").subject("untested").fingerprint(target),
            (_, None) => self.rule().to_owned(),
        }
    }

    /// The fix with its directives, on one line; empty if there is none.
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

/// Host and port for the fields that have existed since the first release. If the target is not an endpoint, the port
/// is 0, and a configuration has the host `nginx`.
pub(super) fn host_and_port(target: &Target) -> (String, u16) {
    let host = target.host().map_or_else(|| "nginx".to_owned(), ToString::to_string);
    (host, target.port().unwrap_or(0))
}

/// The target as an address: host and port with the name that is sent, or else its name.
pub(super) fn address(target: &Target) -> String {
    let Some((host, port)) = target.host().zip(target.port()) else {
        return escape(&target.name).into_owned();
    };
    let place = host_port(host, port).to_string();
    let sni = target.server_name.as_deref().map(|name| format!("?sni={}", escape(name)));
    format!("tls://{}{}", escape(&place), sni.unwrap_or_default())
}

/// A rule's summary; its id if the registry does not contain it.
pub(super) fn summary(id: &'static str) -> &'static str {
    find(id).map_or(id, |rule: &Rule| rule.summary)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Item, items};
    use crate::audit::finding::Severity;
    use crate::audit::fixtures::Scene;
    use crate::observation::{Cause, Failure, Observed, Stage};
    use crate::run::{Status, TargetReport};

    #[test]
    fn a_finding_at_one_address_does_not_hide_that_another_could_not_be_tested() {
        let mut scene = Scene::new();
        scene.second_address();
        let failure = Failure { stage: Stage::Connect, cause: Cause::ConnectionRefused };
        for (endpoint, seen) in
            scene.seen.endpoints.iter_mut().zip([Observed::Absent, Observed::Failed(failure)])
        {
            endpoint.handshakes.iter_mut().for_each(|cell| cell.resumption = seen.clone());
        }
        let judgement = scene.judge();
        let Scene { target, seen, .. } = scene;
        let report = TargetReport::new(Arc::new(target), seen, judgement, Severity::Error);
        assert_eq!(report.status, Status::Untested);
        let reasons = items(&report).filter(|item| matches!(item, Item::Untested(..)));
        let reasons: Vec<String> = reasons.map(Item::message).collect();
        assert!(reasons.len() == 1 && reasons[0].contains("connection refused"), "{reasons:?}");
    }
}
