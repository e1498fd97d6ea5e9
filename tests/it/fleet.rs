//! Many targets: eight concurrent shards, one of them killed and resumed, and the parts merged.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, text};
use crate::support::server::{Nginx, says, scripted};

/// The shards of the test.
const SHARDS: u32 = 8;

/// Some real servers, one without TLS, one that never answers and some that are down, under many names.
fn targets(nginx: u16, plain: SocketAddr, silent: SocketAddr) -> String {
    let mut list = String::new();
    for number in 0..40 {
        let place = match number % 5 {
            0 => "127.0.0.1:1".to_owned(),
            1 => plain.to_string(),
            2 if number < 20 => silent.to_string(),
            _ => format!("127.0.0.1:{nginx}"),
        };
        let _ = writeln!(list, "host-{number}.a.test:443:{place}");
    }
    list.push_str("host-3.a.test:443:127.0.0.1:1\nhost-3.a.test:443:127.0.0.1:1\n");
    list
}

/// The memory of a run, in bytes, when its first target is met: the list has been read by then.
fn memory_with(lines: usize) -> u64 {
    let (met, is_met) = mpsc::channel();
    let first = scripted(move |mut stream| {
        let _ = met.send(());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut list = format!("{first}\n");
    for number in 1..lines {
        let _ = writeln!(list, "host-{number}.example.test:8443");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fs::write(&path, list).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["probe", "-", "--trust", "mozilla", "--format", "ndjson", "--concurrency", "1"])
        .stdin(fs::File::open(&path).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    is_met.recv_timeout(Duration::from_secs(120)).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_long_list_costs_little_more_than_its_names() {
    let (few, many) = (memory_with(1), memory_with(200_000));
    let each = many.saturating_sub(few) / 200_000;
    assert!(each < 250, "{each} bytes for each line");
}

/// The common arguments of every run.
fn options(ca_file: &str) -> Vec<String> {
    let options = ["probe", "-", "--ca-file", ca_file, "--timeout", "2s", "--omit-times"];
    options.map(str::to_owned).to_vec()
}

fn run(options: &[String], more: &[&str], list: &str) -> Run {
    let args: Vec<&str> = options.iter().map(String::as_str).chain(more.iter().copied()).collect();
    crate::support::program::shakedown_with(&args, list)
}

/// Starts a shard, and kills it with SIGKILL after it has written some lines.
fn killed(options: &[String], shard: &str, path: &Path, list: &Path) {
    let mut child: Child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(options)
        .args(["--shard", shard, "--resume"])
        .arg(path)
        .stdin(fs::File::open(list).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while fs::read_to_string(path).unwrap_or_default().lines().count() < 2 {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing is written");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn eight_shards_of_which_one_is_killed_give_the_bytes_of_one_run() {
    let pki = Pki::new();
    let files = pki.server("a", &["*.a.test"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let silent = scripted(|mut stream| drop(Read::read_to_end(&mut stream, &mut Vec::new())));
    let list = targets(nginx.port, says(b"SSH-2.0-x\r\n"), silent);
    let (options, list_file) = (options(&pki.ca_file()), pki.path("list"));
    fs::write(&list_file, &list).unwrap();
    let whole = run(&options, &["--format", "json"], &list);
    assert_eq!(whole.status, 1, "{}", whole.stderr);

    let shard = |index: u32| pki.path(&format!("{index}.ndjson"));
    let fullest = (1..=SHARDS).max_by_key(|index| held(&options, *index, &list)).unwrap();
    killed(&options, &format!("{fullest}/{SHARDS}"), &shard(fullest), &list_file);
    // As if the machine had crashed while a line was being written.
    let mut file = fs::OpenOptions::new().append(true).open(shard(fullest)).unwrap();
    file.write_all(b"{\"id\":\"cut o").unwrap();
    let left =
        merge(&(1..=SHARDS).map(shard).filter(|path| path.exists()).collect::<Vec<_>>(), &[]);
    assert_eq!(left.status, 2);
    assert!(left.stderr.contains("is not finished"), "{}", left.stderr);

    let command = options.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let command = format!(
        "'{}' {command} --shard {{}}/{SHARDS} --resume '{}'/{{}}.ndjson < '{}'; test $? -lt 2 -o $? -eq 3",
        env!("CARGO_BIN_EXE_shakedown"),
        pki.folder.path().display(),
        list_file.display()
    );
    let mut workers = Command::new("xargs")
        .args(["-P", "8", "-I", "{}", "sh", "-c", &command])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let indexes: Vec<String> = (1..=SHARDS).map(|index| index.to_string()).collect();
    workers.stdin.take().unwrap().write_all(indexes.join("\n").as_bytes()).unwrap();
    assert!(workers.wait().unwrap().success());

    let shards: Vec<_> = (1..=SHARDS).rev().map(shard).collect();
    let merged = merge(&shards, &[]);
    assert_eq!(merged.status, 1, "{}", merged.stderr);
    assert!(merged.stdout == whole.stdout, "{}\n{}", merged.stdout, whole.stdout);
    let missing = merge(&shards[1..], &[]);
    assert_eq!((missing.status, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("missing: shard 8/8"), "{}", missing.stderr);
}

/// The number of targets in a shard.
fn held(options: &[String], index: u32, list: &str) -> usize {
    let fast: Vec<String> = options.iter().map(|word| word.replace("2s", "1ms")).collect();
    let shard = format!("{index}/{SHARDS}");
    run(&fast, &["--shard", &shard, "--format", "ndjson"], list).stdout.lines().count()
}

fn merge(paths: &[std::path::PathBuf], more: &[&str]) -> Run {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let args = std::iter::once("merge")
        .chain(paths.iter().map(String::as_str))
        .chain(more.iter().copied());
    shakedown(&args.collect::<Vec<_>>())
}

#[test]
fn a_shard_ends_with_a_manifest_and_a_stream_of_everything_does_not() {
    let args = ["probe", "127.0.0.1:1", "--trust", "mozilla", "--format", "ndjson"];
    assert_eq!(shakedown(&args).stdout.lines().count(), 1);
    let run = shakedown(&[&args[..], &["--shard", "1/1"]].concat());
    assert_eq!((run.status, run.stdout.lines().count()), (3, 2), "{}", run.stderr);
    let manifest: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (text(&manifest["schema"]), &manifest["targets"]),
        ("shakedown/manifest/v1", &1.into())
    );
}

#[test]
fn the_document_is_the_same_beside_a_format_that_needs_the_reports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let beside = format!("json={}", path.display());
    let args = ["probe", "-", "--trust", "mozilla", "--omit-times", "--role", "listener"];
    let mut list = String::new();
    for number in 1..60 {
        let _ = writeln!(list, "h{number}.test:1:127.0.0.1:1");
    }
    let run =
        |more: &[&str]| crate::support::program::shakedown_with(&[&args[..], more].concat(), &list);
    for more in [&[][..], &["--fail-on", "warning", "--only-failing"]] {
        let alone = run(&[more, &["--format", "json"]].concat());
        let table = run(&[more, &["--format", "table", "--output", &beside]].concat());
        assert_eq!(alone.status, table.status, "{}", alone.stderr);
        assert!(alone.stdout == fs::read_to_string(&path).unwrap());
        assert!(alone.stdout.matches("connection-refused").count() > 100);
    }
}

#[test]
fn a_file_of_another_run_is_not_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson").display().to_string();
    let resume = |target: &str, more: &[&str]| {
        let args = ["probe", target, "--trust", "mozilla", "--resume", &path];
        shakedown(&[&args[..], more].concat())
    };
    assert_eq!(resume("127.0.0.1:1", &[]).status, 3);
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(resume("127.0.0.1:1", &[]).status, 3);
    assert_eq!(fs::read_to_string(&path).unwrap(), kept);
    let other = resume("127.0.0.2:1", &[]);
    assert!(other.status == 2 && other.stderr.contains("holds another run"), "{}", other.stderr);
    let gate = folder.path().join("gate.toml");
    fs::write(&gate, "[severity]\nconnection-refused = \"error\"\n").unwrap();
    let other = resume("127.0.0.1:1", &["--gate", gate.to_str().unwrap()]);
    assert!(other.status == 2 && other.stderr.contains("holds another run"), "{}", other.stderr);
    fs::write(&path, kept.lines().next().unwrap().to_owned() + "\n").unwrap();
    let other = resume("127.0.0.2:1", &[]);
    assert!(other.status == 2 && other.stderr.contains("not in this run"), "{}", other.stderr);
    fs::write(&path, "no JSON").unwrap();
    let other = resume("127.0.0.2:1", &[]);
    assert!(
        other.status == 2 && other.stderr.contains("a.ndjson:1: not a target"),
        "{}",
        other.stderr
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "no JSON");
}

#[test]
fn a_configuration_is_audited_as_a_whole() {
    let run = shakedown(&["nginx", "/nonexistent", "--shard", "1/2"]);
    assert!(run.status == 2 && run.stderr.contains("for probe and scan"), "{}", run.stderr);
}

#[test]
fn a_shard_without_targets_is_a_shard() {
    let args = ["probe", "127.0.0.1:1", "--trust", "mozilla", "--format", "ndjson"];
    let runs: Vec<Run> =
        ["1/2", "2/2"].iter().map(|s| shakedown(&[&args[..], &["--shard", s]].concat())).collect();
    let statuses: Vec<i32> = runs.iter().map(|run| run.status).collect();
    assert!(statuses == [0, 3] || statuses == [3, 0], "{statuses:?}");
    for words in ["0/2", "3/2", "x"] {
        let run = shakedown(&[&args[..], &["--shard", words]].concat());
        assert!(run.status == 2 && run.stderr.contains("expected I/N"), "{}", run.stderr);
    }
}
