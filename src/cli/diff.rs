//! `diff`: compares two reports and prints the changes; prints nothing if there are none.

use std::io::Write;

use super::args::{DiffArgs, PlainFormat};
use super::exit::Exit;
use super::input;
use super::whole_file::Output;
use crate::report::escape::escape;
use crate::report::inert_json;
use crate::report::saved::change::TargetChanges;
use crate::report::saved::compare::compare;
use crate::report::saved::{self, SavedTarget};

/// The largest file, in bytes: reports must fit into memory.
const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;

/// Runs the subcommand.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let (old, new) = (report(&args.old)?, report(&args.new)?);
    let changed = compare(&old, &new, args.fail_on.threshold());
    let mut output = Output::open(None)?;
    match args.format {
        PlainFormat::Json => {
            inert_json::write_pretty(&changed, &mut output)?;
            writeln!(output)?;
        }
        PlainFormat::Text => output.write_all(as_text(&changed).as_bytes())?,
    }
    output.finish()?;
    let worse = changed.iter().flat_map(|target| &target.changes).any(|change| change.worse);
    let gate = args.fail_on.gates();
    Ok(if worse && gate { Exit::Findings } else { Exit::Passed })
}

fn report(path: &std::path::Path) -> anyhow::Result<Vec<SavedTarget>> {
    saved::read(&input::text(path, MAX_FILE)?)
        .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

fn as_text(changed: &[TargetChanges]) -> String {
    let mut text = String::new();
    for target in changed {
        text.push_str(&escape(&target.name));
        text.push('\n');
        for change in &target.changes {
            let mark = if change.worse { "worse: " } else { "" };
            text.push_str("  ");
            text.push_str(&escape(&format!("{mark}{}", change.what)));
            text.push('\n');
        }
    }
    text
}
