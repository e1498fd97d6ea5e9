//! `probe`: targets in, report out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::args::ProbeArgs;
use super::exit::Exit;
use super::gate::{Checkpoint, threshold};
use super::outputs::Outputs;
use super::progress::Progress;
use super::settings;
use crate::audit::policy::Policy;
use crate::probe::scan::Depth;
use crate::report::{Format, Kind, Report, Summary};
use crate::run::{self, Ending, FetchIssuers, Settings, TargetReport};
use crate::target::Target;

/// Runs the subcommand.
pub(super) fn run(args: &ProbeArgs) -> anyhow::Result<Exit> {
    run_with(args, Depth::default(), None)
}

/// Audits the targets as deep as is wanted, and holds them against a policy.
pub(super) fn run_with(
    args: &ProbeArgs,
    depth: Depth,
    policy: Option<Policy>,
) -> anyhow::Result<Exit> {
    let targets = settings::targets(args)?;
    settings::check_places(&args.report, &targets)?;
    let now = settings::now();
    let settings = Settings {
        limits: settings::limits(&args.limits),
        depth,
        policy,
        threshold: threshold(args.fail_on),
        now,
        fetch_issuers: args.fetch_issuers.map_or(FetchIssuers::Never, Into::into),
        assessors: settings::assessors(&targets, now)?,
    };
    let checkpoint = Checkpoint::open(&args.gate, args.fail_on, now)?;
    let outputs = Outputs::open(&args.report, args.gate.quiet)?;
    let runtime = Runtime::new()?;
    let exit = runtime.block_on(audit(targets, settings, args, (checkpoint, outputs)))?;
    // A name that is still being looked up must not hold the program back.
    runtime.shutdown_background();
    Ok(exit)
}

/// Audits the targets and writes the report.
async fn audit(
    targets: Vec<Arc<Target>>,
    settings: Settings,
    args: &ProbeArgs,
    (checkpoint, outputs): (Checkpoint, Outputs),
) -> anyhow::Result<Exit> {
    let started_at = settings.now;
    let mut progress = Progress::new(args, targets.len());
    let mut collector = Collector::new(targets.len(), checkpoint, outputs);
    // Nobody reads on: what is still to be probed would be probed for nothing.
    let unread = Notify::new();
    let stop = stop(args.limits.run_timeout, unread.notified())?;
    let ending = run::audit(targets, Arc::new(settings), stop, |index, mut report| {
        collector.checkpoint.apply(&mut report);
        progress.count(&report);
        collector.take(index, report);
        if collector.error.is_some() {
            unread.notify_one();
        }
    })
    .await;
    progress.finish();
    let summary = collector.summary;
    if let Some(error) = collector.error {
        return Err(error.into());
    }
    let left_out = collector.left_out();
    let report = Report {
        started_at,
        finished_at: settings::now(),
        targets: collector.reports.into_iter().flatten().collect(),
        interrupted: ending.stopped,
        kind: Kind::Endpoints,
        options: settings::report_options(&args.report, args.fail_on, left_out),
    };
    collector.outputs.finish(&report)?;
    collector.checkpoint.finish(&summary, ending.stopped)?;
    Ok(exit(args, &report, &ending))
}

/// A finding counts more than a fault of this program, and that more than what could not be tested.
fn exit(args: &ProbeArgs, report: &Report, ending: &Ending) -> Exit {
    if args.report.format == Format::Nagios {
        return Exit::of_report(report, Format::Nagios, args.fail_on);
    }
    let gate = args.fail_on.threshold().is_some();
    Exit::of(&report.summary(), gate, ending.internal_errors)
}

/// Resolves on the first SIGINT or SIGTERM, when the run's time is up, or when the report is no longer wanted.
fn stop(
    run_timeout: Option<Duration>,
    unread: impl Future<Output = ()>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let time_is_up = async {
            match run_timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = time_is_up => {}
            () = unread => {}
        }
    })
}

/// Takes the reports as they come: a stream writes each at once and keeps none, every other form wants them in order.
struct Collector {
    summary: Summary,
    reports: Vec<Option<TargetReport>>,
    checkpoint: Checkpoint,
    outputs: Outputs,
    error: Option<std::io::Error>,
}

impl Collector {
    fn new(targets: usize, checkpoint: Checkpoint, outputs: Outputs) -> Self {
        let kept = if outputs.all_stream() { 0 } else { targets };
        let reports = (0..kept).map(|_| None).collect();
        Self { summary: Summary::default(), reports, checkpoint, outputs, error: None }
    }

    fn take(&mut self, index: usize, report: TargetReport) {
        self.summary.add(&report);
        if !self.checkpoint.shows(&report) {
            return;
        }
        if self.error.is_none() {
            self.error = self.outputs.line(&report).err();
        }
        if let Some(place) = self.reports.get_mut(index) {
            *place = Some(report);
        }
    }

    /// Targets that the report counts and does not hold; a stream holds none of them.
    fn left_out(&self) -> Summary {
        if self.outputs.all_stream() { self.summary } else { self.checkpoint.left_out() }
    }
}
