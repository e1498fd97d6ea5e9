//! Files that are named on the command line.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{anyhow, bail};

/// All of standard input, which holds no more than `most` bytes.
pub(super) fn stdin(most: u64) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(most + 1).read_to_end(&mut text);
    read.map_err(|error| anyhow!("cannot read stdin: {error}"))?;
    if text.len() as u64 > most {
        bail!("stdin holds more than {} MiB", most / 1024 / 1024);
    }
    Ok(text)
}

/// The whole of a file that holds no more than `most` bytes.
pub(super) fn bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let cannot = |error| anyhow!("cannot read {}: {error}", path.display());
    #[expect(clippy::disallowed_methods, reason = "the file is named on the command line")]
    let file = fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        bail!("{} is larger than {} MiB", path.display(), most / 1024 / 1024);
    }
    Ok(bytes)
}

/// The same as text.
pub(super) fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, most)?)
        .map_err(|_| anyhow!("cannot read {}: stream did not contain valid UTF-8", path.display()))
}
