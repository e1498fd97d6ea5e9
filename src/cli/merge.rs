//! `merge`: merges the shards of one run into its report.

use super::args::{MergeArgs, MergeFormat};
use super::exit::Exit;
use super::input;
use super::whole_file::Output;
use crate::report::saved::merge::{RunPart, merge};

/// The largest file, in bytes: it must fit into memory.
const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;

/// Runs the subcommand.
pub(super) fn run(args: &MergeArgs) -> anyhow::Result<Exit> {
    let mut parts = Vec::new();
    for path in &args.files {
        let text = input::text(path, MAX_FILE)?;
        parts.push(RunPart::read(&path.display().to_string(), &text)?);
    }
    let merged = merge(parts)?;
    let mut output = Output::open(args.output.as_deref())?;
    match args.format {
        MergeFormat::Json => merged.write_json(&mut output)?,
        MergeFormat::Ndjson => merged.write_lines(&mut output)?,
    }
    output.finish()?;
    Ok(Exit::of(&merged.summary(), merged.fail_on != "never", 0))
}
