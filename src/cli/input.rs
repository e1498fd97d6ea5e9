//! Reads files that are given on the command line.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{anyhow, bail};

use crate::targets::regular_file;

/// All of standard input, at most `most` bytes.
pub(super) fn stdin(most: u64) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = io::stdin().lock().take(most + 1).read_to_end(&mut text);
    read.map_err(|error| anyhow!("cannot read stdin: {error}"))?;
    if text.len() as u64 > most {
        bail!("stdin is larger than {} MiB", most / 1024 / 1024);
    }
    Ok(text)
}

/// The whole of a file, at most `most` bytes.
pub(super) fn bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    regular_file::read(path, most).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            anyhow!("{} is larger than {} MiB", path.display(), most / 1024 / 1024)
        }
        _ => anyhow!("cannot read {}: {error}", path.display()),
    })
}

/// The same as text.
pub(super) fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, most)?)
        .map_err(|_| anyhow!("cannot read {}: stream did not contain valid UTF-8", path.display()))
}
