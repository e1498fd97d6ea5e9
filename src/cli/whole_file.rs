//! Where the report goes: stdout, or a file that is written whole or not at all.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

/// A report's destination.
pub(super) enum Output {
    Stdout(BufWriter<StdoutLock<'static>>),
    File {
        temporary: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
    /// A device, a pipe or a journal, which is written in place.
    InPlace(BufWriter<std::fs::File>),
}

impl Output {
    /// Opens the destination, so that a bad one is known before anything is probed.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::new(io::stdout().lock())));
        };
        let cannot = || format!("cannot write {}", path.display());
        if path.exists() && !path.is_file() {
            let device = std::fs::OpenOptions::new().write(true).open(path);
            return Ok(Self::InPlace(BufWriter::new(
                device.map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?,
            )));
        }
        // A link is written through, not replaced: /dev/stdout is one.
        let path = if path.is_symlink() { path.canonicalize() } else { Ok(path.to_owned()) }
            .map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?;
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(".shakedown-")
            .permissions(readable_by_all())
            .tempfile_in(folder)
            .map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?;
        Ok(Self::File { temporary: BufWriter::new(temporary), path })
    }

    /// A file that is written as it stands, so that what is written survives whatever ends the run.
    pub(super) fn in_place(file: std::fs::File) -> Self {
        Self::InPlace(BufWriter::new(file))
    }

    /// Puts a file in its place; until then the old one stands.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
            Self::InPlace(mut file) => Ok(file.flush()?),
            Self::File { temporary, path } => {
                let temporary = temporary.into_inner().map_err(io::IntoInnerError::into_error)?;
                temporary.as_file().sync_all()?;
                temporary
                    .persist(&path)
                    .map_err(|error| error.error)
                    .with_context(|| path.display().to_string())?;
                Ok(())
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::InPlace(file) => file.write(bytes),
            Self::File { temporary, .. } => temporary.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::InPlace(file) => file.flush(),
            Self::File { temporary, .. } => temporary.flush(),
        }
    }
}

/// A report is for others: monitoring, the web server, the next job.
fn readable_by_all() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}
