//! How the program ends: by a signal, at a closed or full pipe, and with several destinations.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::program::shakedown;
use crate::support::server::scripted;

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn wait_until(met: impl Fn() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Whether the program has opened a file in this folder, with a name or without.
fn has_opened(child: &Child, folder: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.starts_with(folder))
}

/// A peer that accepts connections and sends nothing.
fn silent() -> String {
    let silent = scripted(|mut stream| {
        let _ = Read::read_to_end(&mut stream, &mut Vec::new());
    });
    silent.to_string()
}

/// Ends a subcommand by a signal before its report is complete; returns its exit status, and what is left in the
/// folder.
#[track_caller]
fn check_leaves_nothing(args: &[&str], by: Signal, status: i32, left: usize) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("report").display().to_string();
    let args: Vec<&str> = args.iter().copied().chain(["--output", &output]).collect();
    let mut child = start(&args);
    if args[0] == "log" {
        let line = b"2026/06/15 12:00:00 [error] 1#1: *1 anything\n";
        child.stdin.as_mut().unwrap().write_all(line).unwrap();
    }
    wait_until(|| has_opened(&child, folder.path()));
    signal(&child, by);
    let ended = child.wait().unwrap();
    let expected = if by == Signal::SIGKILL { None } else { Some(status) };
    assert_eq!(ended.code(), expected, "{args:?} {by}");
    assert_eq!(entries(folder.path()), left, "{args:?} {by}");
    let report = fs::read_dir(folder.path()).unwrap().next();
    assert!(report.is_none_or(|entry| entry.unwrap().file_name() == "report"));
}

#[test]
fn a_signal_ends_an_audit_with_a_report() {
    let silent = silent();
    for by in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        check_leaves_nothing(&["probe", "--trust", "mozilla", &silent], by, 3, 1);
    }
}

#[test]
fn a_signal_leaves_no_unfinished_file() {
    check_leaves_nothing(&["demo"], Signal::SIGINT, 130, 0);
    check_leaves_nothing(&["demo"], Signal::SIGHUP, 129, 0);
    // These wait for their standard input.
    check_leaves_nothing(&["log", "-"], Signal::SIGTERM, 143, 0);
    check_leaves_nothing(&["log", "-"], Signal::SIGKILL, 0, 0);
    check_leaves_nothing(&["capture", "-"], Signal::SIGKILL, 0, 0);
    let silent = silent();
    check_leaves_nothing(&["probe", "--trust", "mozilla", &silent], Signal::SIGKILL, 0, 0);
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let silent = silent();
    let script = format!(
        "trap '' HUP; exec {} probe --trust mozilla --timeout 2s {silent}",
        env!("CARGO_BIN_EXE_shakedown")
    );
    let mut shell = Command::new("sh");
    shell.arg0("sh").args(["-c", &script]).env_clear().stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    thread::sleep(Duration::from_millis(700));
    signal(&child, Signal::SIGHUP);
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert!(!report.contains("stopped"), "{report}");
    child.wait().unwrap();
}

#[test]
fn a_full_pipe_does_not_prevent_stopping() {
    // More targets than lines fit into a pipe.
    let targets = ["127.0.0.1:1"; 100];
    let args = ["probe", "--trust", "mozilla", "--format", "ndjson"];
    let args: Vec<&str> = args.iter().chain(&targets).copied().collect();
    for by in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = start(&args);
        thread::sleep(Duration::from_millis(1500));
        let stopped = Instant::now();
        signal(&child, by);
        assert_eq!(child.wait().unwrap().code(), Some(128 + by as i32));
        assert!(stopped.elapsed() < Duration::from_secs(4), "{:?}", stopped.elapsed());
    }
}

#[test]
fn files_are_written_although_nobody_reads_stdout() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["table", "ndjson"] {
        let path = folder.path().join(format);
        let output = format!("json={}", path.display());
        let args = ["probe", "--trust", "mozilla", "--format", format, "--output", &output];
        let mut child = start(&[&args[..], &["127.0.0.1:1", "127.0.0.1:2"]].concat());
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(141));
        let report: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(report["summary"]["targets"], 2);
    }
}

