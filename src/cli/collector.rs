//! Collects the reports of targets, applies the gate and passes them to the formats.

use std::collections::HashSet;
use std::path::PathBuf;

use super::fleet::Draft;
use super::gate::Checkpoint;
use super::report_writer::ReportWriter;
use crate::audit::finding::{Fix, Severity};
use crate::audit::listener::Candidate;
use crate::audit::upstream::outcome::is_about_nginx;
use crate::report::formats::json::KeptTargets;
use crate::report::{Rehearsed, Summary};
use crate::run::TargetReport;
use crate::run::listener_fixes::ListenerFix;

/// Collects reports: streams write each at once and keep none, JSON keeps texts, other formats need the reports in order.
pub(super) struct Collector {
    pub(super) summary: Summary,
    pub(super) reports: Vec<Option<TargetReport>>,
    /// The targets as JSON, if no format needs more.
    pub(super) kept: Option<KeptTargets>,
    /// The number of reports that needed no probe and are in the report.
    pub(super) shown_before: usize,
    pub(super) checkpoint: Checkpoint,
    pub(super) outputs: ReportWriter,
    /// The manifest at the end of streams.
    pub(super) draft: Option<Draft>,
    pub(super) error: Option<std::io::Error>,
    /// Reports that needed no probe.
    pub(super) known: Vec<TargetReport>,
    pub(super) keep_fixes: bool,
    /// The root folder of the configuration that contains the targets.
    pub(super) root: Option<PathBuf>,
    /// The rehearsal in which everything is probed.
    pub(super) rehearsal: Option<Rehearsed>,
    pub(super) fixes: Vec<(usize, Fix)>,
    /// The changes to listeners that work.
    pub(super) changes: Vec<Candidate>,
    /// The findings that the operator does not allow, if fixes are kept: target, rule and subject.
    pub(super) open: HashSet<(usize, &'static str, String)>,
}

impl Collector {
    pub(super) fn new(targets: usize, checkpoint: Checkpoint, outputs: ReportWriter) -> Self {
        let needed = if outputs.needs_reports() { targets } else { 0 };
        let reports = (0..needed).map(|_| None).collect();
        let texts = !outputs.needs_reports() && outputs.needs_json();
        let summary = Summary::default();
        Self {
            summary,
            reports,
            kept: texts.then(KeptTargets::default),
            shown_before: 0,
            checkpoint,
            outputs,
            draft: None,
            error: None,
            known: Vec::new(),
            keep_fixes: false,
            root: None,
            rehearsal: None,
            fixes: Vec::new(),
            changes: Vec::new(),
            open: HashSet::new(),
        }
    }

    /// Adds a report that needed no probe.
    pub(super) fn take_known(&mut self, mut report: TargetReport) {
        self.checkpoint.apply(&mut report);
        self.summary.add(&report);
        if !self.checkpoint.shows(&report) {
            return;
        }
        if self.error.is_none() {
            self.error = self.outputs.line(&report).err();
        }
        self.keep_text(self.shown_before, &report);
        self.shown_before += 1;
        if self.outputs.needs_reports() {
            self.known.push(report);
        }
    }

    pub(super) fn take(&mut self, index: usize, report: TargetReport) {
        self.summary.add(&report);
        if self.keep_fixes {
            let findings = report.judgement.findings.iter();
            let open = findings.filter(|one| one.excuse.is_none() && one.severity > Severity::Note);
            self.open.extend(open.map(|one| (index, one.rule, one.subject.clone())));
            // Findings that the operator allows are not fixed.
            let wanted = report.judgement.findings.iter().filter(|finding| {
                is_about_nginx(finding)
                    && finding.excuse.is_none()
                    && finding.severity > Severity::Note
            });
            let fixes = wanted.filter_map(|finding| finding.fix.clone());
            // Fixes under a condition are for the operator to judge.
            let works = fixes.filter(|fix| fix.verified == Some(true) && fix.assumes.is_none());
            self.fixes.extend(works.map(|fix| (index, fix)));
        }
        if !self.checkpoint.shows(&report) {
            return;
        }
        // Targets that were not tested remain for `--resume`.
        let left = self.draft.is_some() && report.is_cancelled();
        if self.error.is_none() && !left {
            self.error = self.outputs.line(&report).err();
            if let Some(draft) = &mut self.draft {
                draft.add(index);
            }
        }
        self.keep_text(self.shown_before + index, &report);
        if let Some(place) = self.reports.get_mut(index) {
            *place = Some(report);
        }
    }

    fn keep_text(&mut self, position: usize, report: &TargetReport) {
        if let Some(kept) = &mut self.kept {
            let error = kept.keep(position, report).err();
            self.error = self.error.take().or(error);
        }
    }

    /// Keeps the changes that fix findings that the operator does not allow.
    pub(super) fn keep_changes(&mut self, verified: Vec<ListenerFix>) {
        let wanted = verified
            .into_iter()
            .filter(|one| self.open.contains(&(one.index, one.rule, one.subject.clone())));
        self.changes = wanted.map(|one| one.candidate).collect();
    }

    /// Targets that are counted but not in the report: all, if it needs no reports.
    pub(super) fn left_out(&self) -> Summary {
        if self.outputs.needs_reports() { self.checkpoint.left_out() } else { self.summary }
    }
}
