//! The gate from the command line: allowances, severities, baseline, `--only-failing` and `--quiet`.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use time::OffsetDateTime;

use super::args::GateArgs;
use super::errors::warn;
use super::input;
use super::whole_file::Output;
use crate::audit::allowance::{self, Allowances};
use crate::audit::ignore::IgnoreComment;
use crate::report::Summary;
use crate::run::baseline::{self, Baseline};
use crate::run::gate::Gate;
use crate::run::{Status, TargetReport};

/// The largest gate file or baseline, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// The gate of one run, and its results.
pub(super) struct Checkpoint {
    gate: Gate,
    collected: Option<(Baseline, Output)>,
    only_failing: bool,
    quiet: bool,
    /// Whether other runs test other targets, so that an allowance may be needed there.
    part: bool,
    /// Targets that are counted but not shown.
    left_out: Summary,
    /// The texts of gate and baseline, which all parts of one run have in common.
    pub(super) texts: Vec<String>,
}

impl Checkpoint {
    /// Reads the files in the options, so that errors show before anything is probed.
    pub(super) fn open(args: &GateArgs, now: OffsetDateTime) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        let mut allowances = Allowances::default();
        if let Some(path) = &args.gate {
            texts.push(input::text(path, MAX_FILE)?);
            allowances = self::allowances(path, &texts[0])?;
        }
        allowances.severities.extend(&args.severity);
        let today = now.to_offset(time::UtcOffset::UTC).date();
        let mut gate = Gate::new(args.fail_on.threshold(), allowances, today);
        if let Some(path) = &args.baseline {
            let text = input::text(path, MAX_FILE)?;
            let known = baseline::read(&text);
            texts.push(text);
            let known = known.map_err(|error| anyhow!("{}: {error}", path.display()))?;
            gate = gate.with_baseline(known);
        }
        let output = args.write_baseline.as_deref().map(|path| Output::open(Some(path)));
        Ok(Self {
            gate,
            collected: output.transpose()?.map(|output| (Baseline::default(), output)),
            only_failing: args.only_failing,
            quiet: args.quiet,
            part: false,
            left_out: Summary::default(),
            texts,
        })
    }

    /// The same for a share of the targets.
    #[must_use]
    pub(super) fn of_part(self, part: bool) -> Self {
        Self { part, ..self }
    }

    /// The same with the comments of a configuration.
    #[must_use]
    pub(super) fn with_ignored(self, ignored: Vec<IgnoreComment>) -> Self {
        Self { gate: self.gate.with_ignored(ignored), ..self }
    }

    /// Applies the gate to a target.
    pub(super) fn apply(&mut self, report: &mut TargetReport) {
        self.gate.apply(report);
        if let Some((baseline, _)) = &mut self.collected {
            baseline.add(report);
        }
    }

    /// Whether the report shows this target; one that it does not show is counted here.
    pub(super) fn shows(&mut self, report: &TargetReport) -> bool {
        let shown = !self.only_failing || report.status != Status::Pass;
        if !shown {
            self.left_out.add(report);
        }
        shown
    }

    /// What was counted and not shown.
    pub(super) fn left_out(&self) -> Summary {
        self.left_out
    }

    /// Writes the baseline, and reports allowances that should be removed.
    pub(super) fn finish(self, summary: &Summary, stopped: bool) -> anyhow::Result<()> {
        let silent = stopped || self.part || (self.quiet && summary.is_in_order());
        let mut notices = if silent { Vec::new() } else { self.gate.notices() };
        if let Some((baseline, mut output)) = self.collected {
            if stopped {
                notices.push("the run was stopped, so the baseline is not written".to_owned());
            } else {
                output.write_all(baseline.text().as_bytes())?;
                output.finish()?;
            }
        }
        for notice in notices {
            warn(&notice);
        }
        Ok(())
    }
}

fn allowances(path: &Path, text: &str) -> anyhow::Result<Allowances> {
    allowance::read(&path.display().to_string(), text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\n  "))
    })
}
