//! Options of the subcommands that look at reports of earlier runs.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::gate::FailOn;
use super::report::PlainFormat;

const DIFF_EXAMPLES: &str = "\
Examples:
  # before a deployment; exit status 1 where something got worse
  shakedown diff known-good.json now.json
  # from cron, which sends no mail where nothing changed
  shakedown diff yesterday.ndjson today.ndjson

Worse is a result, a new finding of --fail-on or above, a version that is no longer spoken, an earlier expiry.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = DIFF_EXAMPLES)]
pub(in crate::cli) struct DiffArgs {
    /// The report of the earlier run, in JSON or NDJSON
    pub(in crate::cli) old: PathBuf,
    /// The report of the later run
    pub(in crate::cli) new: PathBuf,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: PlainFormat,
    /// The severity from which a new finding is for the worse
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

The exit status is that of one run over all targets; a shard that is missing or unfinished is named, with status 2.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = MERGE_EXAMPLES)]
pub(in crate::cli) struct MergeArgs {
    /// The NDJSON files that the shards wrote, in any order
    #[arg(required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: MergeFormat,
    /// Write the report to this file, whole or not at all, instead of stdout
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
