//! A private nginx as a child process that ends with shakedown, even if shakedown is killed.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The script that starts nginx, and ends it when its pipe is closed.
const WATCHER: &str = include_str!("watch.sh");

/// Timeout for nginx to start, and for it to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The polling interval.
const PAUSE: Duration = Duration::from_millis(5);

/// The most bytes of its messages that are read.
const MAX_SAID: u64 = 1024 * 1024;

/// A running nginx, or one that has ended.
#[derive(Debug)]
pub(super) struct Process {
    watcher: Child,
    folder: String,
}

impl Process {
    /// Starts nginx, with this configuration file for its OpenSSL if there is one, in a folder that contains a `run` folder.
    pub(super) fn start(
        (binary, openssl_conf): (&Path, Option<&Path>),
        folder: &str,
        arguments: &[&str],
    ) -> io::Result<Self> {
        let watcher = Command::new("/bin/sh")
            .envs(openssl_conf.map(|file| ("OPENSSL_CONF", file)))
            .args(["-c", WATCHER, "shakedown-rehearsal", folder])
            .arg(binary)
            .args(arguments)
            // nginx would inherit the sockets that this variable names.
            .env_remove("NGINX")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for shakedown only, which ends nginx after the report.
            .process_group(0)
            .spawn()?;
        Ok(Self { watcher, folder: folder.to_owned() })
    }

    /// Waits until nginx serves; false if it ends first or the time is up.
    pub(super) fn serves(&mut self) -> io::Result<bool> {
        let pid = format!("{}/run/pid", self.folder);
        let begun = Instant::now();
        // nginx writes the pid file after it has opened every socket.
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

    /// nginx's messages so far.
    pub(super) fn said(&self) -> String {
        let mut bytes = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the messages were just written")]
        let file = fs::File::open(format!("{}/said", self.folder));
        // Without the file there are no messages.
        let _ = file.and_then(|file| file.take(MAX_SAID).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.watcher.stdin.take() {
            // The watcher has ended if nginx has.
            let _ = pipe.write_all(b"end\n");
        }
        let ended = self.ends().unwrap_or(false);
        if !ended {
            let _ = self.watcher.kill();
        }
        let _ = self.watcher.wait();
    }
}
