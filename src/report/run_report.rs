//! A whole run: its targets, and what the formats are told beside them.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Summary;
use super::words::timestamp;
use crate::audit::finding::Severity;
use crate::run::{Status, TargetReport};

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
    pub kind: ReportKind,
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
    /// The folder in which a configuration lies that is written for `/`: its files are named as this machine has them.
    pub configuration_root: Option<String>,
    /// The rehearsal in which everything was probed, where it was one.
    pub rehearsal: Option<Rehearsed>,
    /// Whether metrics carry blackbox_exporter's names as well.
    pub blackbox: bool,
    /// Targets that are counted and not shown.
    pub left_out: Summary,
    /// Whether the targets that are shown come on top of those.
    pub counts_shown: bool,
    /// Whether moments and durations are left out, so that equal observations give equal bytes.
    pub omit_times: bool,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            threshold: Severity::Error,
            anchor: None,
            root: None,
            configuration_root: None,
            rehearsal: None,
            blackbox: false,
            left_out: Summary::default(),
            counts_shown: true,
            omit_times: false,
        }
    }
}

/// A run in which a private nginx took the place of the live sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rehearsed {
    /// The release of nginx.
    pub nginx: String,
    /// Its TLS library, as nginx names it.
    pub library: Option<String>,
    /// What of the configuration was left out, and so was not tested.
    pub left_out: Vec<String>,
}

impl fmt::Display for Rehearsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rehearsed in a private nginx {}", self.nginx)?;
        if let Some(library) = &self.library {
            write!(f, " with {library}")?;
        }
        f.write_str("; nothing live was touched.")?;
        if !self.left_out.is_empty() {
            write!(f, " Not tested: {}.", self.left_out.join("; "))?;
        }
        Ok(())
    }
}

/// What the targets of a report are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// Endpoints that were probed.
    Endpoints,
    /// Chains that stand in files.
    Files,
}

impl Report {
    /// The run in numbers.
    pub fn summary(&self) -> Summary {
        let mut summary = self.options.left_out;
        if !self.options.counts_shown {
            return summary;
        }
        self.targets.iter().for_each(|target| summary.add(target));
        summary
    }

    /// The same without the targets that are in order, and without findings that are excused: they are counted all the same.
    #[must_use]
    pub fn of_what_is_not_in_order(&self) -> Self {
        let mut report = self.clone();
        report.options.left_out = self.summary();
        report.targets.retain(|target| target.status != Status::Pass && !target.is_waived());
        report.options.counts_shown = false;
        for target in &mut report.targets {
            target.judgement.findings.retain(|finding| finding.excuse.is_none());
        }
        report
    }

    /// When the run began and ended (RFC 3339), where moments are not left out.
    pub fn times(&self) -> (Option<String>, Option<String>) {
        let moment = |moment| (!self.options.omit_times).then(|| timestamp(moment));
        (moment(self.started_at), moment(self.finished_at))
    }
}
