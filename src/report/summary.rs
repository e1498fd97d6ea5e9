//! The counts of a run.

use schemars::JsonSchema;
use serde::Serialize;

use super::ReportKind;
use super::words::counted;
use crate::audit::finding::Severity;
use crate::run::{Status, TargetReport};
use crate::targets::{FilePart, TargetKind};

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// All targets.
    pub targets: usize,
    /// Those that were tested and have no finding that reaches the threshold.
    pub passed: usize,
    /// Those with a finding that reaches the threshold.
    pub failed: usize,
    /// Those that could not be tested, or not completely.
    pub untested: usize,
    /// Findings by severity.
    pub findings: Counts,
    /// Findings that do not fail the run: allowed by the gate file, or known from the baseline.
    pub excused: usize,
    /// Untested targets where the operator allows every reason.
    #[serde(skip)]
    pub waived: usize,
    /// Targets that are revocation lists.
    #[serde(skip)]
    pub lists: usize,
    /// Targets that are files which could not be read.
    #[serde(skip)]
    pub unread: usize,
    /// The highest severity of a finding that is not excused.
    #[serde(skip)]
    pub worst: Option<Severity>,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Findings of severity error.
    pub error: usize,
    /// Findings of severity warning.
    pub warning: usize,
    /// Findings of severity note.
    pub note: usize,
}

impl Summary {
    /// Counts one more target.
    pub fn add(&mut self, report: &TargetReport) {
        let findings = report.judgement.findings.iter();
        self.count(report.status, findings.map(|one| (one.severity, one.excuse.is_some())));
        self.waived += usize::from(report.is_waived());
        match report.target.kind {
            TargetKind::File { part: FilePart::RevocationLists, .. } => self.lists += 1,
            TargetKind::File { part: FilePart::Unread, .. } => self.unread += 1,
            _ => {}
        }
    }

    /// How many targets there are of each kind, with the noun for it.
    pub fn kinds(&self, kind: ReportKind) -> Vec<(usize, &'static str)> {
        if kind == ReportKind::Endpoints {
            return vec![(self.targets, "target")];
        }
        let chains = self.targets - self.lists - self.unread;
        let kinds = [
            (chains, "chain"),
            (self.lists, "revocation list file"),
            (self.unread, "unreadable file"),
        ];
        let others = self.lists + self.unread;
        kinds
            .into_iter()
            .filter(|(count, noun)| *count > 0 || others == 0 && *noun == "chain")
            .collect()
    }

    /// The same in words: "2 chains and 1 unreadable file".
    pub fn counted_kinds(&self, kind: ReportKind) -> String {
        let kinds: Vec<String> =
            self.kinds(kind).into_iter().map(|(count, noun)| counted(count, noun)).collect();
        match kinds.as_slice() {
            [before @ .., last] if !before.is_empty() => {
                format!("{} and {last}", before.join(", "))
            }
            _ => kinds.concat(),
        }
    }

    /// Whether everything was tested that the operator does not allow to be missing, and nothing reaches the threshold.
    pub fn is_in_order(&self) -> bool {
        self.passed + self.waived == self.targets
    }

    /// Counts one more target by its status, and its findings by severity and whether they are excused.
    pub fn count(&mut self, status: Status, findings: impl Iterator<Item = (Severity, bool)>) {
        self.targets += 1;
        match status {
            Status::Pass => self.passed += 1,
            Status::Fail => self.failed += 1,
            Status::Untested => self.untested += 1,
        }
        for (severity, excused) in findings {
            self.excused += usize::from(excused);
            if !excused {
                self.worst = self.worst.max(Some(severity));
            }
            match severity {
                Severity::Error => self.findings.error += 1,
                Severity::Warning => self.findings.warning += 1,
                Severity::Note => self.findings.note += 1,
            }
        }
    }
}
