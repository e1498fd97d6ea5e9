//! `capture`: which handshakes of a packet capture failed, on whose side, and why.

mod configuration;
mod source;

use std::io::Write;

use super::args::{CaptureArgs, CaptureFormat};
use super::errors::warn;
use super::exit::Exit;
use super::settings;
use super::unpacked::name;
use super::whole_file::Output;
use crate::capture::intake::{CaptureIntake, IntakeSettings};
use crate::capture::kept::Keeping;
use crate::capture::kept_clients::KeptClients;
use crate::report::Summary;
use crate::report::capture::document::{CaptureFile, CaptureReport};
use crate::report::capture::{clients_file, table};
use crate::report::escape::WithoutCommands;

/// Runs the subcommand.
pub(super) fn run(args: &CaptureArgs) -> anyhow::Result<Exit> {
    source::check(&args.files)?;
    let configured = args.nginx.as_deref().map(|path| configuration::read(path, &args.release));
    let configured = configured.transpose()?;
    let output = Output::open(args.output.file.as_deref())?;
    let clients = args.write_clients.as_deref().map(|path| Output::open(Some(path))).transpose()?;
    let keeping = Keeping { hellos: clients.is_some(), ..Keeping::default() };
    let settings = IntakeSettings { only_failing: args.only_failing, keeping };
    let mut intake = CaptureIntake::new(settings);
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
    let report = CaptureReport::new(&intake, files, configured.as_ref());
    write(&report, args, output)?;
    if let Some(clients) = clients {
        write_clients(&intake.kept_clients, args, clients)?;
    }
    let summary = Summary {
        failed: usize::from(report.has_findings()),
        untested: usize::from(report.has_gaps()),
        ..Summary::default()
    };
    Ok(Exit::of(&summary, true, 0))
}

/// The clients, and what is not among them.
fn write_clients(kept: &KeptClients, args: &CaptureArgs, mut output: Output) -> anyhow::Result<()> {
    let file = clients_file::text(kept, u64::from(!args.all_clients));
    output.write_all(file.text.as_bytes())?;
    output.finish()?;
    if file.clients == 0 {
        let which = if args.all_clients { "hello" } else { "hello of a client that failed" };
        warn(&format!("--write-clients: there is no {which} to write"));
    }
    let left_out = [
        (file.left_out as u64, "further clients are left out: a file has at most 500"),
        (kept.others, "handshakes are of further kinds of clients, which are not told apart"),
        (kept.unusual, "handshakes have a hello that cannot be sent again"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        warn(&format!("--write-clients: {count} {what}"));
    }
    Ok(())
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
    }
    output.finish()
}
