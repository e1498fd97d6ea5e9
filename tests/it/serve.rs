//! `serve`: the exporter, tested with plain requests and with Prometheus.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::pki::Pki;
use crate::support::program::shakedown;
use crate::support::server::{Nginx, free_port, says, scripted};

/// A process that ends with the test.
pub(crate) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Exporter {
    process: Ended,
    pub(crate) address: SocketAddr,
}

impl Exporter {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(&[], args)
    }

    /// Starts it with this environment.
    pub(crate) fn start_in(environment: &[(&str, &str)], args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .env_clear()
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let process = Ended(child);
        let address = line.split("://").nth(1).unwrap_or_else(|| panic!("{line}"));
        Self { process, address: address.trim().trim_end_matches('/').parse().unwrap() }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(self.address, path, "")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.process.0.id()).unwrap()), signal).unwrap();
    }

    /// Its memory now, in kilobytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The metrics after the first audit.
    pub(crate) fn metrics(&self) -> String {
        let started = Instant::now();
        loop {
            let (status, body) = self.get("/metrics");
            if status == 200 {
                return body;
            }
            assert_eq!(status, 503, "{body}");
            assert!(started.elapsed() < Duration::from_secs(20), "{body}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A plain HTTP request: status and body.
pub(crate) fn get(address: SocketAddr, path: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn only_configured_targets_are_probed_by_default() {
    let (peer, other) = (says(b"SSH-2.0-x\r\n").to_string(), says(b"SSH-2.0-x\r\n").to_string());
    let exporter = Exporter::start(&[&peer, "--trust", "mozilla"]);
    let (status, body) = exporter.get(&format!("/probe?target={peer}"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\nprobe_success 0\n"), "{body}");
    assert!(body.contains("rule=\"not-tls\""), "{body}");
    assert_eq!(exporter.get(&format!("/probe?target={other}")).0, 403);
    assert_eq!(exporter.get("/probe").0, 400);
    assert_eq!(exporter.get(&format!("/probe?target={peer}&module=http_2xx")).0, 400);
    assert_eq!(exporter.get("/nothing").0, 404);
    let open = Exporter::start(&["--any-target", "--trust", "mozilla"]);
    assert_eq!(open.get(&format!("/probe?target={other}")).0, 200);
    assert_eq!(open.get("/probe?target=a%20b").0, 400);
}

#[test]
fn a_module_says_how_a_target_is_probed() {
    let peer = says(b"220 x ESMTP\r\n").to_string();
    let exporter = Exporter::start(&[&peer, "--trust", "mozilla"]);
    let (_, body) = exporter.get(&format!("/probe?target={peer}&module=smtp"));
    assert!(!body.contains("rule=\"not-tls\""), "{body}");
}

#[test]
fn an_answer_is_there_before_prometheus_stops_waiting() {
    let silent = scripted(|mut stream| drop(Read::read_to_end(&mut stream, &mut Vec::new())));
    let target = silent.to_string();
    let exporter = Exporter::start(&["--trust", "mozilla", "--any-target"]);
    let started = Instant::now();
    let header = "X-Prometheus-Scrape-Timeout-Seconds: 1.5\r\n";
    let (status, body) = get(exporter.address, &format!("/probe?target={target}"), header);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(status, 200);
    assert!(body.contains("\nprobe_success 0\n"), "{body}");
}

#[test]
fn it_ends_on_a_signal() {
    let mut exporter = Exporter::start(&["127.0.0.1:1", "--trust", "mozilla"]);
    exporter.metrics();
    exporter.signal(Signal::SIGTERM);
    assert_eq!(exporter.process.0.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_typed_wrong_ends_it_before_it_serves() {
    for (args, words) in [
        (&["serve"][..], "no target given"),
        (&["serve", "-"], "targets from stdin"),
        (&["serve", "a.test", "--gate", "/nonexistent"], "cannot read /nonexistent"),
        (&["serve", "a.test", "--listen", "192.0.2.1:1", "--trust", "mozilla"], "cannot listen on"),
        (&["probe", "-", "--interval", "1s"], "targets from stdin"),
        (&["probe", "a.test", "--watch"], "redraws the table on a terminal"),
    ] {
        let run = shakedown(args);
        assert!(run.status == 2 && run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn an_interval_writes_the_report_again_until_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["probe", "127.0.0.1:1", "--trust", "mozilla", "--interval", "50ms"])
        .args(["--format", "json", "--output"])
        .arg(&path)
        .spawn()
        .unwrap();
    let mut process = Ended(child);
    let mut seen = std::collections::BTreeSet::new();
    let started = Instant::now();
    while seen.len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(20), "{seen:?}");
        if let Ok(text) = fs::read_to_string(&path) {
            let report: serde_json::Value = serde_json::from_str(&text).unwrap();
            seen.insert(report["started_at"].as_str().unwrap().to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let id = Pid::from_raw(i32::try_from(process.0.id()).unwrap());
    kill(id, Signal::SIGTERM).unwrap();
    assert_eq!(process.0.wait().unwrap().code(), Some(3));
}

#[test]
fn a_watched_table_replaces_the_one_before_on_a_terminal() {
    let command =
        concat!(env!("CARGO_BIN_EXE_shakedown"), " probe 127.0.0.1:1 --trust mozilla --watch=50ms");
    // script runs it on a terminal of its own.
    let child = Command::new("script")
        .args(["--quiet", "--command", command, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Ended(child);
    let mut drawn = process.0.stdout.take().unwrap();
    let (mut seen, mut part) = (String::new(), [0; 4096]);
    while seen.matches("\x1b[H\x1b[2J").count() < 3 {
        let length = drawn.read(&mut part).unwrap();
        assert!(length > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    let second = seen.split("\x1b[H\x1b[2J").nth(2).unwrap();
    assert!(second.contains("target") && second.contains("connection-refused"), "{second}");
}

#[test]
fn an_interval_outlives_a_targets_file_that_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, config) = (folder.path().join("report.json"), folder.path().join("targets.toml"));
    let peer = says(b"SSH-2.0-x\r\n");
    let targets = format!("[[target]]\naddress = '{peer}'\n");
    fs::write(&config, &targets).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["probe", "--trust", "mozilla", "--interval", "50ms", "--format", "json", "--config"])
        .arg(&config)
        .arg("--output")
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut warnings = BufReader::new(child.stderr.take().unwrap());
    let mut process = Ended(child);
    while !path.exists() {
        thread::sleep(Duration::from_millis(20));
    }
    fs::write(&config, "[[target").unwrap();
    let mut warning = String::new();
    warnings.read_line(&mut warning).unwrap();
    assert!(warning.contains("keeping the previous targets"), "{warning}");
    fs::remove_file(&path).unwrap();
    while !path.exists() {
        thread::sleep(Duration::from_millis(20));
    }
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(report["summary"]["targets"], 1, "{report:#}");
    let id = Pid::from_raw(i32::try_from(process.0.id()).unwrap());
    kill(id, Signal::SIGTERM).unwrap();
    assert_eq!(process.0.wait().unwrap().code(), Some(1));
}

#[test]
fn probes_of_one_address_share_its_four_connections() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, ever) = (Arc::clone(&open), Arc::clone(&most));
    let peer = scripted(move |stream| {
        ever.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(200));
        now.fetch_sub(1, Ordering::SeqCst);
        drop(stream);
    });
    let exporter = Exporter::start(&["--any-target", "--trust", "mozilla"]);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| exporter.get(&format!("/probe?target={peer}")));
        }
    });
    assert!((1..=4).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

const CONFIGURATION: &str = "
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: audit
    static_configs: [{ targets: ['EXPORTER'] }]
  - job_name: probe
    scrape_interval: 2s
    scrape_timeout: 2s
    metrics_path: /probe
    params: { module: [listener] }
    static_configs: [{ targets: ['good', 'bad', 'unknown'] }]
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__param_target], target_label: instance }
      - { target_label: __address__, replacement: 'EXPORTER' }
";

/// Starts Prometheus with this configuration, in this folder.
pub(crate) fn prometheus(folder: &Path, configuration: &str) -> (Ended, SocketAddr) {
    let file = folder.join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is needed: install the package prometheus");
    (Ended(child), address)
}

/// Queries Prometheus until the result is as expected.
#[track_caller]
pub(crate) fn becomes(address: SocketAddr, query: &str, expected: &str) {
    let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let path = format!("/api/v1/query?query={encoded}");
    let started = Instant::now();
    let mut last = String::new();
    while started.elapsed() < Duration::from_secs(30) {
        if TcpStream::connect(address).is_ok() {
            let body = get(address, &path, "").1;
            let value: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            value["data"]["result"][0]["value"][1]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut last);
            if last == expected {
                return;
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{query} is {last:?}, not {expected}");
}

#[test]
fn prometheus_scrapes_it() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let targets = pki.path("targets.toml");
    let text = format!(
        "[defaults]\nca_file = '{}'\n[[target]]\nname = 'good'\naddress = 'a.test:443:127.0.0.1:{}'\n[[target]]\nname = 'bad'\naddress = '{}'\n",
        pki.ca_file(),
        nginx.port,
        says(b"SSH-2.0-x\r\n")
    );
    fs::write(&targets, text).unwrap();
    let exporter =
        Exporter::start(&["--config", &targets.display().to_string(), "--interval", "2s"]);
    let metrics = exporter.metrics();
    assert!(
        metrics.contains("shakedown_target_status{target=\"good\",status=\"pass\"} 1"),
        "{metrics}"
    );
    let configuration = CONFIGURATION.replace("EXPORTER", &exporter.address.to_string());
    let (_prometheus, address) = prometheus(pki.folder.path(), &configuration);
    for (query, expected) in [
        ("up{job=\"audit\"}", "1"),
        ("shakedown_target_status{target=\"bad\",status=\"fail\"}", "1"),
        ("count(shakedown_handshake_success{job=\"audit\",target=\"good\"} == 1)", "4"),
        ("probe_success{job=\"probe\",instance=\"good\"}", "1"),
        ("probe_success{job=\"probe\",instance=\"bad\"}", "0"),
        ("up{job=\"probe\",instance=\"unknown\"}", "0"),
        ("probe_ssl_earliest_cert_expiry{instance=\"good\"} > bool time()", "1"),
        ("count(probe_tls_version_info{instance=\"good\",version=\"TLS 1.3\"})", "1"),
    ] {
        becomes(address, query, expected);
    }
}
