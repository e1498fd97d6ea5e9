//! Reports: one file a format. They show what was judged and decide nothing.
//!
//! A format is one file with a `render` and one variant of [`Format`]. Whatever came from the network passes through
//! [`escape`] on its way to people.

mod chain;
pub mod escape;
pub mod explanation;
pub mod json;
pub mod log;
pub mod matrix;
pub mod ndjson;
mod overview;
mod scan;
pub mod table;
mod text;

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use crate::audit::finding::Severity;
use crate::run::{Status, TargetReport};

/// The forms that a report can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// For people, in a terminal.
    #[default]
    Table,
    /// One JSON document, in input order.
    Json,
    /// One JSON object a line, each as soon as its target is done.
    Ndjson,
}

/// How a report for people looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use colour. Nothing is said by colour alone.
    pub colour: bool,
    /// Whether to list every certificate that was sent.
    pub show_chain: bool,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Report {
    /// When the first probe started.
    pub started_at: OffsetDateTime,
    /// When the last target was judged.
    pub finished_at: OffsetDateTime,
    /// The targets, in input order.
    pub targets: Vec<TargetReport>,
    /// Whether the run was stopped before every target was tested.
    pub interrupted: bool,
    /// What the targets are.
    pub kind: Kind,
}

/// What the targets of a report are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Endpoints that were probed.
    Endpoints,
    /// Chains that stand in files.
    Files,
}

/// A run in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// All targets.
    pub targets: usize,
    /// Those that were tested, with nothing that reaches the threshold.
    pub passed: usize,
    /// Those with a finding that reaches the threshold.
    pub failed: usize,
    /// Those that could not be tested, or not wholly.
    pub untested: usize,
    /// Findings by severity.
    pub findings: Counts,
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
        self.targets += 1;
        match report.status {
            Status::Pass => self.passed += 1,
            Status::Fail => self.failed += 1,
            Status::Untested => self.untested += 1,
        }
        for finding in &report.judgement.findings {
            match finding.severity {
                Severity::Error => self.findings.error += 1,
                Severity::Warning => self.findings.warning += 1,
                Severity::Note => self.findings.note += 1,
            }
        }
    }
}

impl Report {
    /// The run in numbers.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        self.targets.iter().for_each(|target| summary.add(target));
        summary
    }

    /// Writes the report in one of its forms.
    pub fn render(&self, format: Format, look: Look, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::render(self, look, out),
            Format::Json => json::render(self, out),
            Format::Ndjson => self.targets.iter().try_for_each(|target| ndjson::line(target, out)),
        }
    }
}
