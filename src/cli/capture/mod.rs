//! `capture`: which handshakes of a packet capture failed, on whose side, and why.

mod configuration;
mod live;
mod source;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use self::live::RunningSummary;
use super::args::{CaptureArgs, CaptureFormat};
use super::errors::warn;
use super::exit::Exit;
use super::unpacked::name;
use super::whole_file::Output;
use super::{moment, settings};
use crate::capture::failing::FailingConnections;
use crate::capture::filter::CaptureFilter;
use crate::capture::intake::{CaptureIntake, IntakeSettings};
use crate::capture::kept::Keeping;
use crate::capture::kept_clients::KeptClients;
use crate::capture::pcapng;
use crate::capture::placeholders::Placeholders;
use crate::capture::tally::RunningTally;
use crate::certificate::trust::TrustStore;
use crate::report::Summary;
use crate::report::capture::document::{CaptureFile, CaptureReport};
use crate::report::capture::{CapturedSite, clients_file, html, prometheus, table};
use crate::report::escape::WithoutCommands;
use crate::targets::options::Options;
use crate::targets::trust::{self, TrustError};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// Runs the subcommand.
pub(super) fn run(args: &CaptureArgs) -> anyhow::Result<Exit> {
    source::check(&args.files)?;
    let configured = args.nginx.as_deref().map(|path| configuration::read(path, &args.release));
    let configured = configured.transpose()?;
    let filter = filter(args)?;
    let keys = args.keylog.as_deref().map(source::keys).transpose()?.unwrap_or_default();
    let output = Output::open(args.output.file.as_deref())?;
    let beside = |path: Option<&Path>| path.map(|path| Output::open(Some(path))).transpose();
    let (clients, failing) =
        (beside(args.write_clients.as_deref())?, beside(args.write_failing.as_deref())?);
    let tally = args.interval.map(|_| RunningTally::default());
    let running =
        args.interval.zip(tally.clone()).map(|(every, tally)| RunningSummary::start(every, tally));
    let mut intake = CaptureIntake::new(IntakeSettings {
        only_failing: args.only_failing,
        keeping: Keeping {
            hellos: clients.is_some(),
            packets: failing.is_some(),
            turns: configured.is_some(),
            ..Keeping::default()
        },
        filter,
        tally,
        keys,
    });
    let files = read(args, &mut intake);
    drop(running);
    let placeholders = Placeholders::new(args.anonymize);
    let roots = Arc::new(roots(args)?);
    let site = CapturedSite { configured: configured.as_ref(), roots: &roots };
    let report = CaptureReport::new(&intake, files, site, &placeholders);
    write(&report, args, output)?;
    if let Some(clients) = clients {
        write_clients(&intake.kept_clients, args, &placeholders, clients)?;
    }
    if let Some(failing) = failing {
        write_failing(intake.failing, &placeholders, failing)?;
    }
    let summary = Summary {
        failed: usize::from(report.has_findings()),
        untested: usize::from(report.has_gaps()),
        ..Summary::default()
    };
    Ok(Exit::of(&summary, true, 0))
}

/// The roots that clients are taken to have; those that are compiled in where the system has none.
fn roots(args: &CaptureArgs) -> anyhow::Result<TrustStore> {
    let wanted = args.trust.roots();
    let is_default = wanted.is_none();
    let options = Options {
        roots: wanted,
        add_ca_files: Some(args.trust.add_ca_file.clone()),
        ..Options::default()
    };
    match trust::load(&options.trust()) {
        Err(TrustError::NoSystemRoots(_)) if is_default => Ok(TrustStore::mozilla()),
        loaded => Ok(loaded?),
    }
}

/// Reads every file to its end.
fn read(args: &CaptureArgs, intake: &mut CaptureIntake) -> Vec<CaptureFile> {
    let mut files = Vec::new();
    for path in &args.files {
        let (frames, error) = match source::open(path) {
            Ok(source) => {
                let (frames, error) = intake.read(source);
                (frames, error.map(|error| error.to_string()))
            }
            Err(error) => (0, Some(error.to_string())),
        };
        files.push(CaptureFile { path: name(path), frames, error });
    }
    intake.finish();
    files
}

/// The handshakes that are asked for. Times are those of the report, in UTC.
fn filter(args: &CaptureArgs) -> anyhow::Result<CaptureFilter> {
    let nanos = |option: &str, text: Option<&str>| {
        let seconds = text.map(|text| moment::seconds(option, text, |_| 0)).transpose();
        seconds.map(|it| it.map(|seconds| seconds.saturating_mul(SECOND)))
    };
    Ok(CaptureFilter {
        names: args.server_name.clone(),
        addresses: args.address.clone(),
        since: nanos("--since", args.since.as_deref())?,
        until: nanos("--until", args.until.as_deref())?,
    })
}

/// The clients, and what is not among them.
fn write_clients(
    kept: &KeptClients,
    args: &CaptureArgs,
    placeholders: &Placeholders,
    mut output: Output,
) -> anyhow::Result<()> {
    let file = clients_file::text(kept, u64::from(!args.all_clients), placeholders);
    output.write_all(file.text.as_bytes())?;
    output.finish()?;
    if file.clients == 0 {
        let which = if args.all_clients { "hello" } else { "hello of a client that failed" };
        warn(&format!("--write-clients: there is no {which} to write"));
    }
    say_left_out(
        "--write-clients",
        &[
            (file.left_out as u64, "further clients are left out: a file has at most 500"),
            (kept.others, "handshakes are of further kinds of clients, which are not told apart"),
            (kept.unusual, "handshakes have a hello that cannot be sent again"),
        ],
    );
    Ok(())
}

/// The packets of handshakes that failed. A PROXY header has an address that no placeholder fits.
fn write_failing(
    mut failing: FailingConnections,
    placeholders: &Placeholders,
    mut output: Output,
) -> anyhow::Result<()> {
    let all = failing.connections.len();
    failing.connections.retain(|it| !it.is_proxied || !placeholders.are_wanted());
    let proxied = (all - failing.connections.len()) as u64;
    let bytes = pcapng::file(&failing.connections, |address| placeholders.socket(address));
    output.write_all(&bytes)?;
    output.finish()?;
    if failing.connections.is_empty() {
        warn("--write-failing: there is no failed handshake to write");
    }
    say_left_out(
        "--write-failing",
        &[
            (failing.left_out, "connections are left out: they have too many packets"),
            (proxied, "connections are left out: an address is in their PROXY header"),
        ],
    );
    Ok(())
}

fn say_left_out(option: &str, counts: &[(u64, &str)]) {
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        warn(&format!("{option}: {count} {what}"));
    }
}

fn write(report: &CaptureReport, args: &CaptureArgs, mut output: Output) -> anyhow::Result<()> {
    match args.format {
        CaptureFormat::Table => {
            let text = table::render(report, settings::look_of(&args.output));
            let mut lines = WithoutCommands::new(&mut output);
            lines.write_all(text.as_bytes())?;
            lines.finish()?;
        }
        CaptureFormat::Json => report.json(&mut output)?,
        CaptureFormat::Ndjson => report.ndjson(&mut output)?,
        CaptureFormat::Prometheus => prometheus::render(report, &mut output)?,
        CaptureFormat::Html => html::render(report, &mut output)?,
    }
    output.finish()
}
