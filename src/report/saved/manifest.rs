//! The last line of a complete NDJSON file: which part of which run it contains, and the position of each line's
//! target.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::MANIFEST;
use crate::tls::hex::hex;

/// The manifest of a finished part of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `shakedown/manifest/v1`.
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// Identifies what the parts of one run have in common: targets, depth and gate; 32 hexadecimal digits.
    pub run: String,
    /// Findings of this severity or above fail the run; or `never`.
    pub fail_on: String,
    /// The number of the part, from 1.
    pub shard: u32,
    /// The number of parts.
    pub shards: u32,
    /// The number of targets of the whole run.
    pub targets: usize,
    /// The position of each line's target in the whole run, from 0.
    pub positions: Vec<usize>,
    /// When the first probe started; absent without times.
    #[serde(default)]
    pub started_at: Option<String>,
    /// When the last target was judged.
    #[serde(default)]
    pub finished_at: Option<String>,
}

impl Manifest {
    /// Parses a line, which may be something else.
    pub fn parse(line: &str) -> Option<Self> {
        let manifest: Self = serde_json::from_str(line).ok()?;
        (manifest.schema == MANIFEST).then_some(manifest)
    }
}

/// Identifies a run, or a part of what identifies it: a digest of everything that its parts have in common.
#[derive(Clone)]
pub struct RunId(digest::Context);

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunId").finish_non_exhaustive()
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl RunId {
    /// Adds something that the parts have in common.
    pub fn add(&mut self, part: &str) {
        self.0.update(part.as_bytes());
        self.0.update(b"\0");
    }

    /// The digest, in 32 hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finish().as_ref()[..16])
    }
}
