//! Reports: one file a format. They show what was judged and decide nothing.
//!
//! A format is one file with a `render` and one variant of [`Format`]. Whatever came from the network passes through
//! [`escape`] on its way to people.

pub mod anchor;
mod certificate;
mod chain;
pub mod csv;
pub mod escape;
pub mod explanation;
pub mod github;
pub mod gitlab;
pub mod html;
mod item;
pub mod json;
pub mod junit;
pub mod log;
pub mod markdown;
pub mod matrix;
pub mod nagios;
pub mod ndjson;
mod overview;
pub mod prometheus;
pub mod sarif;
pub mod saved;
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
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML: a suite for each target, a case for each rule.
    Junit,
    /// Annotations of GitHub Actions, and the job's summary.
    Github,
    /// GitLab's Code Quality report.
    Gitlab,
    /// Markdown, for tickets and comments.
    Markdown,
    /// CSV, one row for each finding.
    Csv,
    /// Metrics for node_exporter's textfile collector.
    Prometheus,
    /// A status line with performance data, as Nagios plugins print it.
    Nagios,
    /// One HTML file that needs nothing beside it.
    Html,
}

impl Format {
    /// The word that selects it.
    pub fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether every finding must stand at a place in a file.
    pub fn needs_place(self) -> bool {
        matches!(self, Self::Sarif | Self::Gitlab)
    }
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
    /// What else the forms need to be told.
    pub options: ReportOptions,
}

/// What a report is told beside what was found.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// The severity from which a finding fails its target.
    pub threshold: Severity,
    /// The file that findings point at which stand in none (SARIF and GitLab).
    pub anchor: Option<String>,
    /// The folder that paths are relative to, where a form wants them so.
    pub root: Option<String>,
    /// Whether metrics carry blackbox_exporter's names as well.
    pub blackbox: bool,
    /// Targets that are counted and not shown.
    pub left_out: Summary,
    /// Whether moments and durations are left out, so that equal observations give equal bytes.
    pub omit_times: bool,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            threshold: Severity::Error,
            anchor: None,
            root: None,
            blackbox: false,
            left_out: Summary::default(),
            omit_times: false,
        }
    }
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
    /// Those of them that do not fail the run: allowed by the gate file, or known from the baseline.
    pub excused: usize,
    /// The greatest severity of a finding that is not excused.
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

impl Report {
    /// The run in numbers.
    pub fn summary(&self) -> Summary {
        let mut summary = self.options.left_out;
        self.targets.iter().for_each(|target| summary.add(target));
        summary
    }

    /// When the run began and ended (RFC 3339), where moments are not left out.
    pub fn times(&self) -> (Option<String>, Option<String>) {
        let moment = |moment| (!self.options.omit_times).then(|| json::timestamp(moment));
        (moment(self.started_at), moment(self.finished_at))
    }

    /// Writes the report in one of its forms.
    pub fn render(&self, format: Format, look: Look, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::render(self, look, out),
            Format::Json => json::render(self, out),
            Format::Ndjson => self.targets.iter().try_for_each(|target| ndjson::line(target, out)),
            Format::Sarif => sarif::render(self, out),
            Format::Junit => junit::render(self, out),
            Format::Github => github::render(self, out),
            Format::Gitlab => gitlab::render(self, out),
            Format::Markdown => markdown::render(self, out),
            Format::Csv => csv::render(self, out),
            Format::Prometheus => prometheus::render(self, out),
            Format::Nagios => nagios::render(self, out),
            Format::Html => html::render(self, out),
        }
    }
}
