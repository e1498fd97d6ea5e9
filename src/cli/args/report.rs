//! Options about the report: format, files and appearance.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, ValueEnum};

use crate::report::Format;

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Report")]
pub(in crate::cli) struct ReportArgs {
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: Format,
    /// Write the report to this file instead of stdout, completely or not at all; FORMAT=FILE writes it in another
    /// format as well (repeatable)
    #[arg(
        long,
        value_name = "[FORMAT=]FILE",
        value_parser = clap::builder::OsStringValueParser::new().try_map(report_file)
    )]
    pub(in crate::cli) output: Vec<ReportFile>,
    /// File to attach findings to when the target does not come from a file (SARIF, GitLab)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) sarif_anchor: Option<String>,
    /// Add metrics under these names
    #[arg(long, value_enum, value_name = "NAMES")]
    pub(in crate::cli) metrics_compat: Option<MetricsArg>,
    /// List every certificate that was sent, with the verdicts of browsers and of OpenSSL
    #[arg(long)]
    pub(in crate::cli) show_chain: bool,
    /// Omit timestamps and durations from JSON and NDJSON, so identical results give identical output
    #[arg(long)]
    pub(in crate::cli) omit_times: bool,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(in crate::cli) color: ColorArg,
    /// What else stdout is for; not an option.
    #[arg(skip)]
    pub(in crate::cli) framing: Framing,
}

/// How a report on stdout stands among what else is written there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) enum Framing {
    /// By itself.
    #[default]
    Alone,
    /// As comments, because manifests follow it.
    Comments,
    /// In place of the one before.
    Redrawn,
}

/// Where a report goes that has one format.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct OutputArgs {
    /// Write the report to this file instead of stdout, completely or not at all
    #[arg(long = "output", value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(in crate::cli) color: ColorArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MetricsArg {
    /// Those of blackbox_exporter: probe_success, probe_ssl_earliest_cert_expiry …
    Blackbox,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlainFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// A file to write to, and its format if given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct ReportFile {
    /// `None` means the format of `--format`.
    pub(in crate::cli) format: Option<Format>,
    pub(in crate::cli) path: PathBuf,
}

/// Parses `FILE` or `FORMAT=FILE`. An unknown word before `=` is an error, not part of a file name.
pub(in crate::cli) fn report_file(text: OsString) -> Result<ReportFile, String> {
    let Some((word, path)) = text.to_str().and_then(|text| text.split_once('=')) else {
        return Ok(ReportFile { format: None, path: text.into() });
    };
    if word.contains(['/', '.']) {
        return Ok(ReportFile { format: None, path: text.into() });
    }
    match Format::from_str(word, false) {
        Ok(_) if path.is_empty() => Err(format!("missing file name after {word}=")),
        Ok(format) => Ok(ReportFile { format: Some(format), path: path.into() }),
        Err(_) => {
            let known: Vec<_> =
                Format::value_variants().iter().map(|format| format.name()).collect();
            Err(format!(
                "unknown format {word:?}; expected one of {} (for a file of that name write ./{})",
                known.join(", "),
                text.to_string_lossy()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Option<Format>, &str), &str>) {
        let found = report_file(text.into()).map(|one| (one.format, one.path));
        match (found, expected) {
            (Ok((format, path)), Ok((wanted, file))) => {
                assert_eq!((format, path), (wanted, PathBuf::from(file)));
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn a_report_goes_to_a_file_or_a_format_and_a_file() {
        check("report.txt", Ok((None, "report.txt")));
        check("sarif=a=b.sarif", Ok((Some(Format::Sarif), "a=b.sarif")));
        check("./sarif=x", Ok((None, "./sarif=x")));
        check("/tmp/a=b", Ok((None, "/tmp/a=b")));
        check("sarfi=x", Err("unknown format \"sarfi\""));
        check("json=", Err("missing file name"));
    }
}
