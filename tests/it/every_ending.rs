//! Every subcommand, by the list of them, ends as the contract says: with a reader that has gone or does not read, on a full
//! disk, and by a signal at any moment.

use std::fs;
use std::io::{PipeReader, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::CommandFactory;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shakedown::cli::args::Args;

use crate::support::pki::Pki;
use crate::support::program::shakedown;
use crate::support::server::free_port;

/// What a pipe holds before its writer must wait (pipe(7)).
const PIPE: usize = 65_536;

/// How many moments of a run are tried.
const MOMENTS: u32 = 12;

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// The files that the subcommands read.
pub(crate) struct Scene {
    pki: Pki,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { pki: Pki::new() };
        scene.pki.server("a", &["a.test"]);
        scene.write("error.log", "2026/06/15 12:00:00 [error] 1#1: *1 SSL_do_handshake() failed\n");
        let pcap: Vec<u8> = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        scene.write("empty.pcap", pcap);
        let socket = format!(
            "events {{}}\nhttp {{ server {{ listen 127.0.0.1:{} ssl; ssl_certificate a.pem; ssl_certificate_key a.key; }} }}\n",
            free_port()
        );
        scene.write("nginx.conf", socket);
        let args = ["cert", "--trust", "mozilla", "--format", "json", &scene.path("a.pem")];
        let report = shakedown(&args);
        scene.write("report.json", report.stdout);
        let args = ["cert", "--trust", "mozilla", "--format", "json", &scene.path("ca.pem")];
        scene.write("other.json", shakedown(&args).stdout);
        let shard = scene.path("shard");
        shakedown(&["probe", "--trust", "mozilla", "--resume", &shard, "127.0.0.1:1"]);
        scene
    }

    fn path(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.pki.path(name), contents).unwrap();
    }

    /// Arguments with which the subcommand has something to say.
    pub(crate) fn args(&self, subcommand: &str) -> Vec<String> {
        let observations = "testdata/observations/refused.jsonl";
        let observations = Path::new(env!("CARGO_MANIFEST_DIR")).join(observations);
        let of_this_machine = ["--trust".to_owned(), "mozilla".to_owned()];
        let more = match subcommand {
            "probe" | "scan" => vec!["127.0.0.1:1".to_owned()],
            "nginx" => vec!["--nginx-version=1.22.1".to_owned(), self.path("nginx.conf")],
            "cert" => vec![self.path("a.pem")],
            "serve" => vec!["127.0.0.1:1".to_owned(), "--listen=127.0.0.1:0".to_owned()],
            "replay" => return words(&["replay", &observations.display().to_string()]),
            "diff" => {
                return words(&["diff", &self.path("report.json"), &self.path("other.json")]);
            }
            "merge" => return words(&["merge", &self.path("shard")]),
            "log" => return words(&["log", &self.path("error.log")]),
            "capture" => return words(&["capture", &self.path("empty.pcap")]),
            "explain" => return words(&["explain", "self-signed"]),
            "completions" => return words(&["completions", "bash"]),
            "demo" | "man" => return words(&[subcommand]),
            new => panic!("say here how {new} is used"),
        };
        [vec![subcommand.to_owned()], of_this_machine.to_vec(), more].concat()
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The subcommands; those with this option, if one is given.
pub(crate) fn subcommands(with: Option<&str>) -> Vec<String> {
    let mut program = Args::command();
    program.build();
    let all = program.get_subcommands().filter(|one| one.get_name() != "help");
    let has = |one: &&clap::Command| {
        with.is_none_or(|option| one.get_arguments().any(|arg| arg.get_long() == Some(option)))
    };
    all.filter(has).map(|one| one.get_name().to_owned()).collect()
}

/// Those that write a file. The servers of `demo` must answer in time, which a busy machine does not promise.
fn with_output() -> Vec<String> {
    let mut all = subcommands(Some("output"));
    all.retain(|name| name != "demo");
    all
}

/// Does this for each subcommand at the same time.
pub(crate) fn for_each(subcommands: &[String], test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for subcommand in subcommands {
            scope.spawn(|| test(subcommand));
        }
    });
}

fn program(args: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
    command.args(args).env_clear().stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn stderr(child: &mut Child) -> String {
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// The exit status as a shell has it.
fn shell_status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap())
}

/// A pipe that is full, and its reader.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&vec![b'x'; PIPE]).unwrap();
    (reader, writer.into())
}

