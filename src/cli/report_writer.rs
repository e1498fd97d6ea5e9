//! Where the reports go: one to stdout or a file, and any number of others to files of their own.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::anyhow;

use super::args::{ReportArgs, ReportFile};
use super::errors::UsageError;
use super::settings;
use super::whole_file::Output;
use crate::report::saved::manifest::Manifest;
use crate::report::{
    Format, Look, Report,
    formats::{github, ndjson},
};
use crate::run::{Status, TargetReport};

/// One form of the report on its way to its place.
struct Sink {
    format: Format,
    look: Look,
    output: Output,
    /// It goes to stdout, where `--quiet` may want nothing.
    quiet: bool,
}

/// All forms of the report.
pub(super) struct ReportWriter {
    sinks: Vec<Sink>,
    /// Where GitHub Actions takes the job's summary.
    step_summary: Option<PathBuf>,
}

impl ReportWriter {
    /// Opens every destination, so that a bad one is known before anything is probed.
    pub(super) fn open(args: &ReportArgs, quiet: bool) -> anyhow::Result<Self> {
        let (plain, named): (Vec<&ReportFile>, Vec<_>) =
            args.output.iter().partition(|destination| destination.format.is_none());
        if plain.len() > 1 {
            return Err(UsageError::new(
                "--output FILE is given twice",
                "to write several forms, say which goes where: --output json=FILE --output sarif=FILE",
            ));
        }
        twice(&args.output)?;
        let main = plain.first().map(|destination| destination.path.as_path());
        let to_stdout = main.is_none();
        let mut sinks = vec![Sink {
            format: args.format,
            look: settings::look(args, to_stdout),
            output: Output::open(main)?,
            quiet: quiet && to_stdout,
        }];
        for ReportFile { format, path } in named {
            sinks.push(Sink {
                format: format.unwrap_or(args.format),
                look: settings::look(args, false),
                output: Output::open(Some(path))?,
                quiet: false,
            });
        }
        let github = sinks.iter().any(|sink| sink.format == Format::Github);
        let step_summary = if github { settings::step_summary() } else { None };
        Ok(Self { sinks, step_summary })
    }

    /// One stream, into a file that is written as it stands.
    pub(super) fn journal(args: &ReportArgs, file: File) -> Self {
        let (format, look) = (Format::Ndjson, settings::look(args, false));
        let sinks = vec![Sink { format, look, output: Output::in_place(file), quiet: false }];
        Self { sinks, step_summary: None }
    }

    /// Shows every certificate that was sent, whatever was typed.
    #[must_use]
    pub(super) fn showing_chains(mut self) -> Self {
        self.sinks.iter_mut().for_each(|sink| sink.look.show_chain = true);
        self
    }

    /// Whether no form needs more than one target at a time.
    pub(super) fn all_stream(&self) -> bool {
        self.sinks.iter().all(|sink| sink.format.streams())
    }

    /// What comes before the report where that is for people.
    pub(super) fn preface(&mut self, text: &str) -> io::Result<()> {
        match self.sinks.first_mut() {
            Some(sink) if sink.format == Format::Table => sink.output.write_all(text.as_bytes()),
            _ => Ok(()),
        }
    }

    /// Writes a target to the forms that take one at a time.
    pub(super) fn line(&mut self, report: &TargetReport) -> io::Result<()> {
        for sink in self.sinks.iter_mut().filter(|sink| sink.format.streams()) {
            if !sink.quiet || report.status != Status::Pass {
                ndjson::line(report, &mut sink.output)?;
                sink.output.flush()?;
            }
        }
        Ok(())
    }

    /// Says at the end of every stream what it holds.
    pub(super) fn trailer(&mut self, manifest: &Manifest) -> io::Result<()> {
        for sink in self.sinks.iter_mut().filter(|sink| sink.format.streams()) {
            serde_json::to_writer(&mut sink.output, manifest)?;
            writeln!(sink.output)?;
        }
        Ok(())
    }

    /// Writes a report that was not streamed in every form.
    pub(super) fn write(mut self, report: &Report) -> anyhow::Result<()> {
        report.targets.iter().try_for_each(|target| self.line(target))?;
        self.finish(report)
    }

    /// Writes the report in every form that wants it whole, and puts the files in their places.
    pub(super) fn finish(self, report: &Report) -> anyhow::Result<()> {
        let summary = report.summary();
        let all_pass = summary.passed == summary.targets;
        for Sink { format, look, mut output, quiet } in self.sinks {
            if !(format.streams() || quiet && all_pass) {
                report.render(format, look, &mut output)?;
            }
            output.finish()?;
        }
        if let Some(path) = self.step_summary {
            append(&path, &github::summary(report))
                .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Two forms in one file would leave one of them.
fn twice(destinations: &[ReportFile]) -> anyhow::Result<()> {
    for (index, one) in destinations.iter().enumerate() {
        let same = destinations[..index].iter().any(|other| other.path == one.path);
        if same && !is_device(one) {
            return Err(UsageError::new(
                format!("two forms of the report go to {}", one.path.display()),
                "give each a file of its own",
            ));
        }
    }
    Ok(())
}

fn is_device(destination: &ReportFile) -> bool {
    destination.path.exists() && !destination.path.is_file()
}

fn append(path: &std::path::Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}
