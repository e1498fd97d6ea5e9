//! `demo`: misconfigured servers on loopback, audited like any other target. It needs no network and no other program.

mod captured;
mod scenarios;
mod server;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use time::OffsetDateTime;
use tokio::runtime::Runtime;

use self::scenarios::Scenario;
use super::args::{DemoArgs, FailOn};
use super::exit::Exit;
use super::gate::Checkpoint;
use super::report_writer::ReportWriter;
use super::settings;
use super::stop::signalled;
use super::whole_file::Output;
use crate::certificate::trust::{Assessor, TrustStore};
use crate::probe::{AddressFamily, CONNECTIONS_PER_ADDRESS, Deadlines, Limits, Prober};
use crate::report::{Report, ReportKind, ReportOptions};
use crate::run::{self, Settings};
use crate::targets::Target;

/// Everything is on this machine: only the server that never answers takes long.
const DEADLINES: Deadlines = Deadlines {
    dns: Duration::from_secs(2),
    connect: Duration::from_secs(2),
    starttls: Duration::from_secs(2),
    handshake: Duration::from_millis(1500),
    read: Duration::from_millis(300),
};

/// Runs the subcommand.
pub(super) fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let outputs = ReportWriter::open(&args.report, args.gate.quiet)?;
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(demonstrate(args, outputs));
    // The servers end with the runtime.
    runtime.shutdown_background();
    outcome
}

async fn demonstrate(args: &DemoArgs, mut outputs: ReportWriter) -> anyhow::Result<Exit> {
    let now = settings::now();
    let (scenarios, store) = scenarios::start(now).await?;
    let mut checkpoint = Checkpoint::open(&args.gate, now)?;
    let mut report = audit(&scenarios, store, now).await?;
    check(&scenarios, &report)?;
    outputs.preface(&preface(&scenarios))?;
    let capture = captured::file(now)?;
    let look = settings::look(&args.report, args.report.output.is_empty());
    outputs.preface(&capture_preface(&captured::report(&capture, look)?))?;
    if let Some(path) = &args.write_capture {
        let mut output = Output::open(Some(path))?;
        output.write_all(&capture)?;
        output.finish()?;
    }
    for target in &mut report.targets {
        checkpoint.apply(target);
    }
    report.targets.retain(|target| checkpoint.shows(target));
    let left_out = checkpoint.left_out();
    report.options = settings::report_options(&args.report, FailOn::Error, left_out);
    let summary = report.summary();
    outputs.write(&report)?;
    checkpoint.finish(&summary, report.interrupted)?;
    if args.keep {
        say("the servers are running; press Ctrl-C to stop them");
        signalled().await;
    } else if !args.gate.quiet {
        say(
            "the servers have stopped; run \"shakedown demo --keep\" to try the commands above on them",
        );
        say(
            "next, audit your own servers: shakedown probe HOST, or shakedown nginx on a machine that runs nginx",
        );
    }
    Ok(Exit::Passed)
}

fn say(text: &str) {
    // If stderr is closed, the message is lost.
    let _ = writeln!(anstream::stderr(), "shakedown: {text}");
}

/// What was started, and the fault of each server.
fn preface(scenarios: &[Scenario]) -> String {
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let head =
        format!("Started {} servers on 127.0.0.1. What is wrong with each:\n", scenarios.len());
    let line = |one: &Scenario| format!("  {:width$}  {}", one.name, one.fault);
    let lines: Vec<String> = std::iter::once(head).chain(scenarios.iter().map(line)).collect();
    lines.join("\n") + "\n\n"
}

/// What the capture shows.
fn capture_preface(report: &str) -> String {
    let head = "Made a packet capture of clients that cannot connect (--write-capture FILE saves it).\n\
                What shakedown capture says of it:";
    format!("{head}\n\n{report}\n")
}

async fn audit(
    scenarios: &[Scenario],
    store: TrustStore,
    now: OffsetDateTime,
) -> anyhow::Result<Report> {
    let targets: Vec<Arc<Target>> =
        scenarios.iter().map(|scenario| Arc::new(scenario.target.clone())).collect();
    let Some(trust) = targets.first().map(|target| target.trust.clone()) else {
        bail!("no server was started")
    };
    let prober = Arc::new(Prober::new(Limits {
        deadlines: DEADLINES,
        connections: 64,
        per_address: CONNECTIONS_PER_ADDRESS,
        rate: None,
        family: AddressFamily::Any,
    }));
    let assessor = Arc::new(Assessor::new(Arc::new(store), now));
    let settings = Settings::with_assessors(HashMap::from([(trust, assessor)]), prober, now);
    let (targets, ending) = run::audit_all(targets, settings, std::future::pending()).await;
    Ok(Report {
        started_at: now,
        finished_at: settings::now(),
        targets,
        interrupted: ending.stopped,
        kind: ReportKind::Endpoints,
        options: ReportOptions::default(),
    })
}

/// Checks that the audit finds every fault and nothing else.
fn check(scenarios: &[Scenario], report: &Report) -> anyhow::Result<()> {
    for (scenario, target) in scenarios.iter().zip(&report.targets) {
        let expected: BTreeSet<&str> = scenario.expected.iter().copied().collect();
        let found: BTreeSet<&str> =
            target.judgement.findings.iter().map(|finding| finding.rule).collect();
        if expected != found {
            bail!("the demo found {found:?} instead of {expected:?} ({})", scenario.name);
        }
    }
    Ok(())
}
