//! Options of `replay`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser};

use super::gate::GateArgs;
use super::probe::RunArgs;
use super::report::ReportArgs;

const REPLAY_EXAMPLES: &str = "\
Examples:
  shakedown probe www.example.com --save-observations seen.jsonl
  shakedown replay seen.jsonl
  # as of a later day
  shakedown replay seen.jsonl --at 2027-01-01
  shakedown replay seen.jsonl --format json --gate gate.toml

The file contains what servers answered, including certificates and names, but no private keys.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(in crate::cli) struct ReplayArgs {
    /// The file that --save-observations wrote
    pub(in crate::cli) file: PathBuf,
    /// Judge certificates at this time instead of when they were seen: 2026-12-31 or 2026-12-31T23:59:59Z
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
    /// Report each target on stderr as soon as it is judged
    #[arg(short, long, help_heading = "Report")]
    pub(in crate::cli) verbose: bool,
}

impl ReplayArgs {
    /// The equivalent options of an audit, with defaults for those about connections.
    pub(in crate::cli) fn run(&self) -> RunArgs {
        #[derive(Parser)]
        struct Defaults {
            #[command(flatten)]
            run: RunArgs,
        }
        let Self { report, gate, verbose, .. } = self.clone();
        RunArgs { report, gate, verbose, ..Defaults::parse_from(["replay"]).run }
    }
}
