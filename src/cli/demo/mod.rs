//! `demo`: misconfigured servers on loopback, audited like any other target. It needs no network and no other program.

mod captured;
mod scenarios;
mod server;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use time::OffsetDateTime;
use time::macros::datetime;
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
use crate::run::{self, Settings, TargetReport};

/// Everything is on this machine: only the server that never answers takes long. On a busy machine others may.
const DEADLINES: Deadlines = Deadlines {
    dns: Duration::from_secs(2),
    connect: Duration::from_secs(2),
    starttls: Duration::from_secs(2),
    handshake: Duration::from_millis(1500),
    read: Duration::from_millis(300),
};

/// How many times longer a server is waited for, each time that its fault was not found.
const PATIENCE: [u32; 4] = [1, 4, 16, 64];

/// The year before which certificates cannot be made for the machine's clock: they are valid for a while before now, and
/// TLS has no time before 1970.
const FIRST_YEAR: i32 = 1990;

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
    let now = demonstrable(settings::now());
    let (scenarios, store) = scenarios::start(now).await?;
    let mut checkpoint = Checkpoint::open(&args.gate, now)?;
    let mut report = audit(&scenarios, store, now, &PATIENCE.map(deadlines)).await?;
    if let Some(problem) = unexpected(&scenarios, &report) {
        say(&format!("error: {problem}, however long it waited; is the machine very busy?"));
        return Ok(Exit::Internal);
    }
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

/// The time of the demo: now, if certificates can be made for it.
fn demonstrable(now: OffsetDateTime) -> OffsetDateTime {
    if now.year() >= FIRST_YEAR {
        return now;
    }
    let first = datetime!(2000-01-01 00:00 UTC);
    say(&format!("this machine's clock says {}; the demo plays on {}", now.date(), first.date()));
    first
}

fn deadlines(patience: u32) -> Deadlines {
    Deadlines {
        dns: DEADLINES.dns * patience,
        connect: DEADLINES.connect * patience,
        starttls: DEADLINES.starttls * patience,
        handshake: DEADLINES.handshake * patience,
        read: DEADLINES.read * patience,
    }
}

/// Audits the servers; those whose fault is not found are audited again with the next deadlines.
async fn audit(
    scenarios: &[Scenario],
    store: TrustStore,
    now: OffsetDateTime,
    patience: &[Deadlines],
) -> anyhow::Result<Report> {
    let Some(trust) = scenarios.first().map(|scenario| scenario.target.trust.clone()) else {
        bail!("no server was started")
    };
    let begun = Instant::now();
    let assessor = Arc::new(Assessor::new(Arc::new(store), now));
    let mut audited: Vec<Option<TargetReport>> = scenarios.iter().map(|_| None).collect();
    for deadlines in patience {
        let is_missing = |(at, one): &(usize, &Scenario)| {
            audited[*at].as_ref().is_none_or(|report| found_instead(one, report).is_some())
        };
        let missing: Vec<(usize, &Scenario)> =
            scenarios.iter().enumerate().filter(is_missing).collect();
        if missing.is_empty() {
            break;
        }
        let targets = missing.iter().map(|(_, one)| Arc::new(one.target.clone())).collect();
        let prober = Arc::new(Prober::new(Limits {
            deadlines: *deadlines,
            connections: 64,
            per_address: CONNECTIONS_PER_ADDRESS,
            rate: None,
            family: AddressFamily::Any,
        }));
        let assessors = HashMap::from([(trust.clone(), Arc::clone(&assessor))]);
        let settings = Settings::with_assessors(assessors, prober, now);
        let (reports, _) = run::audit_all(targets, settings, std::future::pending()).await;
        for ((at, _), report) in missing.into_iter().zip(reports) {
            audited[at] = Some(report);
        }
    }
    Ok(Report {
        started_at: now,
        finished_at: now + begun.elapsed(),
        targets: audited.into_iter().flatten().collect(),
        interrupted: false,
        kind: ReportKind::Endpoints,
        options: ReportOptions::default(),
    })
}

/// What was found, if it is not the server's fault and nothing else.
fn found_instead<'r>(scenario: &Scenario, target: &'r TargetReport) -> Option<BTreeSet<&'r str>> {
    let expected: BTreeSet<&str> = scenario.expected.iter().copied().collect();
    let found: BTreeSet<&str> =
        target.judgement.findings.iter().map(|finding| finding.rule).collect();
    (expected != found).then_some(found)
}

/// The first server of which the audit did not find the fault.
fn unexpected(scenarios: &[Scenario], report: &Report) -> Option<String> {
    scenarios.iter().zip(&report.targets).find_map(|(scenario, target)| {
        let (found, expected) = (found_instead(scenario, target)?, scenario.expected);
        Some(format!("the demo found {found:?} instead of {expected:?} ({})", scenario.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_were_too_slow_are_audited_again() {
        let none = Duration::ZERO;
        let hasty =
            Deadlines { dns: none, connect: none, starttls: none, handshake: none, read: none };
        let audited = async |patience: &[Deadlines]| {
            let now = settings::now();
            let (mut scenarios, store) = scenarios::start(now).await.unwrap();
            // These take all the time that there is.
            scenarios.retain(|one| !one.expected.contains(&"handshake-timeout"));
            let report = audit(&scenarios, store, now, patience).await.unwrap();
            unexpected(&scenarios, &report)
        };
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            assert!(audited(&[hasty]).await.is_some());
            assert_eq!(audited(&[hasty, deadlines(PATIENCE[3])]).await, None);
        });
        runtime.shutdown_background();
    }

    #[test]
    fn the_demo_plays_when_its_certificates_can_be_made() {
        for (now, year) in [
            (datetime!(1901-12-14 00:00 UTC), 2000),
            (datetime!(1970-01-01 00:00 UTC), 2000),
            (datetime!(2026-02-03 00:00 UTC), 2026),
            (datetime!(2100-03-01 00:00 UTC), 2100),
        ] {
            assert_eq!(demonstrable(now).year(), year, "{now}");
        }
    }
}
