//! `probe`: targets in, report out.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::args::{ProbeArgs, RunArgs};
use super::exit::Exit;
use super::gate::{Checkpoint, threshold};
use super::mistake::{Mistake, warn};
use super::outputs::Outputs;
use super::portion::{Draft, Portion, Resumed};
use super::progress::Progress;
use super::settings;
use crate::audit::finding::{Fix, Severity};
use crate::audit::ignore::Ignored;
use crate::audit::policy::Policy;
use crate::audit::upstream::outcome::is_about_nginx;
use crate::probe::Prober;
use crate::probe::scan::Depth;
use crate::report::{Kind, Report, Summary};
use crate::run::{self, FetchIssuers, Settings, TargetReport};
use crate::targets::Target;

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
    let read = || settings::targets(&args.source, &args.run.limits);
    let audit = |targets| {
        let (depth, policy) = (depth.clone(), policy.cloned());
        carry_out(Job { targets, depth, policy, ..Job::default() }, &args.run)
    };
    let Some(interval) = args.interval else {
        return Ok(audit(read()?)?.exit);
    };
    if args.source.targets.iter().any(|target| target == "-") {
        return Err(Mistake::new(
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

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// What to probe.
    pub(super) targets: Vec<Arc<Target>>,
    /// How deep.
    pub(super) depth: Depth,
    /// What to hold it against.
    pub(super) policy: Option<Policy>,
    /// What is known without a probe; it stands before the targets.
    pub(super) known: Vec<TargetReport>,
    /// Comments of a configuration that allow findings beside them.
    pub(super) ignored: Vec<Ignored>,
    /// Whether the fixes that were tried are wanted back.
    pub(super) keep_fixes: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) exit: Exit,
    /// It was told to stop before every target was tested.
    pub(super) stopped: bool,
    /// The fixes that work, each with the target's place in the job.
    pub(super) fixes: Vec<(usize, Fix)>,
}

/// Audits what a job names, and writes the report.
pub(super) fn carry_out(job: Job, args: &RunArgs) -> anyhow::Result<Done> {
    let Job { targets, depth, policy, known, ignored, keep_fixes } = job;
    settings::check_places(&args.report, &targets)?;
    let now = settings::now();
    let checkpoint = Checkpoint::open(&args.gate, args.fail_on, now)?;
    let options = [
        &depth as &dyn std::fmt::Debug,
        &policy,
        &args.fail_on,
        &args.gate.severity,
        &args.fetch_issuers,
        &checkpoint.texts,
    ];
    let agreed = options.map(|option| format!("{option:?}"));
    let mut portion = Portion::of(targets, args.portion.shard, &agreed);
    let settings = Settings {
        prober: Arc::new(Prober::new(settings::limits(&args.limits))),
        depth,
        policy,
        threshold: threshold(args.fail_on),
        now,
        fetch_issuers: args.fetch_issuers.map_or(FetchIssuers::Never, Into::into),
        assessors: settings::assessors(&portion.targets, now)?,
    };
    let checkpoint = checkpoint.of_part(args.portion.is_part()).with_ignored(ignored);
    let mut collector = match collector(args, &mut portion, checkpoint)? {
        ControlFlow::Continue(collector) => collector,
        ControlFlow::Break(summary) => {
            let exit = Exit::of(&summary, args.fail_on.threshold().is_some(), 0);
            return Ok(Done { exit, stopped: false, fixes: Vec::new() });
        }
    };
    collector.keep_fixes = keep_fixes;
    for report in known {
        collector.take_known(report);
    }
    let runtime = Runtime::new()?;
    let done = runtime.block_on(audit(portion.targets, settings, args, collector))?;
    // A name that is still being looked up must not hold the program back.
    runtime.shutdown_background();
    Ok(done)
}

/// Opens what the reports are written to; breaks with the numbers of a run that is finished already.
fn collector(
    args: &RunArgs,
    portion: &mut Portion,
    checkpoint: Checkpoint,
) -> anyhow::Result<ControlFlow<Summary, Collector>> {
    let Some(path) = &args.portion.resume else {
        let draft = args.portion.is_part().then(|| portion.manifest(args.fail_on));
        let outputs = Outputs::open(&args.report, args.gate.quiet)?;
        let fresh = Collector::new(portion.targets.len(), checkpoint, outputs);
        return Ok(ControlFlow::Continue(Collector { draft, ..fresh }));
    };
    Ok(match portion.resume(path, args.fail_on)? {
        Resumed::Finished(summary) => ControlFlow::Break(summary),
        Resumed::Open { file, draft, summary } => {
            let outputs = Outputs::journal(&args.report, file);
            let fresh = Collector::new(portion.targets.len(), checkpoint, outputs);
            ControlFlow::Continue(Collector { summary, draft: Some(*draft), ..fresh })
        }
    })
}

/// Audits the targets and writes the report.
async fn audit(
    targets: Vec<Arc<Target>>,
    settings: Settings,
    args: &RunArgs,
    mut collector: Collector,
) -> anyhow::Result<Done> {
    let started_at = settings.now;
    let mut progress = Progress::new(args, targets.len());
    // Nobody reads on: what is still to be probed would be probed for nothing.
    let unread = Notify::new();
    let stop = stop(args.limits.run_timeout, unread.notified())?;
    let ending = run::audit(targets, Arc::new(settings), stop, |index, mut report| {
        if args.report.omit_times {
            report.observation.forget_times();
        }
        collector.checkpoint.apply(&mut report);
        progress.count(&report);
        collector.take(index, report);
        if collector.error.is_some() {
            unread.notify_one();
        }
    })
    .await;
    progress.finish();
    if let Some(error) = collector.error {
        return Err(error.into());
    }
    let mut report = Report {
        started_at,
        finished_at: settings::now(),
        targets: Vec::new(),
        interrupted: ending.stopped,
        kind: Kind::Endpoints,
        options: settings::report_options(&args.report, args.fail_on, collector.left_out()),
    };
    let summary = collector.summary;
    let probed = collector.reports.into_iter().flatten();
    report.targets = collector.known.into_iter().chain(probed).collect();
    if let Some(draft) = collector.draft.filter(|_| !ending.stopped) {
        collector.outputs.trailer(&draft.finished(&report))?;
    }
    collector.outputs.finish(&report)?;
    collector.checkpoint.finish(&summary, ending.stopped)?;
    let exit = Exit::of_report(&report, args.report.format, args.fail_on, ending.internal_errors);
    Ok(Done { exit, stopped: ending.stopped, fixes: collector.fixes })
}

/// Resolves on the first SIGINT or SIGTERM, when the run's time is up, or when the report is no longer wanted.
pub(super) fn stop(
    run_timeout: Option<Duration>,
    unread: impl Future<Output = ()>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = time_is_up(run_timeout) => {}
            () = unread => {}
        }
    })
}

