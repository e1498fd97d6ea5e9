//! The engine behind `probe`, `scan` and `nginx`: runs a job and writes the report.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::args::RunArgs;
use super::collector::Collector;
use super::errors::warn;
use super::exit::Exit;
use super::fleet::{Listed, Resumed, Share};
use super::gate::Checkpoint;
use super::progress::Progress;
use super::report_writer::ReportWriter;
use super::saver::Saver;
use super::settings;
use super::stop::{StopListener, signalled, stop};
use crate::audit::finding::Fix;
use crate::audit::ignore::IgnoreComment;
use crate::audit::listener::Candidate;
use crate::audit::policy::Policy;
use crate::probe::Prober;
use crate::probe::scan::Depth;
use crate::probe::stand_ins::StandIns;
use crate::report::{Rehearsed, Report, ReportKind, ReportOptions, Summary};
use crate::run::listener_fixes::{ListenerFix, ListenerFixes, RunnableConfiguration, find_fixes};
use crate::run::network::Network;
use crate::run::{self, FetchIssuers, Settings, TargetReport, TrustStores};
use crate::targets::target_list::TargetList;

/// The job.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// The targets to probe.
    pub(super) targets: Listed,
    /// Whether to scan as well as probe.
    pub(super) depth: Depth,
    /// The policy to compare with.
    pub(super) policy: Option<Policy>,
    /// Results that need no probe; they are reported before the targets.
    pub(super) known: Vec<TargetReport>,
    /// Comments of a configuration that allow findings in their place.
    pub(super) ignored: Vec<IgnoreComment>,
    /// The root folder of the configuration that contains the targets.
    pub(super) root: Option<PathBuf>,
    /// Whether to return the fixes that work.
    pub(super) keep_fixes: bool,
    /// The rehearsal that is probed, if any.
    pub(super) rehearsal: Option<Rehearsed>,
    /// Tries changes to the rehearsed configuration.
    pub(super) runnable: Option<RunnableConfiguration>,
    /// Where connections go in it.
    pub(super) stand_ins: StandIns,
}

/// The result of a job.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) exit: Exit,
    /// Whether it was stopped before every target was tested.
    pub(super) stopped: bool,
    /// The fixes that work, each with the target's place in the job.
    pub(super) fixes: Vec<(usize, Fix)>,
    /// The changes to listeners that work.
    pub(super) changes: Vec<Candidate>,
}

/// A run that is ready to start.
pub(super) struct Audit {
    pub(super) targets: TargetList,
    pub(super) settings: Settings,
    pub(super) collector: Collector,
    /// Tries changes to the rehearsed configuration.
    pub(super) runnable: Option<RunnableConfiguration>,
    /// Where observations are saved.
    pub(super) saver: Option<Saver>,
    /// When a recorded run ended, and whether it was stopped early.
    pub(super) recorded: Option<(OffsetDateTime, bool)>,
}

/// Runs a job and writes the report.
pub(super) fn carry_out(job: Job, args: &RunArgs) -> anyhow::Result<Done> {
    carry_out_with(job, args, &mut TrustStores::default())
}

