//! What a rule is: plain data and one function that sees one thing.

use std::net::SocketAddr;
use std::sync::Arc;

use time::OffsetDateTime;

use super::finding::{Finding, Fix, Section, Severity};
use crate::certificate::trust::{Assessment, TrustStore};
use crate::certificate::{Certificate, Chain};
use crate::observation::{Endpoint, Observation};
use crate::target::Target;
use crate::tls::version::ProtocolVersion;

/// A rule: its texts, its severity and its check.
#[derive(Debug)]
pub struct Rule {
    /// Kebab-case; names the defect and is the file's name.
    pub id: &'static str,
    /// How bad it is unless the check says otherwise.
    pub severity: Severity,
    /// The family of fixes.
    pub section: Section,
    /// What is wrong, as a phrase without a capital or full stop.
    pub summary: &'static str,
    /// What breaks and for whom.
    pub why: &'static str,
    /// What to do, with the directive's name.
    pub fix: &'static str,
    /// RFC sections, nginx documentation.
    pub references: &'static [&'static str],
    /// Rules whose finding explains this one's: with one of them present, this one is not reported.
    pub consequence_of: &'static [&'static str],
    /// The check.
    pub check: Check,
}

impl Rule {
    /// A finding of this rule with its severity and general fix.
    pub fn finds(&self, message: impl Into<String>) -> Finding {
        let fix = Fix { text: self.fix.to_owned(), directives: Vec::new(), verified: None };
        Finding {
            rule: self.id,
            severity: self.severity,
            message: message.into(),
            evidence: Vec::new(),
            section: self.section,
            fix: Some(fix),
            reproduce: Vec::new(),
            subject: String::new(),
            could_not_test: false,
        }
    }
}

/// What a rule looks at; the judge does the looping.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Each distinct chain presented to a hello with the target's own name.
    Chain(fn(&ChainView<'_>, &Context<'_>) -> Verdict),
    /// Each address.
    Endpoint(fn(&Endpoint, &Context<'_>) -> Verdict),
    /// Each distinct leaf certificate presented to a hello with the target's own name.
    Leaf(fn(&Certificate, &ChainView<'_>, &Context<'_>) -> Verdict),
    /// The target as a whole.
    Target(fn(&Observation, &Context<'_>) -> Verdict),
}

/// What a rule may know beside the thing it looks at.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
    /// The target and what is expected of it.
    pub target: &'a Target,
    /// The anchors that chains are held against.
    pub store: &'a TrustStore,
}

/// A chain, what was made of it, and where it was seen.
#[derive(Clone, Debug)]
pub struct ChainView<'a> {
    /// The chain as sent.
    pub chain: &'a Arc<Chain>,
    /// The verdicts over it.
    pub assessment: Arc<Assessment>,
    /// The connections that were shown it.
    pub seen: Vec<(SocketAddr, ProtocolVersion)>,
}

/// What a rule says of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Looked at and found in order.
    Pass,
    /// The defect is there.
    Fail(Vec<Finding>),
    /// The rule has nothing to say about this thing.
    NotApplicable,
    /// It could not be found out, and this is why.
    Untested(String),
}

impl From<Finding> for Verdict {
    fn from(finding: Finding) -> Self {
        Self::Fail(vec![finding])
    }
}
