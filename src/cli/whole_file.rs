//! Where the report goes: stdout, or a file that is written whole or not at all.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Files that are being written under names of their own, and have not yet taken their place.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Counts when a write to stdout begins and when it ends, so that it is odd while one is under way.
static STDOUT_WRITES: AtomicU64 = AtomicU64::new(0);

/// Removes files that have not taken their place, before the program ends without running to its end.
pub(super) fn remove_unfinished() {
    for path in &*UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) {
        // One that has just taken its place is no longer there under this name.
        let _ = fs::remove_file(path);
    }
}

/// The write to stdout that is under way, if any.
pub(super) fn write_in_progress() -> Option<u64> {
    let count = STDOUT_WRITES.load(Ordering::SeqCst);
    (count % 2 == 1).then_some(count)
}

/// Stdout, watched: nobody may be reading from it.
#[derive(Debug)]
pub(super) struct WatchedStdout;

impl Write for WatchedStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        STDOUT_WRITES.fetch_add(1, Ordering::SeqCst);
        let written = io::stdout().write(bytes).and_then(|count| {
            // What stands in the buffer of the standard library would be written, and block, later.
            io::stdout().flush().map(|()| count)
        });
        STDOUT_WRITES.fetch_add(1, Ordering::SeqCst);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A temporary file, known to be unfinished for as long as it lives.
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

/// A report's destination.
pub(super) enum Output {
    Stdout(BufWriter<WatchedStdout>),
    File {
        temporary: BufWriter<Unfinished>,
        path: PathBuf,
    },
    /// A device, a pipe or a journal, which is written in place.
    InPlace(BufWriter<fs::File>),
}

impl Output {
    /// Opens the destination, so that a bad one is known before anything is probed.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(64 * 1024, WatchedStdout)));
        };
        let cannot = || format!("cannot write {}", path.display());
        if path.file_name().is_none() {
            bail!("{}: expected the name of a file", cannot());
        }
        // A name that is too long, or a folder that may not be entered, would come to light only after the probing.
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
        Ok(Self::File { temporary: BufWriter::new(Unfinished::new(temporary)), path })
    }

    /// A file that is written as it stands, so that what is written survives whatever ends the run.
    pub(super) fn in_place(file: fs::File) -> Self {
        Self::InPlace(BufWriter::new(file))
    }

    /// Whether it is stdout.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout(_))
    }

    /// Puts a file in its place; until then the old one stands.
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

/// A report is for others: monitoring, the web server, the next job.
fn readable_by_all() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}
