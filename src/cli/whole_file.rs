//! The destination of a report: stdout, or a file that is written completely or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Temporary files that are still being written.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Incremented when a write to stdout begins and when it ends, so it is odd during a write.
static STDOUT_WRITES: AtomicU64 = AtomicU64::new(0);

/// Removes unfinished files before the program is ended by a signal.
pub(super) fn remove_unfinished() {
    for path in &*UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) {
        // A file that was just moved into place no longer has this name.
        let _ = fs::remove_file(path);
    }
}

/// The number of the current write to stdout, if any.
pub(super) fn write_in_progress() -> Option<u64> {
    let count = STDOUT_WRITES.load(Ordering::SeqCst);
    (count % 2 == 1).then_some(count)
}

/// Stdout with its writes counted, as there may be no reader.
#[derive(Debug)]
pub(super) struct WatchedStdout;

impl Write for WatchedStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        STDOUT_WRITES.fetch_add(1, Ordering::SeqCst);
        let written = io::stdout().write(bytes).and_then(|count| {
            // Text left in the standard library's buffer would be written, and block, later.
            io::stdout().flush().map(|()| count)
        });
        STDOUT_WRITES.fetch_add(1, Ordering::SeqCst);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A temporary file, registered as unfinished while this exists.
pub(super) struct Unfinished(NamedTempFile);

impl Unfinished {
    fn new(file: NamedTempFile) -> Self {
        let mut known = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(file.path().to_owned());
        Self(file)
    }

    fn forget(path: &Path) {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The destination of a report.
pub(super) enum Output {
    Stdout(BufWriter<WatchedStdout>),
    File {
        temporary: BufWriter<Unfinished>,
        path: PathBuf,
    },
    /// A device, a pipe or a journal, which is written directly.
    InPlace(BufWriter<fs::File>),
}

impl Output {
    /// Opens the destination, so that errors show before anything is probed.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(64 * 1024, WatchedStdout)));
        };
        let cannot = || format!("cannot write {}", path.display());
        if path.file_name().is_none() {
            bail!("{}: expected the name of a file", cannot());
        }
        // Otherwise a name that is too long, or a folder without permission, would only be noticed after the probing.
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                bail!("{}: {error}", cannot());
            }
            _ => {}
        }
        if path.exists() && !path.is_file() {
            let device = fs::OpenOptions::new().write(true).open(path);
            return Ok(Self::InPlace(BufWriter::new(
                device.map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?,
            )));
        }
        // A link is followed, not replaced: /dev/stdout is one.
        let path = if path.is_symlink() { path.canonicalize() } else { Ok(path.to_owned()) }
            .map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?;
        let folder =
            path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(".shakedown-")
            .permissions(readable_by_all())
            .tempfile_in(folder)
            .map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?;
        Ok(Self::File { temporary: BufWriter::new(Unfinished::new(temporary)), path })
    }

    /// A file that is written directly, so that its contents survive however the run ends.
    pub(super) fn in_place(file: fs::File) -> Self {
        Self::InPlace(BufWriter::new(file))
    }

    /// Whether it is stdout.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Moves the file into place; until then the old one is kept.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
            Self::InPlace(mut file) => Ok(file.flush()?),
            Self::File { temporary, path } => {
                let temporary = temporary.into_inner().map_err(io::IntoInnerError::into_error)?;
                let name = temporary.0.path().to_owned();
                let temporary = temporary.0;
                temporary.as_file().sync_all()?;
                let placed = temporary.persist(&path).map_err(|error| error.error);
                Unfinished::forget(&name);
                placed.with_context(|| path.display().to_string())?;
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

/// Reports are read by others: monitoring, a web server, the next job.
fn readable_by_all() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}
