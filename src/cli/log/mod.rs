//! `log`: TLS in error logs and access logs, and what to do first.

mod audit;
mod follow;
pub(super) mod input;
mod side_by_side;

use std::io::Write;
use std::path::Path;

use self::audit::Audited;
use self::input::LogInput;
use super::args::{LogArgs, LogFormat};
use super::errors::{UsageError, warn};
use super::exit::Exit;
use super::whole_file::Output;
use super::{moment, settings};
use crate::log::access::is_version;
use crate::log::format::AccessLogFormat;
use crate::log::intake::Intake;
use crate::log::shape::AccessLineShape;
use crate::nginx::tree::{Directive, Tree};
use crate::report::escape::WithoutCommands;
use crate::report::log::document::LogReport;
use crate::report::log::{prometheus, table};
use crate::targets::disk::Disk;

/// The most problems of a configuration that are reported.
const MAX_PROBLEMS: usize = 5;

/// Runs the subcommand.
pub(super) fn run(args: &LogArgs) -> anyhow::Result<Exit> {
    if args.follow && args.format != LogFormat::Table && args.output.file.is_none() {
        return Err(UsageError::new(
            "--follow and --format both write to stdout",
            "give a file for the document (--output FILE)",
        ));
    }
    let tree = args.nginx.as_deref().map(tree).transpose()?;
    let mut intake = Intake { shape: shape(args, tree.as_ref())?, ..Intake::default() };
    intake.errors.since = args.since.as_deref().map(since).transpose()?;
    let what_if = args.what_if.as_deref().map(versions).transpose()?;
    let mut readings: Vec<LogInput> = args
        .files
        .iter()
        .map(|path| LogInput::open(path, args.follow))
        .collect::<Result<_, _>>()?;
    let output = Output::open(args.output.file.as_deref())?;
    for reading in &mut readings {
        reading.read(&mut intake);
        if !args.follow {
            reading.end(&mut intake);
        }
    }
    if args.follow {
        follow::follow(&mut readings, &mut intake)?;
        for reading in &mut readings {
            reading.end(&mut intake);
        }
    }
    let files = readings.into_iter().map(LogInput::finish).collect();
    let mut report = LogReport::new(&intake, files, what_if.as_deref());
    let mut audited = Audited::default();
    if args.probe {
        audited = audit::audit(&intake, args, tree.as_ref(), &mut report)?;
    }
    // The rest of a file that cannot be read to its end is untested.
    audited.summary.untested += report.files.iter().filter(|file| file.error.is_some()).count();
    // Nothing can be concluded from a file that is mostly something else.
    audited.summary.untested += usize::from(report.mostly_unreadable());
    write(&report, args, output)?;
    Ok(Exit::of(&audited.summary, true, audited.internal_errors))
}

/// The configuration from the command line. Faults in it are reported, because they can make the results wrong.
fn tree(path: &Path) -> anyhow::Result<Tree> {
    // Its errors are better than those of a tree without directives.
    drop(input::open_file(path)?);
    let tree = Tree::read(&Disk::default(), &path.display().to_string());
    for problem in tree.problems.iter().take(MAX_PROBLEMS) {
        warn(&format!("{}: {problem}", path.display()));
    }
    if tree.problems.len() > MAX_PROBLEMS {
        warn(&format!("{}: and {} more", path.display(), tree.problems.len() - MAX_PROBLEMS));
    }
    Ok(tree)
}

/// The format of access lines: from the command line, from the configuration, or guessed.
fn shape(args: &LogArgs, tree: Option<&Tree>) -> anyhow::Result<AccessLineShape> {
    if let Some(format) = &args.log_format {
        let format = AccessLogFormat::compile(format).map_err(|error| {
            UsageError::new(format!("--log-format: {error}"), "copy it from log_format")
        })?;
        return Ok(AccessLineShape::Given(vec![format]));
    }
    Ok(tree.map(|tree| formats([tree])).unwrap_or_default())
}

/// The formats of configurations.
pub(super) fn formats<'t>(trees: impl IntoIterator<Item = &'t Tree>) -> AccessLineShape {
    let blocks =
        trees.into_iter().flat_map(|tree| tree.blocks("http").chain(tree.blocks("stream")));
    let named = blocks.flat_map(Directive::children);
    let formats = named.filter(|one| one.name == "log_format");
    let texts = formats.map(|one| {
        let words = one.arguments.iter().skip(1).filter(|word| !word.starts_with("escape="));
        words.map(|word| &**word).collect::<String>()
    });
    AccessLineShape::given(texts.filter_map(|text| AccessLogFormat::compile(&text).ok()).collect())
}

fn write(report: &LogReport, args: &LogArgs, mut output: Output) -> anyhow::Result<()> {
    let text = match args.format {
        LogFormat::Table => table::render(report, settings::look_of(&args.output)),
        LogFormat::Json => report.json()?,
        LogFormat::Prometheus => prometheus::render(report),
    };
    let mut lines = WithoutCommands::new(&mut output);
    lines.write_all(text.as_bytes())?;
    lines.finish()?;
    output.finish()
}

/// A moment on the host's clock: `2h` ago, or a date.
fn since(text: &str) -> anyhow::Result<i64> {
    moment::seconds("--since", text, settings::local_offset)
}

/// `TLSv1.3`, or several with spaces or commas.
fn versions(text: &str) -> anyhow::Result<Vec<String>> {
    let words =
        text.split([' ', ',', ';']).filter(|word| !word.is_empty() && *word != "ssl_protocols");
    let versions: Vec<String> = words.map(str::to_owned).collect();
    let wrong = versions.iter().find(|version| !is_version(version.as_bytes()));
    if versions.is_empty() || wrong.is_some() {
        let named = wrong.map_or(text, String::as_str);
        return Err(UsageError::new(
            format!("unknown TLS version --what-if {named:?}"),
            "use the values of ssl_protocols, such as TLSv1.2 TLSv1.3",
        ));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_change_is_written_as_in_the_configuration() {
        assert_eq!(versions("TLSv1.2 TLSv1.3").unwrap(), ["TLSv1.2", "TLSv1.3"]);
        assert_eq!(versions("ssl_protocols TLSv1.3;").unwrap(), ["TLSv1.3"]);
        assert!(versions("TLS1.3").is_err() && versions("").is_err());
    }
}
