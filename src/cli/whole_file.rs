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

/// A file that gets its name when it is complete.
pub(super) enum Unfinished {
    /// It has no name yet, so nothing is left of it however the program ends.
    Nameless { file: fs::File, folder: PathBuf },
    /// The system has no files without a name. It is registered as unfinished while this exists.
    Named(NamedTempFile),
}

impl Unfinished {
    fn create(folder: &Path) -> io::Result<Self> {
        if let Some(file) = nameless(folder) {
            return Ok(Self::Nameless { file, folder: folder.to_owned() });
        }
        let file = named().permissions(readable_by_all()).tempfile_in(folder)?;
        register(file.path());
        Ok(Self::Named(file))
    }

    /// Moves the complete file to its place.
    fn place(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Nameless { file, folder } => {
                file.sync_all()?;
                // Where there is no old file, it gets its name in one step.
                match give_name(&file, path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    named => return named,
                }
                persist(named().make_in(folder, |name| give_name(&file, name))?, path)
            }
            Self::Named(file) => {
                file.as_file().sync_all()?;
                persist(file, path)
            }
        }
    }

    fn file(&mut self) -> &mut dyn Write {
        match self {
            Self::Nameless { file, .. } => file,
            Self::Named(file) => file,
        }
    }
}

fn persist<F>(file: NamedTempFile<F>, path: &Path) -> io::Result<()> {
    let name = file.path().to_owned();
    register(&name);
    let placed = file.persist(path).map_err(|error| error.error);
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    placed.map(drop)
}

fn register(path: &Path) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
}

fn named() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".shakedown-");
    builder
}

/// A file without a name in this folder (open(2), `O_TMPFILE`); `None` if it could not be named later.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<fs::File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(folder, flags, Mode::from_raw_mode(0o644)).ok()?;
    let file = fs::File::from(file);
    handle(&file).exists().then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<fs::File> {
    None
}

/// Gives a name to a file that has none.
#[cfg(target_os = "linux")]
fn give_name(file: &fs::File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, handle(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &fs::File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The path of an open file (proc(5)).
#[cfg(target_os = "linux")]
fn handle(file: &fs::File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
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
        let temporary =
            Unfinished::create(folder).map_err(|error| anyhow::anyhow!("{}: {error}", cannot()))?;
        Ok(Self::File { temporary: BufWriter::new(temporary), path })
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
                temporary.place(&path).with_context(|| path.display().to_string())?;
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