/// The same with roots that an earlier audit read.
pub(super) fn carry_out_with(
    job: Job,
    args: &RunArgs,
    stores: &mut TrustStores,
) -> anyhow::Result<Done> {
    // From here on, a signal ends the run with a report.
    let _listener = StopListener::new();
    let Job {
        targets,
        depth,
        policy,
        known,
        ignored,
        root,
        keep_fixes,
        rehearsal,
        runnable,
        stand_ins,
    } = job;
    settings::check_places(&args.report, &targets.targets.samples())?;
    let now = settings::now();
    let checkpoint = Checkpoint::open(&args.gate, now)?;
    let agreed = agreed(&depth, policy.as_ref(), args, &checkpoint);
    let mut share = Share::of(targets, &agreed);
    let (network, mut saver) = network(args, stand_ins)?;
    let settings = Settings {
        depth,
        policy,
        threshold: args.gate.fail_on.threshold(),
        fetch_issuers: fetch_issuers(args),
        ..Settings::with_stores(&share.targets.samples(), network, now, stores)?
    };
    stores.problems().iter().for_each(|problem| warn(problem));
    if let Some(saver) = &mut saver {
        saver.start(&settings, &ignored, &known);
    }
    let checkpoint = checkpoint.of_part(args.fleet.is_part()).with_ignored(ignored);
    let mut collector = match collector(args, &mut share, checkpoint)? {
        ControlFlow::Continue(collector) => collector,
        ControlFlow::Break(summary) => {
            let exit = Exit::of(&summary, args.gate.fail_on.gates(), 0);
            let (fixes, changes) = (Vec::new(), Vec::new());
            return Ok(Done { exit, stopped: false, fixes, changes });
        }
    };
    collector.keep_fixes = keep_fixes;
    collector.root = root;
    collector.rehearsal = rehearsal;
    for report in known {
        collector.take_known(report);
    }
    let targets = share.targets;
    perform(Audit { targets, settings, collector, runnable, saver, recorded: None }, args)
}

/// The network, wrapped in a recorder if answers are saved.
fn network(
    args: &RunArgs,
    stand_ins: StandIns,
) -> anyhow::Result<(Arc<dyn Network>, Option<Saver>)> {
    let limits = settings::limits(&args.limits);
    let prober = Arc::new(Prober::with_stand_ins(limits, stand_ins));
    let Some(path) = &args.save_observations else { return Ok((prober, None)) };
    let saver = Saver::open(path, prober)?;
    Ok((saver.network(), Some(saver)))
}

/// Audits the targets, and writes the report.
pub(super) fn perform(run: Audit, args: &RunArgs) -> anyhow::Result<Done> {
    // One target is one task, which one thread runs sooner than several that wake each other. Fixes of a rehearsal are
    // tried by programs that are waited for, which needs more threads.
    let runtime = if run.targets.len() > 1 || run.runnable.is_some() {
        Runtime::new()?
    } else {
        Builder::new_current_thread().enable_all().build()?
    };
    let done = runtime.block_on(audit(run, args))?;
    // Do not wait for unfinished DNS lookups.
    runtime.shutdown_background();
    Ok(done)
}

fn fetch_issuers(args: &RunArgs) -> FetchIssuers {
    args.fetch_issuers.map_or(FetchIssuers::Never, Into::into)
}

/// Options that all parts of one run must share, besides the targets.
fn agreed(
    depth: &Depth,
    policy: Option<&Policy>,
    args: &RunArgs,
    checkpoint: &Checkpoint,
) -> String {
    let clients: Vec<&str> = depth.clients.iter().map(|client| client.name.as_str()).collect();
    let severity = args.gate.severity.iter().map(|(named, severity)| (named.id(), severity));
    let severity: Vec<_> = severity.collect();
    let fail_on = args.gate.fail_on.gates().then(|| args.gate.fail_on.threshold());
    let agreed = serde_json::json!({
        "scan": depth.scan,
        "clients": clients,
        "policy": policy,
        "fail_on": fail_on,
        "severity": severity,
        "fetch_issuers": fetch_issuers(args),
        "gate": checkpoint.texts,
    });
    agreed.to_string()
}

/// Opens the destinations of the reports; breaks with the counts if the run is already finished.
fn collector(
    args: &RunArgs,
    share: &mut Share,
    checkpoint: Checkpoint,
) -> anyhow::Result<ControlFlow<Summary, Collector>> {
    let Some(path) = &args.fleet.resume else {
        let draft = args.fleet.is_part().then(|| share.manifest(args.gate.fail_on));
        let outputs = ReportWriter::open(&args.report, args.gate.quiet)?;
        let fresh = Collector::new(share.targets.len(), checkpoint, outputs);
        return Ok(ControlFlow::Continue(Collector { draft, ..fresh }));
    };
    Ok(match share.resume(path, args.gate.fail_on)? {
        Resumed::Finished(summary) => ControlFlow::Break(summary),
        Resumed::Open { file, draft, summary } => {
            let outputs = ReportWriter::journal(&args.report, file);
            let fresh = Collector::new(share.targets.len(), checkpoint, outputs);
            ControlFlow::Continue(Collector { summary, draft: Some(*draft), ..fresh })
        }
    })
}

