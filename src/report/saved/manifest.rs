//! The last line of an NDJSON file that is whole: which part of which run it holds, and where each line belongs.

use serde::{Deserialize, Serialize};

use super::MANIFEST;
use crate::certificate::parse::Fingerprint;

/// What a finished part of a run says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `shakedown/manifest/v1`.
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// What the parts of one run have in common: targets, depth and gate, as 32 hexadecimal digits.
    pub run: String,
    /// The severity from which findings fail the run, or `never`.
    pub fail_on: String,
    /// Which part it is, from 1.
    pub shard: u32,
    /// How many parts there are.
    pub shards: u32,
    /// How many targets the whole run has.
    pub targets: usize,
    /// Where the target of each line stands among them, from 0.
    pub positions: Vec<usize>,
    /// When the first probe started; absent where times are left out.
    #[serde(default)]
    pub started_at: Option<String>,
    /// When the last target was judged.
    #[serde(default)]
    pub finished_at: Option<String>,
}

impl Manifest {
    /// Reads a line, which may be something else.
    pub fn parse(line: &str) -> Option<Self> {
        let manifest: Self = serde_json::from_str(line).ok()?;
        (manifest.schema == MANIFEST).then_some(manifest)
    }
}

/// What names a run: a digest of everything that its parts must agree on.
pub fn run_id<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let text = parts.into_iter().collect::<Vec<_>>().join("\0");
    let mut digits = Fingerprint::of(text.as_bytes()).to_string();
    digits.truncate(32);
    digits
}
