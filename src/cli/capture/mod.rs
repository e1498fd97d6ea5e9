//! `capture`: which handshakes of a packet capture failed, on whose side, and why.

mod source;

use std::io::Write;

use super::args::{CaptureArgs, CaptureFormat};
use super::exit::Exit;
use super::settings;
use super::unpacked::name;
use super::whole_file::Output;
use crate::capture::intake::CaptureIntake;
use crate::report::Summary;
use crate::report::capture::document::{CaptureFile, CaptureReport};
use crate::report::capture::table;
use crate::report::escape::WithoutCommands;

/// Runs the subcommand.
pub(super) fn run(args: &CaptureArgs) -> anyhow::Result<Exit> {
    source::check(&args.files)?;
    let output = Output::open(args.output.file.as_deref())?;
    let mut intake = CaptureIntake::new(args.only_failing);
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
    let report = CaptureReport::new(&intake, files);
    write(&report, args, output)?;
    let summary = Summary {
        failed: usize::from(report.has_findings()),
        untested: usize::from(report.has_gaps()),
        ..Summary::default()
    };
    Ok(Exit::of(&summary, true, 0))
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
