//! Writes the reports: one to stdout or a file, and any number of others to further files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::anyhow;

use super::args::{Framing, ReportArgs, ReportFile};
use super::errors::UsageError;
use super::settings;
use super::whole_file::Output;
use crate::report::saved::manifest::Manifest;
use crate::report::{
    Format, Look, Report,
    formats::json::{self, KeptTargets},
    formats::{github, ndjson},
};
use crate::run::{Status, TargetReport};

/// Moves a terminal's cursor to the first line and erases the screen.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// One format of the report and its destination.
struct Sink {
    format: Format,
    look: Look,
    output: Output,
    /// Whether `--quiet` applies to it (stdout only).
    quiet: bool,
    /// How it stands on stdout.
    framing: Framing,
    /// The error after which nothing more is written to it.
    failure: Option<io::Error>,
}

impl Sink {
    fn new(format: Format, look: Look, output: Output, quiet: bool) -> Self {
        Self { format, look, output, quiet, framing: Framing::Alone, failure: None }
    }

    fn render(&mut self, report: &Report) -> io::Result<()> {
        if self.framing == Framing::Redrawn {
            self.output.write_all(CLEAR)?;
        }
        if self.framing != Framing::Comments {
            return report.render(self.format, self.look, &mut self.output);
        }
        let mut text = Vec::new();
        report.render(self.format, self.look, &mut text)?;
        for line in text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n') {
            let mark: &[u8] = if line.is_empty() { b"#" } else { b"# " };
            self.output.write_all(&[mark, line, b"\n"].concat())?;
        }
        Ok(())
    }

    /// Writes something, unless an earlier write failed: an error in one destination does not affect the others.
    fn attempt(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failure.is_none() {
            self.failure = write(self).err();
        }
    }
}

/// All formats of the report.
pub(super) struct ReportWriter {
    sinks: Vec<Sink>,
    /// The file for the job summary of GitHub Actions.
    step_summary: Option<(PathBuf, File)>,
}

impl ReportWriter {
    /// Opens every destination, so that errors show before anything is probed.
    pub(super) fn open(args: &ReportArgs, quiet: bool) -> anyhow::Result<Self> {
        let (plain, named): (Vec<&ReportFile>, Vec<_>) =
            args.output.iter().partition(|destination| destination.format.is_none());
        if plain.len() > 1 {
            return Err(UsageError::new(
                "--output FILE is given twice",
                "to write several formats, give each a file: --output json=FILE --output sarif=FILE",
            ));
        }
        twice(&args.output)?;
        let main = plain.first().map(|destination| destination.path.as_path());
        let to_stdout = main.is_none();
        let (look, quiet) = (settings::look(args, to_stdout), quiet && to_stdout);
        let mut sinks = vec![Sink::new(args.format, look, Output::open(main)?, quiet)];
        sinks[0].framing = if to_stdout { args.framing } else { Framing::Alone };
        for ReportFile { format, path } in named {
            let (format, look) = (format.unwrap_or(args.format), settings::look(args, false));
            sinks.push(Sink::new(format, look, Output::open(Some(path))?, false));
        }
        let github = sinks.iter().any(|sink| sink.format == Format::Github);
        let step_summary =
            settings::step_summary().filter(|_| github).map(appendable).transpose()?;
        Ok(Self { sinks, step_summary })
    }

    /// One stream, written directly to a file.
    pub(super) fn journal(args: &ReportArgs, file: File) -> Self {
        let (format, look) = (Format::Ndjson, settings::look(args, false));
        let sinks = vec![Sink::new(format, look, Output::in_place(file), false)];
        Self { sinks, step_summary: None }
    }

    /// Lists every certificate that was sent, even without `--show-chain`.
    #[must_use]
    pub(super) fn showing_chains(mut self) -> Self {
        self.sinks.iter_mut().for_each(|sink| sink.look.show_chain = true);
        self
    }

    /// Whether a format needs the reports at the end, and not only their JSON.
    pub(super) fn needs_reports(&self) -> bool {
        self.sinks.iter().any(|sink| !(sink.format.streams() || sink.format == Format::Json))
    }