#[test]
fn an_unwritable_file_is_reported_before_anything_is_probed() {
    let long = "n".repeat(300);
    for output in ["", "json=", &long, "/proc/none/report"] {
        let started = Instant::now();
        let args = ["probe", "--trust", "mozilla", "--timeout", "9s", "--output", output];
        let silent = silent();
        let run = shakedown(&[&args[..], &[&silent]].concat());
        assert_eq!((run.status, &*run.stdout), (2, ""), "{output}: {}", run.stderr);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn an_unwritable_summary_is_reported_before_anything_is_probed() {
    let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["probe", "--trust", "mozilla", "--format", "github", "127.0.0.1:1"])
        .env_clear()
        .env("GITHUB_STEP_SUMMARY", "/proc/none/summary")
        .output()
        .unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
}

#[test]
fn two_runs_do_not_share_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal").display().to_string();
    let silent = silent();
    let args = ["probe", "--trust", "mozilla", "--timeout", "9s", "--resume", &path, &silent];
    let mut first = start(&args);
    wait_until(|| Path::new(&path).exists());
    thread::sleep(Duration::from_millis(300));
    let second = shakedown(&args);
    assert!(
        second.status == 2 && second.stderr.contains("another run is writing"),
        "{}",
        second.stderr
    );
    signal(&first, Signal::SIGTERM);
    first.wait().unwrap();
}

#[test]
fn a_file_of_somebody_else_is_never_taken_for_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let named = path.display().to_string();
    let args = ["probe", "--trust", "mozilla", "--resume", &named, "127.0.0.1:1"];
    for text in ["{\"name\":\"mine\"}", "{", "[1]", "{\"id\":7}", "{\"id\":\"mine\"}", "text"] {
        fs::write(&path, text).unwrap();
        let run = shakedown(&args);
        let kept = fs::read_to_string(&path).unwrap();
        // A run that was killed immediately leaves only an opening brace.
        let ours = text == "{";
        assert_eq!((run.status == 2, kept == text), (!ours, !ours), "{text}: {}", run.stderr);
    }
}

#[test]
fn a_journal_that_ends_in_zeros_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let named = path.display().to_string();
    let options = ["probe", "--trust", "mozilla", "--resume", &named, "127.0.0.1:1", "127.0.0.1:2"];
    assert_eq!(shakedown(&options).status, 3);
    let whole = fs::read(&path).unwrap();
    let first = BufReader::new(&*whole).lines().next().unwrap().unwrap();
    for cut in ["", "{\"id\":\"12", "{\"id"] {
        fs::write(&path, format!("{first}\n{cut}{}", "\0".repeat(512))).unwrap();
        let run = shakedown(&options);
        assert_eq!(run.status, 3, "{cut}: {}", run.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}

#[test]
fn what_cannot_be_counted_is_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard");
    let named = path.display().to_string();
    let args = ["probe", "--trust", "mozilla", "--resume", &named, "127.0.0.1:1"];
    assert_eq!(shakedown(&args).status, 3);
    let whole = fs::read_to_string(&path).unwrap();
    let (line, manifest) = whole.split_once('\n').unwrap();
    assert_eq!(shakedown(&["merge", &named]).status, 3);
    let unknown = line.replace("\"status\":\"untested\"", "\"status\":\"well\"");
    let severity = line.replace("\"severity\":\"warning\"", "\"severity\":\"slight\"");
    assert!(unknown != line && severity != line, "{line}");
    for bad in ["{}", "5", "null", &unknown, &severity] {
        fs::write(&path, format!("{bad}\n{manifest}")).unwrap();
        let run = shakedown(&["merge", &named]);
        assert!(run.status == 2 && run.stderr.contains("shard:1:"), "{bad}: {}", run.stderr);
    }
}
