//! `probe`: targets in, report out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::args::ProbeArgs;
use super::exit::Exit;
use super::output::Output;
use super::progress::Progress;
use super::settings;
use crate::audit::finding::Severity;
use crate::audit::policy::Policy;
use crate::probe::scan::Depth;
use crate::report::{Format, Kind, Report, Summary, ndjson};
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
    let threshold = args.fail_on.threshold();
    let now = settings::now();
    let settings = Settings {
        limits: settings::limits(&args.limits),
        depth,
        policy,
        threshold: threshold.unwrap_or(Severity::Error),
        now,
        fetch_issuers: args.fetch_issuers.map_or(FetchIssuers::Never, Into::into),
        assessors: settings::assessors(&targets, now)?,
    };
    let output = Output::open(args.report.output.as_deref())?;
    let runtime = Runtime::new()?;
    let (summary, ending) = runtime.block_on(audit(targets, settings, args, output))?;
    // A name that is still being looked up must not hold the program back.
    runtime.shutdown_background();
    Ok(Exit::of(&summary, threshold.is_some(), ending.internal_errors))
}

/// Audits the targets and writes the report.
async fn audit(
    targets: Vec<Arc<Target>>,
    settings: Settings,
    args: &ProbeArgs,
    mut output: Output,
) -> anyhow::Result<(Summary, Ending)> {
    let started_at = settings.now;
    let (format, mut progress) = (args.report.format, Progress::new(args, targets.len()));
    let mut collector = Collector::new(targets.len(), format == Format::Ndjson);
    // Nobody reads on: what is still to be probed would be probed for nothing.
    let unread = Notify::new();
    let stop = stop(args.limits.run_timeout, unread.notified())?;
    let ending = run::audit(targets, Arc::new(settings), stop, |index, report| {
        progress.count(&report);
        collector.take(index, report, &mut output);
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
    if format != Format::Ndjson {
        let targets = collector.reports.into_iter().flatten().collect();
        let report = Report {
            started_at,
            finished_at: settings::now(),
            targets,
            interrupted: ending.stopped,
            kind: Kind::Endpoints,
        };
        report.render(format, settings::look(&args.report), &mut output)?;
    }
    output.finish()?;
    Ok((summary, ending))
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

/// Takes the reports as they come: a stream writes each at once and keeps none, every other format wants them in order.
struct Collector {
    summary: Summary,
    reports: Vec<Option<TargetReport>>,
    streams: bool,
    error: Option<std::io::Error>,
}

impl Collector {
    fn new(targets: usize, streams: bool) -> Self {
        let reports = if streams { Vec::new() } else { (0..targets).map(|_| None).collect() };
        Self { summary: Summary::default(), reports, streams, error: None }
    }

    fn take(&mut self, index: usize, report: TargetReport, output: &mut Output) {
        self.summary.add(&report);
        if !self.streams {
            self.reports[index] = Some(report);
        } else if self.error.is_none() {
            self.error = write_line(&report, output).err();
        }
    }
}

fn write_line(report: &TargetReport, output: &mut Output) -> std::io::Result<()> {
    use std::io::Write;
    ndjson::line(report, output)?;
    output.flush()
}
