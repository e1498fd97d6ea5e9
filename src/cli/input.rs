//! Reads files that are given on the command line.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{anyhow, bail};

use super::errors::UsageError;
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
            anyhow!("{} is larger than {}", path.display(), size(most))
        }
        kind => unreadable(&path.display().to_string(), &error.to_string(), kind),
    })
}

fn size(bytes: u64) -> String {
    match bytes / 1024 / 1024 {
        0 => format!("{bytes} bytes"),
        whole => format!("{whole} MiB"),
    }
}

/// A file that cannot be read, and what to do.
pub(super) fn unreadable(name: &str, why: &str, kind: io::ErrorKind) -> anyhow::Error {
    let help = match kind {
        io::ErrorKind::NotFound => "check the path; a relative one starts at the current folder",
        io::ErrorKind::PermissionDenied => {
            "run as a user that may read the file, or give a copy that this one may read"
        }
        _ => "give the path of a file",
    };
    UsageError::new(format!("cannot read {name}: {why}"), help)
}

/// The same as text.
pub(super) fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    String::from_utf8(bytes(path, most)?)
        .map_err(|_| anyhow!("cannot read {}: it is not text in UTF-8", path.display()))
}
