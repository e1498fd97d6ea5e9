//! The built program, run as a user runs it.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// What one run printed, and its exit status.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with these arguments.
pub(crate) fn shakedown(args: &[&str]) -> Run {
    shakedown_with(args, "")
}

/// Runs the program with these arguments and this standard input.
pub(crate) fn shakedown_with(args: &[&str], input: &str) -> Run {
    let mut child = start(args);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    finish(child)
}

/// Runs the program, and interrupts it after a second, like Ctrl-C.
pub(crate) fn interrupted(args: &[&str]) -> Run {
    let child = start(args);
    thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    finish(child)
}

/// A run, and the most memory that it had, in kilobytes.
pub(crate) struct Watched {
    pub(crate) run: Run,
    pub(crate) peak: u64,
}

/// Runs the program with these arguments and this standard input, and watches its memory.
pub(crate) fn watched(args: &[&str], input: &str) -> Watched {
    let mut child = start(args);
    let status = format!("/proc/{}/status", child.id());
    let peak = thread::spawn(move || {
        let mut peak = 0;
        // A process that has ended has no memory.
        while let Some(now) = memory_peak(&status) {
            peak = now;
            thread::sleep(Duration::from_millis(10));
        }
        peak
    });
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Watched { run: finish(child), peak: peak.join().unwrap() }
}

/// `VmHWM` of a process.
fn memory_peak(status: &str) -> Option<u64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) -> Run {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Run {
        status: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// One audited target, as the JSON report has it.
pub(crate) struct Audit {
    pub(crate) status: i32,
    pub(crate) target: Value,
}

/// Audits one target.
pub(crate) fn probe(args: &[&str]) -> Audit {
    audit("probe", args)
}

/// Audits one target by a subcommand.
pub(crate) fn audit(command: &str, args: &[&str]) -> Audit {
    let args: Vec<&str> = [command, "--format", "json"].iter().chain(args).copied().collect();
    let run = shakedown(&args);
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    Audit { status: run.status, target: report["targets"][0].clone() }
}

impl Audit {
    /// Checks that there are exactly these findings, each given as `severity rule-id`, in any order.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) -> &Self {
        let mut found: Vec<String> = self
            .findings()
            .map(|f| format!("{} {}", text(&f["severity"]), text(&f["rule"])))
            .collect();
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{:#}", self.target);
        self
    }

    /// Checks the exit status and the target's status.
    #[track_caller]
    pub(crate) fn ends(&self, status: i32, word: &str) -> &Self {
        assert_eq!(
            (self.status, text(&self.target["status"])),
            (status, word),
            "{:#}",
            self.target
        );
        self
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = &Value> {
        self.target["findings"].as_array().unwrap().iter()
    }

    pub(crate) fn handshakes(&self) -> &Vec<Value> {
        self.target["handshakes"].as_array().unwrap()
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
