//! `probe`: reads targets, audits them and writes a report.

use std::io::{self, IsTerminal};

use tokio::runtime::Runtime;

use super::args::{Framing, ProbeArgs};
use super::engine::{Done, Job, carry_out_with};
use super::errors::{UsageError, is_closed_pipe, warn};
use super::exit::Exit;
use super::fleet::Listed;
use super::stop::signalled;
use super::targets::{self, Warnings};
use crate::audit::policy::Policy;
use crate::probe::scan::Depth;
use crate::report::Format;
use crate::run::TrustStores;

/// Runs the subcommand.
pub(super) fn run(args: &ProbeArgs) -> anyhow::Result<Exit> {
    run_with(args, &Depth::default(), None)
}

/// Audits the targets, compares them with a policy, and repeats this if an interval is given.
pub(super) fn run_with(
    args: &ProbeArgs,
    depth: &Depth,
    policy: Option<&Policy>,
) -> anyhow::Result<Exit> {
    let listed = || Listed::new(&args.run.fleet);
    let mut warnings = Warnings::default();
    let mut read = || targets::read(&args.source, &args.run.limits, listed(), &mut warnings);
    let mut stores = TrustStores::default();
    let mut run = args.run.clone();
    if args.watch.is_some() {
        if run.report.format != Format::Table || !io::stdout().is_terminal() {
            return Err(UsageError::new(
                "--watch redraws the table on a terminal",
                "to repeat the audit in another format, in a pipe or into a file, use --interval",
            ));
        }
        run.report.framing = Framing::Redrawn;
    }
    let mut audit = |targets| {
        let (depth, policy) = (depth.clone(), policy.cloned());
        carry_out_with(Job { targets, depth, policy, ..Job::default() }, &run, &mut stores)
    };
    let Some(interval) = args.interval.or(args.watch) else {
        return Ok(audit(read()?)?.exit);
    };
    if args.source.targets.iter().any(|target| target == "-") {
        return Err(UsageError::new(
            "--interval and --watch cannot read targets from stdin",
            "the targets are read again before each audit; use a file (--config FILE)",
        ));
    }
    let runtime = Runtime::new()?;
    // Created once for all audits, so that a signal between two of them is not lost.
    let mut stop = Box::pin(signalled());
    let mut targets = read()?;
    let mut first = true;
    let mut last;
    loop {
        let stopped = match audit(targets.clone()) {
            Ok(Done { exit, stopped, .. }) => {
                last = exit;
                stopped
            }
            // The first audit shows that the options are valid. Later errors may be temporary: a full disk, or a file
            // that is being replaced.
            Err(error) if !first && !is_closed_pipe(&error) => {
                warn(&format!("this audit failed: {error:#}"));
                last = Exit::Internal;
                false
            }
            Err(error) => return Err(error),
        };
        first = false;
        let wait = async { tokio::time::timeout(interval, &mut stop).await };
        if stopped || runtime.block_on(wait).is_ok() {
            return Ok(last);
        }
        match read() {
            Ok(anew) => targets = anew,
            // The file may still be incomplete.
            Err(error) => warn(&format!("keeping the previous targets: {error:#}")),
        }
    }
}