async fn audit(run: Audit, args: &RunArgs) -> anyhow::Result<Done> {
    let Audit { targets, settings, mut collector, runnable, mut saver, recorded } = run;
    let started_at = settings.now;
    let mut progress = Progress::new(args, targets.len());
    // If nobody reads the output any more, the rest is not probed.
    let unread = Notify::new();
    let stop = stop(args.limits.run_timeout, unread.notified());
    let settings = Arc::new(settings);
    let mut take = |index, mut report: TargetReport| {
        if args.report.omit_times {
            report.observation.forget_times();
        }
        collector.checkpoint.apply(&mut report);
        progress.count(&report);
        collector.take(index, report);
        if collector.error.is_some() {
            unread.notify_one();
        }
    };
    // Fixes of a listener need the results of all other targets, so the reports are collected first.
    let mut held = Vec::new();
    let ending = run::audit(targets, Arc::clone(&settings), stop, |index, report| {
        if let Some(saver) = &mut saver {
            saver.target(index, &report);
        }
        if runnable.is_some() {
            held.push((index, report));
        } else {
            take(index, report);
        }
    })
    .await;
    let verified = match &runnable {
        Some(runnable) if !ending.stopped => listener_fixes(&mut held, runnable, &settings).await,
        _ => Vec::new(),
    };
    held.sort_by_key(|(index, _)| *index);
    for (index, report) in held {
        take(index, report);
    }
    collector.keep_changes(verified);
    progress.finish();
    if let Some(error) = collector.error {
        return Err(error.into());
    }
    let (finished_at, stopped_before) = recorded.unwrap_or_else(|| (settings::now(), false));
    let stopped = ending.stopped || stopped_before;
    if let Some(saver) = saver {
        saver.finish(stopped, finished_at)?;
    }
    let mut report = Report {
        started_at,
        finished_at,
        targets: Vec::new(),
        interrupted: stopped,
        kind: ReportKind::Endpoints,
        options: ReportOptions {
            configuration_root: collector.root.as_ref().map(|root| root.display().to_string()),
            rehearsal: collector.rehearsal.take(),
            ..settings::report_options(&args.report, args.gate.fail_on, collector.left_out())
        },
    };
    let summary = collector.summary;
    let probed = collector.reports.into_iter().flatten();
    report.targets = collector.known.into_iter().chain(probed).collect();
    if let Some(draft) = collector.draft.filter(|_| !stopped) {
        collector.outputs.trailer(&draft.finished(&report));
    }
    collector.outputs.finish(&report, collector.kept.as_ref())?;
    collector.checkpoint.finish(&summary, stopped)?;
    let exit =
        Exit::of_report(&report, args.report.format, args.gate.fail_on, ending.internal_errors);
    Ok(Done { exit, stopped, fixes: collector.fixes, changes: collector.changes })
}

/// Tries fixes of listeners until the program is stopped.
async fn listener_fixes(
    held: &mut [(usize, TargetReport)],
    runnable: &RunnableConfiguration,
    settings: &Settings,
) -> Vec<ListenerFix> {
    let ListenerFixes { all, together, cut_short } = tokio::select! {
        fixes = find_fixes(held, runnable, settings) => fixes,
        () = signalled() => ListenerFixes::default(),
    };
    if cut_short {
        warn(
            "there was no time to try all fixes of listeners; those that were not tried are not marked as tried",
        );
    }
    if together || all.is_empty() {
        return all;
    }
    warn("the fixes work one by one, but not together; apply one, and rehearse again");
    Vec::new()
}
