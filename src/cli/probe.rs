//! `probe`: targets in, report out.

use tokio::runtime::Runtime;

use super::args::ProbeArgs;
use super::engine::{Done, Job, carry_out};
use super::errors::{UsageError, warn};
use super::exit::Exit;
use super::stop::stop;
use super::targets;
use crate::audit::policy::Policy;
use crate::probe::scan::Depth;

/// Runs the subcommand.
pub(super) fn run(args: &ProbeArgs) -> anyhow::Result<Exit> {
    run_with(args, &Depth::default(), None)
}

/// Audits the targets as deep as is wanted, and holds them against a policy; again and again where an interval is given.
pub(super) fn run_with(
    args: &ProbeArgs,
    depth: &Depth,
    policy: Option<&Policy>,
) -> anyhow::Result<Exit> {
    let read = || targets::read(&args.source, &args.run.limits);
    let audit = |targets| {
        let (depth, policy) = (depth.clone(), policy.cloned());
        carry_out(Job { targets, depth, policy, ..Job::default() }, &args.run)
    };
    let Some(interval) = args.interval else {
        return Ok(audit(read()?)?.exit);
    };
    if args.source.targets.iter().any(|target| target == "-") {
        return Err(UsageError::new(
            "--interval reads no targets from stdin",
            "they are read anew before each audit; name a file (--config FILE)",
        ));
    }
    let runtime = Runtime::new()?;
    // Once for all audits: what comes between two of them must not be lost.
    let mut stop = Box::pin(runtime.block_on(async { stop(None, std::future::pending()) })?);
    let mut targets = read()?;
    loop {
        let Done { exit, stopped, .. } = audit(targets.clone())?;
        let wait = async { tokio::time::timeout(interval, &mut stop).await };
        if stopped || runtime.block_on(wait).is_ok() {
            return Ok(exit);
        }
        match read() {
            Ok(anew) => targets = anew,
            // Whoever writes the file may not be done with it.
            Err(error) => warn(&format!("the targets stay as they were: {error:#}")),
        }
    }
}
