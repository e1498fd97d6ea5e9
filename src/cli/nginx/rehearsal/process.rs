//! A private nginx as a child that ends when shakedown does, whatever ends it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program that starts nginx, and ends it when the pipe to it is closed.
const WATCHER: &str = include_str!("watch.sh");

/// How long nginx may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at nginx.
const PAUSE: Duration = Duration::from_millis(5);

/// Bytes of its messages that are read.
const MAX_SAID: u64 = 1024 * 1024;

/// A running nginx, or one that has ended.
#[derive(Debug)]
pub(super) struct Process {
    watcher: Child,
    folder: String,
}

impl Process {
    /// Starts nginx in a folder that has a `run` in it.
    pub(super) fn start(binary: &Path, folder: &str, arguments: &[&str]) -> io::Result<Self> {
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "shakedown-rehearsal", folder])
            .arg(binary)
            .args(arguments)
            // nginx would take sockets over that are named there.
            .env_remove("NGINX")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for shakedown, which ends nginx when it has reported.
            .process_group(0)
            .spawn()?;
        Ok(Self { watcher, folder: folder.to_owned() })
    }

    /// Waits until nginx serves; false where it has ended, or does not get so far.
    pub(super) fn serves(&mut self) -> io::Result<bool> {
        let pid = format!("{}/run/pid", self.folder);
        let begun = Instant::now();
        // The file is written once every socket is open.
        while fs::metadata(&pid).map_or(0, |pid| pid.len()) == 0 {
            if self.watcher.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            sleep(PAUSE);
        }
        Ok(true)
    }

    /// Waits until nginx has ended by itself.
    pub(super) fn ends(&mut self) -> io::Result<bool> {
        let begun = Instant::now();
        while self.watcher.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            sleep(PAUSE);
        }
        Ok(true)
    }

    /// What nginx has said so far.
    pub(super) fn said(&self) -> String {
        let mut bytes = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the messages were just written")]
        let file = fs::File::open(format!("{}/said", self.folder));
        // Without the file it has said nothing.
        let _ = file.and_then(|file| file.take(MAX_SAID).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.watcher.stdin.take() {
            // The watcher has ended where nginx has.
            let _ = pipe.write_all(b"end\n");
        }
        let ended = self.ends().unwrap_or(false);
        if !ended {
            let _ = self.watcher.kill();
        }
        let _ = self.watcher.wait();
    }
}
