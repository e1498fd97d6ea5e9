//! The definition of a rule: plain data and one function that sees one thing.

use std::net::SocketAddr;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::finding::{Finding, Fix, Section, Severity};
use super::policy::Policy;
use super::upstream::case::NginxCase;
use crate::certificate::file::FileChain;
use crate::certificate::trust::{Assessment, TrustStore};
use crate::certificate::{Certificate, Chain};
use crate::observation::{Endpoint, Handshake, Observation};
use crate::targets::{Role, Target};
use crate::tls::version::ProtocolVersion;

/// A rule: its texts, its severity and its check.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case; names the defect, and is the name of the file.
    pub id: &'static str,
    /// The severity unless the check sets another.
    pub severity: Severity,
    /// The kind of fix.
    pub section: Section,
    /// What is wrong, as a phrase without a capital or full stop.
    pub summary: &'static str,
    /// What fails, and for which clients.
    pub why: &'static str,
    /// How to fix it, with the directive's name.
    pub fix: &'static str,
    /// RFC sections, nginx documentation.
    pub references: &'static [&'static str],
    /// Rules that explain this one: if one of them has a finding, this one is not reported.
    pub consequence_of: &'static [&'static Self],
    /// The check.
    pub check: Check,
    /// Findings from a target that has this defect and, if possible, no other; recorded by `audit::specimens`.
    #[cfg(test)]
    pub(crate) specimen: fn() -> Vec<Finding>,
}

impl Rule {
    /// The group that it belongs to.
    pub fn group(&self) -> Option<RuleGroup> {
        match self.check {
            Check::Setting(group) => Some(group),
            _ => None,
        }
    }

    /// A finding of this rule with its severity and general fix.
    pub fn finds(&self, message: impl Into<String>) -> Finding {
        let fix = Fix {
            text: self.fix.to_owned(),
            directives: Vec::new(),
            verified: None,
            assumes: None,
        };
        Finding {
            rule: self.id,
            severity: self.severity,
            message: message.into(),
            evidence: Vec::new(),
            section: self.section,
            fix: Some(fix),
            reproduce: Vec::new(),
            place: None,
            subject: String::new(),
            could_not_test: false,
            excuse: None,
        }
    }
}

/// A group of rules about a configuration, by the effect of the fault. Its name means all its rules in a gate file, an
/// `ignore` comment and `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleGroup {
    /// nginx does not start.
    Refused,
    /// The setting has no effect in its place.
    Ineffective,
    /// The setting probably does not do what was intended.
    Doubtful,
}

impl RuleGroup {
    /// Every group.
    pub const ALL: [Self; 3] = [Self::Refused, Self::Ineffective, Self::Doubtful];

    /// Its name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Refused => "configuration-refused",
            Self::Ineffective => "configuration-ineffective",
            Self::Doubtful => "configuration-doubtful",
        }
    }

    /// What its rules have in common, as a phrase.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Refused => "nginx does not start with this configuration",
            Self::Ineffective => "a setting has no effect in its place",
            Self::Doubtful => "a setting probably does not do what was intended",
        }
    }
}

