//! A complete run: its targets, and the options of the formats.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::Summary;
use super::words::timestamp;
use crate::audit::finding::Severity;
use crate::run::{Status, TargetReport};

/// A complete run.
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
    /// The options of the formats.
    pub options: ReportOptions,
}

/// The options of a report.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Findings of this severity or above fail their target.
    pub threshold: Severity,
    /// The file for findings that have no place in a file (SARIF and GitLab).
    pub anchor: Option<String>,
    /// The folder that paths are relative to, in formats with relative paths.
    pub root: Option<String>,
    /// The root folder of a configuration that is for another root: reports use this machine's names of its files.
    pub configuration_root: Option<String>,
    /// The rehearsal that was probed, if any.
    pub rehearsal: Option<Rehearsed>,
    /// Whether to add metrics under blackbox_exporter's names.
    pub blackbox: bool,
    /// Targets that are counted but not shown.
    pub left_out: Summary,
    /// Whether the shown targets are added to those.
    pub counts_shown: bool,
    /// Whether to omit times and durations, so that equal observations give equal bytes.
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

/// A run against a private nginx instead of the live sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rehearsed {
    /// The release of nginx.
    pub nginx: String,
    /// Its TLS library, as nginx prints it.
    pub library: Option<String>,
    /// Parts of the configuration that were left out, and so were not tested.
    pub left_out: Vec<String>,
    /// What it is compared with; absent without `--against`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Comparison>,
}

/// What a rehearsal is compared with, and the targets that only one of the two has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comparison {
    /// `live`, or the path that the user named.
    pub old: String,
    /// Targets that are only in the new configuration.
    pub added: Vec<String>,
    /// Targets that are only in the old one: whoever connects there is turned away, or served by another server.
    pub gone: Vec<String>,
}

/// The most targets that a sentence names.
const MAX_NAMED: usize = 8;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.old {
            "live" => f.write_str("Compared with what is live.")?,
            old => write!(f, "Compared with {old}.")?,
        }
        for (words, names) in [("Only here", &self.added), ("Only there", &self.gone)] {
            if names.is_empty() {
                continue;
            }
            let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
            write!(f, " {words}: {}", shown.join(", "))?;
            match names.len().saturating_sub(MAX_NAMED) {
                0 => f.write_str(".")?,
                more => write!(f, " and {more} more.")?,
            }
        }
        Ok(())
    }
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
        if let Some(compared) = &self.compared {
            write!(f, " {compared}")?;
        }
        Ok(())
    }
}

/// The kind of the targets of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// Endpoints that were probed.
    Endpoints,
    /// Chains in files.
    Files,
}

impl Report {
    /// The counts of the run.
    pub fn summary(&self) -> Summary {
        let mut summary = self.options.left_out;
        if !self.options.counts_shown {
            return summary;
        }
        self.targets.iter().for_each(|target| summary.add(target));
        summary
    }

    /// The same without the targets that passed, and without excused findings; they are still counted.
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

    /// When the run started and ended (RFC 3339), unless times are omitted.
    pub fn times(&self) -> (Option<String>, Option<String>) {
        let moment = |moment| (!self.options.omit_times).then(|| timestamp(moment));
        (moment(self.started_at), moment(self.finished_at))
    }
}
