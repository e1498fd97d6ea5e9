//! Where captures come from: files, plain or gzipped, and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::capture::keylog::KeyLog;
use crate::cli::errors::UsageError;
use crate::cli::stop::{StopListener, is_stopped};
use crate::cli::unpacked::{self, Unpacked, is_stdin, opens_once};

const KEYS_HELP: &str =
    "name the file that a client or a server wrote its secrets to, because SSLKEYLOGFILE was set";

const HELP: &str = "name captures of tcpdump or Wireshark, or - for standard input";

/// How long standard input may be silent before it is looked whether to stop.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Whether all of them can be read: a name that is wrong is told before anything is read.
pub(super) fn check(paths: &[PathBuf]) -> anyhow::Result<()> {
    for path in paths.iter().filter(|path| !opens_once(path)) {
        drop(open_file(path)?);
    }
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(UsageError::new("- is given twice", "standard input can be read only once"));
    }
    Ok(())
}

/// Opens a file, or standard input for `-`.
pub(super) fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    let raw: Box<dyn Read> =
        if is_stdin(path) { Box::new(LiveCapture::new()?) } else { Box::new(open_file(path)?) };
    Ok(match Unpacked::new(raw, "capture")? {
        Unpacked::Plain(reader) | Unpacked::Gzip(reader) => reader,
    })
}

/// Reads a key log.
pub(super) fn keys(path: &Path) -> anyhow::Result<KeyLog> {
    let mut keys = KeyLog::default();
    let file = unpacked::open_file(path, KEYS_HELP)?;
    keys.read(file).with_context(|| format!("cannot read {}", path.display()))?;
    if keys.sessions() == 0 {
        return Err(UsageError::new(
            format!("{} has no secrets of TLS sessions", path.display()),
            KEYS_HELP,
        ));
    }
    Ok(keys)
}

/// Standard input until its end. A capture that is still being made has none: after a signal, only what comes at once is
/// read, and then reported.
struct LiveCapture {
    stdin: File,
    _listener: StopListener,
}

impl LiveCapture {
    fn new() -> io::Result<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self { stdin: stdin.into(), _listener: StopListener::new() })
    }

    /// Whether a read would not block.
    fn is_ready(&self) -> io::Result<bool> {
        let mut wanted = [PollFd::new(&self.stdin, PollFlags::IN)];
        match poll(&mut wanted, Some(&PAUSE)) {
            Err(Errno::INTR) => Ok(false),
            ready => Ok(ready? > 0),
        }
    }
}

impl Read for LiveCapture {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while !self.is_ready()? {
            if is_stopped() {
                return Ok(0);
            }
        }
        self.stdin.read(space)
    }
}

fn open_file(path: &Path) -> anyhow::Result<File> {
    unpacked::open_file(path, HELP)
}