/// Resolves when that much time has passed, or never.
pub(super) async fn time_is_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Takes the reports as they come: a stream writes each at once and keeps none, every other form wants them in order.
struct Collector {
    summary: Summary,
    reports: Vec<Option<TargetReport>>,
    checkpoint: Checkpoint,
    outputs: Outputs,
    /// What the streams say at their end.
    draft: Option<Draft>,
    error: Option<std::io::Error>,
    /// Reports of what was known before.
    known: Vec<TargetReport>,
    keep_fixes: bool,
    fixes: Vec<(usize, Fix)>,
}

impl Collector {
    fn new(targets: usize, checkpoint: Checkpoint, outputs: Outputs) -> Self {
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
            fixes: Vec::new(),
        }
    }

    /// A report of what was known before anything was probed.
    fn take_known(&mut self, mut report: TargetReport) {
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

    fn take(&mut self, index: usize, report: TargetReport) {
        self.summary.add(&report);
        if self.keep_fixes {
            // What the operator allows is to stay as it is.
            let wanted = report.judgement.findings.iter().filter(|finding| {
                is_about_nginx(finding)
                    && finding.excuse.is_none()
                    && finding.severity > Severity::Note
            });
            let fixes = wanted.filter_map(|finding| finding.fix.clone());
            let works = fixes.filter(|fix| fix.verified == Some(true));
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
    fn left_out(&self) -> Summary {
        if self.outputs.all_stream() { self.summary } else { self.checkpoint.left_out() }
    }
}