#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    // Gone before anything starts: what is printed sooner would be taken by the pipe.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let scene = Scene::new();
    for_each(&subcommands(None), |subcommand| {
        // It prints nothing.
        if subcommand == "serve" {
            return;
        }
        let nobody = writer.try_clone().unwrap();
        let mut child = program(&scene.args(subcommand)).stdout(nobody).spawn().unwrap();
        let said = stderr(&mut child);
        let said: Vec<&str> =
            said.lines().filter(|line| !line.starts_with("shakedown: note: ")).collect();
        assert_eq!(child.wait().unwrap().code(), Some(141), "{subcommand}: {said:?}");
        assert_eq!(said, [""; 0], "{subcommand}");
    });
}

#[test]
fn a_full_disk_is_no_success() {
    let scene = Scene::new();
    for_each(&subcommands(None), |subcommand| {
        if subcommand == "serve" {
            return;
        }
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut child = program(&scene.args(subcommand)).stdout(full).spawn().unwrap();
        let said = stderr(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(4), "{subcommand}: {said}");
        assert!(said.contains("No space left"), "{subcommand}: {said}");
    });
}

#[test]
fn on_a_full_disk_the_old_file_is_kept() {
    let scene = Scene::new();
    for_each(&with_output(), |subcommand| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        fs::write(&path, "old").unwrap();
        let mut args = scene.args(subcommand);
        args.extend(
            [words(&["--format", "json", "--output"]), vec![path.display().to_string()]].concat(),
        );
        // No file may grow, as on a full disk.
        let line = shlex::try_join(args.iter().map(String::as_str)).unwrap();
        let program = env!("CARGO_BIN_EXE_shakedown");
        let script = format!("trap '' XFSZ; ulimit -f 0; exec {program} {line}");
        let run = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(run.status.code() == Some(4) && !run.stderr.is_empty(), "{subcommand}: {run:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old", "{subcommand}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{subcommand}");
    });
}

#[test]
fn a_signal_ends_it_although_nobody_reads_what_it_prints() {
    let scene = Scene::new();
    for_each(&subcommands(None), |subcommand| {
        for by in SIGNALS {
            // For the exporter it means to read its files again.
            if subcommand == "serve" && by == Signal::SIGHUP {
                continue;
            }
            let (_reader, stdout) = full_pipe();
            let child = program(&scene.args(subcommand)).stdout(stdout).spawn();
            let mut child = child.unwrap();
            thread::sleep(Duration::from_millis(700));
            signal(&child, by);
            let status = shell_status(child.wait().unwrap());
            let expected = if subcommand == "serve" { 0 } else { 128 + by as i32 };
            assert_eq!(status, expected, "{subcommand} {by}: {}", stderr(&mut child));
        }
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let scene = Scene::new();
    for_each(&subcommands(None), |subcommand| {
        let (_reader, stdout) = full_pipe();
        let mut child = program(&scene.args(subcommand)).stdout(stdout).spawn().unwrap();
        thread::sleep(Duration::from_millis(700));
        signal(&child, Signal::SIGINT);
        signal(&child, Signal::SIGTERM);
        // Some end by the first one.
        let status = shell_status(child.wait().unwrap());
        let expected = if subcommand == "serve" { [0, 143] } else { [130, 143] };
        assert!(expected.contains(&status), "{subcommand}: {status}");
    });
}

/// Checks that a folder holds nothing but a complete report, or the old one.
#[track_caller]
fn check_whole(folder: &Path, what: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.file_name(), "report", "{what}");
        let report = fs::read_to_string(entry.path()).unwrap();
        let is_whole = serde_json::from_str::<serde_json::Value>(&report).is_ok();
        assert!(report == "old" || is_whole, "{what}: {report}");
    }
}

#[test]
fn at_any_moment_a_report_is_whole_or_the_old_one() {
    let scene = Scene::new();
    let all = [&[Signal::SIGKILL][..], &SIGNALS].concat();
    for_each(&with_output(), |subcommand| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let mut args = scene.args(subcommand);
        args.extend(
            [words(&["--format", "json", "--output"]), vec![path.display().to_string()]].concat(),
        );
        let start = || program(&args).stdout(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        let usual = start().wait().unwrap().code();
        let duration = started.elapsed();
        assert!(path.exists(), "{subcommand}");
        for (moment, by) in (0..=MOMENTS).zip(all.iter().cycle()) {
            let what = format!("{subcommand} {by} at {moment}/{MOMENTS} of {duration:?}");
            // Half of the runs have an old report.
            if moment % 8 < 4 {
                fs::write(&path, "old").unwrap();
            } else {
                let _ = fs::remove_file(&path);
            }
            let mut child = start();
            thread::sleep(duration * moment / MOMENTS);
            signal(&child, *by);
            let status = child.wait().unwrap();
            let by_signal = shell_status(status) == 128 + *by as i32;
            // What listens to the signal reports what it has.
            let is_reported = [usual, Some(1), Some(3)].contains(&status.code());
            assert!(by_signal || is_reported, "{what}: {status}");
            check_whole(folder.path(), &what);
        }
    });
}