/// What a rule checks; the judge loops over the items.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Each distinct chain that was sent to a hello with the target's own name.
    Chain(fn(&ObservedChain<'_>, &Context<'_>) -> Verdict),
    /// A chain in a file.
    File(fn(&FileChain, &Context<'_>) -> Verdict),
    /// Each address.
    Endpoint(fn(&Endpoint, &Context<'_>) -> Verdict),
    /// Each distinct leaf certificate that was sent to a hello with the target's own name.
    Leaf(fn(&Certificate, &ObservedChain<'_>, &Context<'_>) -> Verdict),
    /// A fact of a configuration; `rules::configuration` decides which rule it belongs to.
    Setting(RuleGroup),
    /// nginx's handshake with each address, if its settings are known.
    Upstream(fn(&NginxCase<'_>, &Context<'_>) -> Verdict),
    /// nginx's plain-text connection with each address.
    Plain(fn(&NginxCase<'_>, &Context<'_>) -> Verdict),
    /// The target as a whole.
    Target(fn(&Observation, &Context<'_>) -> Verdict),
}

/// What a rule knows besides the item that it checks.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
    /// The target and its expectations.
    pub target: &'a Target,
    /// The trust anchors.
    pub store: &'a TrustStore,
    /// The operator's policy, if given.
    pub policy: Option<&'a Policy>,
}

impl Context<'_> {
    /// Whether nginx is the client of this endpoint.
    pub fn is_upstream(&self) -> bool {
        self.target.role == Role::Upstream
    }

    /// The handshakes with the target's own name, or without a name if it has none.
    pub fn own_cells<'e>(
        &self,
        endpoint: &'e Endpoint,
    ) -> impl Iterator<Item = &'e Handshake> + use<'e> {
        endpoint.cells(self.target.server_name.is_some())
    }

    /// Whether the operator expects this version; `None` without expectations.
    pub fn expects(&self, version: ProtocolVersion) -> Option<bool> {
        self.target.expect.protocols.as_ref().map(|versions| versions.contains(&version))
    }

    /// When a certificate is first reported as expiring: 30 days before its end or in the last third of its lifetime,
    /// whichever is later, or as the operator set.
    pub fn warns_from(&self, certificate: &Certificate) -> OffsetDateTime {
        let lifetime = certificate.not_after - certificate.not_before;
        let period = match self.target.expect.warning_days {
            Some(days) => Duration::days(i64::from(days)),
            None => Duration::days(30).min(lifetime / 3),
        };
        certificate.not_after.saturating_sub(period.max(self.critical_period()))
    }

    /// Whether an expiring certificate is an error already; never, unless the operator set a number of days.
    pub fn is_critical(&self, certificate: &Certificate) -> bool {
        self.target.expect.critical_days.is_some()
            && self.now >= certificate.not_after.saturating_sub(self.critical_period())
    }

    fn critical_period(&self) -> Duration {
        Duration::days(i64::from(self.target.expect.critical_days.unwrap_or(0)))
    }
}

/// A chain, its assessment, and where it was seen.
#[derive(Clone, Debug)]
pub struct ObservedChain<'a> {
    /// The chain as sent.
    pub chain: &'a Arc<Chain>,
    /// The verdicts on it.
    pub assessment: Arc<Assessment>,
    /// The connections on which it was sent.
    pub seen: Vec<(SocketAddr, ProtocolVersion)>,
}

impl ObservedChain<'_> {
    /// Describes a certificate of the chain by its position, subject and dates.
    pub fn describe(&self, index: usize) -> String {
        let count = self.chain.certificates.len();
        match self.chain.certificates.get(index) {
            None => format!("certificate {} of {count} as sent", index + 1),
            Some(certificate) => format!(
                "certificate {} of {count} as sent: {}, issued by {}, valid from {} to {}",
                index + 1,
                certificate.subject.text,
                certificate.issuer.text,
                day(certificate.not_before),
                day(certificate.not_after)
            ),
        }
    }

    /// Where the chain was seen, one address per line.
    pub fn sightings(&self) -> Vec<String> {
        let mut lines: Vec<(SocketAddr, Vec<ProtocolVersion>)> = Vec::new();
        for (address, version) in &self.seen {
            match lines.iter_mut().find(|(known, _)| known == address) {
                Some((_, versions)) if !versions.contains(version) => versions.push(*version),
                Some(_) => {}
                None => lines.push((*address, vec![*version])),
            }
        }
        lines
            .into_iter()
            .map(|(address, versions)| {
                let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
                format!("presented by {address} ({})", names.join(", "))
            })
            .collect()
    }

    /// The first address that sent it.
    pub fn address(&self) -> Option<SocketAddr> {
        self.seen.first().map(|(address, _)| *address)
    }
}

/// A date as year, month and day.
pub fn day(moment: OffsetDateTime) -> String {
    let date = moment.to_offset(time::UtcOffset::UTC).date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The verdict of a rule on one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was checked, and is in order.
    Pass,
    /// The defect is there.
    Fail(Vec<Finding>),
    /// The rule does not apply to this item.
    NotApplicable,
    /// It could not be tested, for this reason.
    Untested(String),
}

impl From<Vec<Finding>> for Verdict {
    fn from(findings: Vec<Finding>) -> Self {
        if findings.is_empty() { Self::Pass } else { Self::Fail(findings) }
    }
}

impl From<Finding> for Verdict {
    fn from(finding: Finding) -> Self {
        Self::Fail(vec![finding])
    }
}

impl From<Option<Finding>> for Verdict {
    fn from(finding: Option<Finding>) -> Self {
        finding.map_or(Self::Pass, Self::from)
    }
}
