//! Options of the subcommands that read reports of earlier runs.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::gate::FailOn;
use super::report::PlainFormat;

const DIFF_EXAMPLES: &str = "\
Examples:
  # before a deployment; exit status 1 if something got worse
  shakedown diff known-good.json now.json
  # from cron; prints nothing if nothing changed
  shakedown diff yesterday.ndjson today.ndjson

Worse means: a worse result, a new finding of --fail-on or above, a TLS version
that is no longer accepted, an earlier expiry, or a target that is missing from
the later report.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = DIFF_EXAMPLES)]
pub(in crate::cli) struct DiffArgs {
    /// The report of the earlier run, in JSON or NDJSON
    pub(in crate::cli) old: PathBuf,
    /// The report of the later run
    pub(in crate::cli) new: PathBuf,
    /// Format of the output
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: PlainFormat,
    /// Count new findings of this severity or above as worse
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(in crate::cli) fail_on: FailOn,
}

const MERGE_EXAMPLES: &str = "\
Examples:
  # on one machine
  shakedown probe --config targets.toml --shard 1/2 --resume 1.ndjson
  # on another
  shakedown probe --config targets.toml --shard 2/2 --resume 2.ndjson
  shakedown merge 1.ndjson 2.ndjson > report.json

The exit status is that of a single run over all targets. A missing or unfinished shard is named, with status 2.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = MERGE_EXAMPLES)]
pub(in crate::cli) struct MergeArgs {
    /// The NDJSON files that the shards wrote, in any order
    #[arg(required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: MergeFormat,
    /// Write the report to this file instead of stdout, completely or not at all
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MergeFormat {
    /// One JSON document, as probe writes it
    #[default]
    Json,
    /// One JSON object a line, in input order
    Ndjson,
}
