//! Options for runs that are spread over machines, or over time.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::targets::shard::Shard;

#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Fleet")]
pub(in crate::cli) struct FleetArgs {
    /// Test only this share of the targets: 1/8 or 0:8 is the first of eight. A host's targets are all in one share. NDJSON
    /// then ends with a manifest, for merge
    #[arg(long, value_name = "I/N", conflicts_with_all = ["only_failing", "quiet", "write_baseline"])]
    pub(in crate::cli) shard: Option<Shard>,
    /// Write NDJSON with a manifest to this file as targets are done; if it exists, continue where it ends
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["output", "format", "only_failing", "quiet", "write_baseline"]
    )]
    pub(in crate::cli) resume: Option<PathBuf>,
}

impl FleetArgs {
    /// Whether this run tests only part of the targets.
    pub(in crate::cli) fn is_part(&self) -> bool {
        self.shard.is_some() || self.resume.is_some()
    }
}
