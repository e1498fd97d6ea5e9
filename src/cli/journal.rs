//! `--resume FILE`: lines are written as targets are done, so that a stopped run can continue.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use serde::de::IgnoredAny;

use super::errors::UsageError;
use crate::report::Summary;
use crate::report::saved::manifest::Manifest;
use crate::report::saved::merge::CountedTarget;

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The start of the lines of a journal: a target, or the manifest at the end.
const BEGINNINGS: [&[u8]; 2] = [b"{\"id\":\"", b"{\"schema\":\"shakedown/manifest/"];

/// The contents of a file of an earlier run.
pub(super) struct Journal {
    /// Positioned after its last complete line.
    pub(super) file: File,
    /// The targets that are done, in the order of their lines.
    pub(super) ids: Vec<String>,
    /// The counts of those targets.
    pub(super) summary: Summary,
    /// The manifest, if the file is finished.
    pub(super) manifest: Option<Manifest>,
}

impl Journal {
    /// Opens or creates a file, and removes an incomplete last line.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(|error| anyhow!("{}: {error}", cannot()))?;
        // Two runs would mix their lines.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            UsageError::new(
                format!("another run is writing {}", path.display()),
                "wait for it to finish, or name another file",
            )
        })?;
        let mut journal =
            JournalReader { ids: Vec::new(), summary: Summary::default(), manifest: None, end: 0 };
        journal.read(BufReader::new(&mut file), path)?;
        file.set_len(journal.end).with_context(cannot)?;
        file.seek(SeekFrom::End(0)).with_context(cannot)?;
        let JournalReader { ids, summary, manifest, .. } = journal;
        Ok(Self { file, ids, summary, manifest })
    }
}

/// Whether a line was cut because the run was killed or the machine crashed: a file system may then leave NULs at the
/// end of a file. Only text that can be the start of a line of a journal is discarded.
fn is_cut(line: &[u8]) -> bool {
    if line.last() == Some(&b'\n') {
        return false;
    }
    let end = line.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let text = &line[..end];
    let begins = |beginning: &&[u8]| text.starts_with(beginning) || beginning.starts_with(text);
    BEGINNINGS.iter().any(begins) && serde_json::from_slice::<IgnoredAny>(text).is_err()
}

/// What was read so far.
struct JournalReader {
    ids: Vec<String>,
    summary: Summary,
    manifest: Option<Manifest>,
    end: u64,
}

impl JournalReader {
    fn read(&mut self, mut reader: impl BufRead, path: &Path) -> anyhow::Result<()> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? as u64;
            if read > MAX_LINE {
                bail!("{}:{number}: this line is too long for a target", path.display());
            }
            if read == 0 || is_cut(&line) {
                break;
            }
            self.line(&line, (path, number))?;
            self.end += read;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], (path, number): (&Path, usize)) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(line);
        if self.manifest.is_some() {
            bail!("{}:{number}: text after the manifest", path.display());
        }
        if let Some(manifest) = Manifest::parse(&text) {
            self.manifest = Some(manifest);
            return Ok(());
        }
        let target: CountedTarget = serde_json::from_str(&text).map_err(|error| {
            UsageError::new(
                format!("{}:{number}: not a target object: {error}", path.display()),
                "name a file that --resume wrote, or a new one",
            )
        })?;
        target.count(&mut self.summary);
        self.ids.push(target.id);
        Ok(())
    }
}
