//! Progress on stderr.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::args::RunArgs;
use crate::audit::judge::Judgement;
use crate::report::escape::escape;
use crate::report::words;
use crate::run::{Status, TargetReport};

/// A line that counts targets; hidden if stderr is not a terminal or the run is short.
pub(super) struct Progress {
    bar: ProgressBar,
    failed: usize,
    connections: u64,
    verbose: bool,
}

impl Progress {
    pub(super) fn new(args: &RunArgs, targets: usize) -> Self {
        let watched = !args.gate.quiet
            && targets > 1
            && io::stderr().is_terminal()
            && !streams_to_terminal(args);
        let target =
            if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(targets as u64), target);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} targets, {rate}, {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        }));
        bar.set_message("0 failed");
        Self { bar, failed: 0, connections: 0, verbose: args.verbose }
    }

    pub(super) fn count(&mut self, report: &TargetReport) {
        if report.status == Status::Fail {
            self.failed += 1;
            self.bar.set_message(format!("{} failed", self.failed));
        }
        self.connections += u64::from(report.observation.connections());
        if self.verbose {
            let line = summed_up(report);
            // If stderr is closed, the message is lost.
            self.bar.suspend(|| drop(writeln!(anstream::stderr(), "{line}")));
        }
        self.bar.inc(1);
    }

    /// Removes the line before the report is written, and prints the number of connections.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        if self.verbose {
            let line = format!("shakedown: connections opened: {}", self.connections);
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }
}

/// Whether the report is written to the terminal during the run.
fn streams_to_terminal(args: &RunArgs) -> bool {
    let report = &args.report;
    let to_stdout = report.output.iter().all(|one| one.format.is_some());
    report.format.streams() && to_stdout && io::stdout().is_terminal()
}

/// One target in one line: its status, the number of connections, and the rules with findings.
fn summed_up(report: &TargetReport) -> String {
    let (status, name) = (words::status(report.status), escape(&report.target.name));
    let Judgement { findings, untested, .. } = &report.judgement;
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    for (rule, _) in untested {
        if !rules.contains(rule) {
            rules.push(rule);
        }
    }
    let rules = if rules.is_empty() { String::new() } else { format!(": {}", rules.join(", ")) };
    let connections = words::counted(report.observation.connections() as usize, "connection");
    format!("shakedown: {status} {name} ({connections}){rules}")
}
