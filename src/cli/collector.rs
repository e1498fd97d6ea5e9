//! Takes the reports of targets as they come, applies the gate and hands them to the formats.

use std::path::PathBuf;

use super::fleet::Draft;
use super::gate::Checkpoint;
use super::report_writer::ReportWriter;
use crate::audit::finding::{Fix, Severity};
use crate::audit::upstream::outcome::is_about_nginx;
use crate::report::{Rehearsed, Summary};
use crate::run::TargetReport;

/// Takes the reports as they come: a stream writes each at once and keeps none, every other form wants them in order.
pub(super) struct Collector {
    pub(super) summary: Summary,
    pub(super) reports: Vec<Option<TargetReport>>,
    pub(super) checkpoint: Checkpoint,
    pub(super) outputs: ReportWriter,
    /// What the streams say at their end.
    pub(super) draft: Option<Draft>,
    pub(super) error: Option<std::io::Error>,
    /// Reports of what was known before.
    pub(super) known: Vec<TargetReport>,
    pub(super) keep_fixes: bool,
    /// The folder below which the configuration lies that names the targets.
    pub(super) root: Option<PathBuf>,
    /// The rehearsal in which everything is probed.
    pub(super) rehearsal: Option<Rehearsed>,
    pub(super) fixes: Vec<(usize, Fix)>,
}

impl Collector {
    pub(super) fn new(targets: usize, checkpoint: Checkpoint, outputs: ReportWriter) -> Self {
        let kept = if outputs.all_stream() { 0 } else { targets };
        let reports = (0..kept).map(|_| None).collect();
        let summary = Summary::default();
        Self {
            summary,
            reports,
            checkpoint,
            outputs,
            draft: None,
            error: None,
            known: Vec::new(),
            keep_fixes: false,
            root: None,
            rehearsal: None,
            fixes: Vec::new(),
        }
    }

    /// A report of what was known before anything was probed.
    pub(super) fn take_known(&mut self, mut report: TargetReport) {
        self.checkpoint.apply(&mut report);
        self.summary.add(&report);
        if !self.checkpoint.shows(&report) {
            return;
        }
        if self.error.is_none() {
            self.error = self.outputs.line(&report).err();
        }
        if !self.outputs.all_stream() {
            self.known.push(report);
        }
    }

    pub(super) fn take(&mut self, index: usize, report: TargetReport) {
        self.summary.add(&report);
        if self.keep_fixes {
            // What the operator allows is to stay as it is.
            let wanted = report.judgement.findings.iter().filter(|finding| {
                is_about_nginx(finding)
                    && finding.excuse.is_none()
                    && finding.severity > Severity::Note
            });
            let fixes = wanted.filter_map(|finding| finding.fix.clone());
            // What holds only under a condition is the operator's to judge.
            let works = fixes.filter(|fix| fix.verified == Some(true) && fix.assumes.is_none());
            self.fixes.extend(works.map(|fix| (index, fix)));
        }
        if !self.checkpoint.shows(&report) {
            return;
        }
        // What was not tested is tested by whoever goes on with the file.
        let left = self.draft.is_some() && report.is_cancelled();
        if self.error.is_none() && !left {
            self.error = self.outputs.line(&report).err();
            if let Some(draft) = &mut self.draft {
                draft.add(index);
            }
        }
        if let Some(place) = self.reports.get_mut(index) {
            *place = Some(report);
        }
    }

    /// Targets that the report counts and does not hold; a stream holds none of them.
    pub(super) fn left_out(&self) -> Summary {
        if self.outputs.all_stream() { self.summary } else { self.checkpoint.left_out() }
    }
}