    /// Whether a format needs every target's JSON at the end.
    pub(super) fn needs_json(&self) -> bool {
        self.sinks.iter().any(|sink| sink.format == Format::Json)
    }

    /// Writes text before the report, if the format is for people.
    pub(super) fn preface(&mut self, text: &str) -> io::Result<()> {
        match self.sinks.first_mut() {
            Some(sink) if sink.format == Format::Table => sink.output.write_all(text.as_bytes()),
            _ => Ok(()),
        }
    }

    /// Writes a target to the formats that are written one target at a time. Fails if no destination can be written any
    /// more.
    pub(super) fn line(&mut self, report: &TargetReport) -> io::Result<()> {
        for sink in self.sinks.iter_mut().filter(|sink| sink.format.streams()) {
            if !sink.quiet || !(report.status == Status::Pass || report.is_waived()) {
                sink.attempt(|sink| {
                    ndjson::line(report, &mut sink.output)?;
                    sink.output.flush()
                });
            }
        }
        if self.sinks.iter().all(|sink| sink.failure.is_some()) {
            return self.sinks.iter_mut().find_map(|sink| sink.failure.take()).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// Writes the manifest at the end of every stream.
    pub(super) fn trailer(&mut self, manifest: &Manifest) {
        for sink in self.sinks.iter_mut().filter(|sink| sink.format.streams()) {
            sink.attempt(|sink| {
                serde_json::to_writer(&mut sink.output, manifest)?;
                writeln!(sink.output)
            });
        }
    }

    /// Writes a complete report in every format.
    pub(super) fn write(mut self, report: &Report) -> anyhow::Result<()> {
        report.targets.iter().try_for_each(|target| self.line(target))?;
        self.finish(report, None)
    }

    /// Writes the report in the other formats, and moves the files to their places. Its targets may be `kept` as text
    /// instead.
    pub(super) fn finish(self, report: &Report, kept: Option<&KeptTargets>) -> anyhow::Result<()> {
        let summary = report.summary();
        let in_order = summary.is_in_order();
        let mut failure = None;
        // Files come first: stdout may be closed.
        let (stdout, files): (Vec<Sink>, Vec<Sink>) =
            self.sinks.into_iter().partition(|sink| sink.output.is_stdout());
        for mut sink in files.into_iter().chain(stdout) {
            if !(sink.format.streams() || sink.quiet && in_order) {
                let shown = if sink.quiet && sink.format == Format::Table {
                    &report.of_what_is_not_in_order()
                } else {
                    report
                };
                sink.attempt(|sink| match kept {
                    Some(kept) => json::render_kept(report, kept, &mut sink.output),
                    None => sink.render(shown),
                });
            }
            let finished = match sink.failure {
                None => sink.output.finish(),
                Some(error) => Err(error.into()),
            };
            failure = failure.or(finished.err());
        }
        if let Some((path, mut file)) = self.step_summary {
            let written = file.write_all(github::summary(report).as_bytes());
            let written =
                written.map_err(|error| anyhow!("cannot write {}: {error}", path.display()));
            failure = failure.or(written.err());
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Refuses two formats in one file, as one would overwrite the other.
fn twice(destinations: &[ReportFile]) -> anyhow::Result<()> {
    for (index, one) in destinations.iter().enumerate() {
        let same = destinations[..index].iter().any(|other| other.path == one.path);
        if same && !is_device(one) {
            return Err(UsageError::new(
                format!("two formats of the report go to {}", one.path.display()),
                "give each a file of its own",
            ));
        }
    }
    Ok(())
}

fn is_device(destination: &ReportFile) -> bool {
    destination.path.exists() && !destination.path.is_file()
}

fn appendable(path: PathBuf) -> anyhow::Result<(PathBuf, File)> {
    match OpenOptions::new().append(true).create(true).open(&path) {
        Ok(file) => Ok((path, file)),
        Err(error) => Err(anyhow!("cannot write {}: {error}", path.display())),
    }
}
