//! Keeps the figures of a benchmark as JSON.

use std::collections::BTreeMap;
use std::{fs, io};

/// Writes figures by name to `target/tmp/figures/BENCH.json`, where the next run of that benchmark replaces them.
pub(crate) fn keep(bench: &str, figures: &[(String, f64)]) -> io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    fs::create_dir_all(&folder)?;
    let figures: BTreeMap<&str, f64> = figures.iter().map(|(name, it)| (&**name, *it)).collect();
    fs::write(folder.join(bench).with_extension("json"), serde_json::to_vec_pretty(&figures)?)
}
