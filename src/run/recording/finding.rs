//! A finding in the text of a configuration, as saved.

use serde::{Deserialize, Serialize};

use crate::audit::finding::{Finding, Fix, Section, Severity};
use crate::audit::registry::find;
use crate::targets::Origin;

/// A finding, with the name of its rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedFinding {
    rule: String,
    severity: Severity,
    message: String,
    evidence: Vec<String>,
    section: Section,
    fix: Option<Fix>,
    reproduce: Vec<String>,
    place: Option<Origin>,
    subject: String,
    could_not_test: bool,
}

impl From<&Finding> for RecordedFinding {
    fn from(finding: &Finding) -> Self {
        let finding = finding.clone();
        Self {
            rule: finding.rule.to_owned(),
            severity: finding.severity,
            message: finding.message,
            evidence: finding.evidence,
            section: finding.section,
            fix: finding.fix,
            reproduce: finding.reproduce,
            place: finding.place,
            subject: finding.subject,
            could_not_test: finding.could_not_test,
        }
    }
}

impl RecordedFinding {
    /// The finding; `None` if this release has no such rule.
    pub fn finding(self) -> Option<Finding> {
        Some(Finding {
            rule: find(&self.rule)?.id,
            severity: self.severity,
            message: self.message,
            evidence: self.evidence,
            section: self.section,
            fix: self.fix,
            reproduce: self.reproduce,
            place: self.place,
            subject: self.subject,
            could_not_test: self.could_not_test,
            excuse: None,
        })
    }
}
