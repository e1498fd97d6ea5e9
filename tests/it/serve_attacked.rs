//! The exporter among clients that do not behave: none reaches what is not configured, none keeps others out, and nothing
//! that they do costs memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::formats::promtool;
use crate::serve::{Exporter, get};
use crate::support::pki::Pki;
use crate::support::server::{says, scripted};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[track_caller]
pub(crate) fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let started = Instant::now();
    while !met() {
        assert!(started.elapsed() < PATIENCE, "it does not happen: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A peer that accepts connections and says nothing, how many it has met, and how many of those are open.
fn silent() -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (met, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (ever, now) = (Arc::clone(&met), Arc::clone(&open));
    let address = scripted(move |mut stream| {
        now.fetch_add(1, Ordering::SeqCst);
        ever.fetch_add(1, Ordering::SeqCst);
        let _ = stream.read_to_end(&mut Vec::new());
        now.fetch_sub(1, Ordering::SeqCst);
    });
    (address, met, open)
}

#[test]
fn no_spelling_reaches_what_is_not_configured() {
    let (forbidden, met, _) = silent();
    let allowed = says(b"SSH-2.0-x\r\n").to_string();
    let exporter = Exporter::start(&[&allowed, "localhost.test:1", "--trust", "mozilla"]);
    let port = forbidden.port();
    for spelling in [
        "127.0.0.1:PORT",
        "127.1:PORT",
        "2130706433:PORT",
        "0x7f000001:PORT",
        "0177.0.0.1:PORT",
        "127.0.0.1:+PORT",
        "127.0.0.1:000PORT",
        "127.0.0.1.:PORT",
        "[::1]:PORT",
        "[::ffff:127.0.0.1]:PORT",
        "[::ffff:7f00:1]:PORT",
        "localhost:PORT",
        "LOCALHOST:PORT",
        "localhost.:PORT",
        "https://127.0.0.1:PORT",
        "https://ALLOWED@127.0.0.1:PORT/",
        "smtp://127.0.0.1:PORT",
        "https://127.0.0.1:PORT/?ALLOWED",
        "https://127.0.0.1:PORT#ALLOWED",
        "ALLOWED@127.0.0.1:PORT",
        "ALLOWED:127.0.0.1:PORT",
        "localhost.test:1:127.0.0.1:PORT",
        "a.test:443:127.0.0.1:PORT",
        "ALLOWED 127.0.0.1:PORT",
        "ALLOWED\n127.0.0.1:PORT",
        "ALLOWED\x00127.0.0.1:PORT",
        "ALLOWED,127.0.0.1:PORT",
        "127。0。0。1:PORT",
        "１２７.0.0.1:PORT",
        "",
        "unix:/run/a.sock",
        "*",
    ] {
        let target = spelling.replace("PORT", &port.to_string()).replace("ALLOWED", &allowed);
        for path in [
            format!("/probe?target={}", encoded(&target)),
            format!("/probe?target={allowed}&target={}", encoded(&target)),
            format!("/probe?module=listener&target={}", encoded(&target)),
        ] {
            let (status, body) = exporter.get(&path);
            assert!([400, 403].contains(&status), "{target:?}: {status} {body}");
        }
    }
    let header = format!("X-Forwarded-Host: {forbidden}\r\nForwarded: host={forbidden}\r\n");
    let path = format!("/probe?target={allowed}&TARGET={forbidden}&hostname={forbidden}");
    assert_eq!(get(exporter.address, &path, &header).0, 200);
    assert_eq!(met.load(Ordering::SeqCst), 0);
}

#[test]
fn idle_clients_keep_nobody_out() {
    let exporter = Exporter::start(&["127.0.0.1:1", "--trust", "mozilla"]);
    exporter.metrics();
    let mut idle = Vec::new();
    for number in 0..250 {
        let mut stream = TcpStream::connect(exporter.address).unwrap();
        // Some have begun, and some do not read what they asked for.
        let begun =
            ["", "GET /metrics HTTP/1.1\r\nA: ", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"];
        let _ = stream.write_all(begun[number % 3].as_bytes());
        idle.push(stream);
        if number % 50 == 49 {
            for path in ["/metrics", "/-/healthy", "/-/ready"] {
                assert_eq!(exporter.get(path).0, 200, "{path} behind {number}");
            }
        }
    }
    let metrics = exporter.metrics();
    let closed = metrics.lines().find_map(|line| {
        line.strip_prefix("shakedown_exporter_connections_closed_total ")?.parse::<u64>().ok()
    });
    assert!(closed.is_some_and(|closed| closed > 0), "{metrics}");
}

#[test]
fn probes_without_end_keep_nobody_out() {
    let (silent, met, _) = silent();
    let exporter = Exporter::start(&["--any-target", "--trust", "mozilla", "--timeout", "60s"]);
    let waiting: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = TcpStream::connect(exporter.address).unwrap();
            write!(stream, "GET /probe?target={silent} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            stream
        })
        .collect();
    wait_until("a probe", || met.load(Ordering::SeqCst) > 0);
    assert_eq!(exporter.get("/-/healthy").0, 200);
    let busy = || exporter.metrics().contains("probes_refused_total{reason=\"busy\"} 12\n");
    wait_until("a refusal", busy);
    drop(waiting);
}

#[test]
fn one_connection_gets_one_answer() {
    let exporter = Exporter::start(&["127.0.0.1:1", "--trust", "mozilla"]);
    exporter.metrics();
    let long = "x".repeat(40_000);
    let many = "A: b\r\n".repeat(500);
    let hidden = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = hidden.len();
    for (request, statuses) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\n\r\n"), &[431][..]),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), &[414, 431]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), &[431]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{hidden}{hidden}"), &[200]),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{hidden}"), &[405]),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
            ),
            &[400, 405],
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"
            ),
            &[400, 200],
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n{hidden}"),
            &[400, 200],
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{hidden}"), &[400]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n A: b\r\n\r\n{hidden}"), &[400]),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n{hidden}"), &[400]),
        (format!("GET / HTTP/1.1\nHost: a\n\n{hidden}"), &[200, 400]),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), &[400, 505]),
        ("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), &[405]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400, 405, 505]),
        ("\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(), &[400]),
    ] {
        let mut stream = TcpStream::connect(exporter.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may answer before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let start: String = request.chars().take(60).collect();
        assert!(answer.matches("HTTP/1.").count() <= 1, "{start:?}: {answer}");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        // A connection with unread bytes may be reset before the answer is read.
        assert!(status.is_none_or(|status| statuses.contains(&status)), "{start:?}: {answer}");
    }
    assert_eq!(exporter.get("/-/healthy").0, 200);
}

#[test]
fn a_scrape_that_is_cancelled_stops_its_probe() {
    let (silent, met, open) = silent();
    let exporter = Exporter::start(&["--any-target", "--trust", "mozilla", "--timeout", "60s"]);
    let mut stream = TcpStream::connect(exporter.address).unwrap();
    write!(stream, "GET /probe?target={silent} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_until("a connection", || met.load(Ordering::SeqCst) > 0);
    drop(stream);
    wait_until("the end of all connections", || open.load(Ordering::SeqCst) == 0);
    let metrics = exporter.metrics();
    assert!(metrics.contains("\nshakedown_exporter_probes_cancelled_total 1\n"), "{metrics}");
    assert!(metrics.contains("\nshakedown_exporter_probes_running 0\n"), "{metrics}");
}

#[test]
fn its_own_work_is_in_its_metrics() {
    let (silent, met, _) = silent();
    let address = silent.to_string();
    let exporter = Exporter::start(&[&address, "--trust", "mozilla", "--timeout", "2s"]);
    wait_until("the first audit", || met.load(Ordering::SeqCst) > 0);
    assert_eq!(exporter.get("/-/ready").0, 503);
    assert_eq!(exporter.get("/-/healthy").0, 200);
    exporter.metrics();
    assert_eq!(exporter.get("/-/ready").0, 200);
    assert_eq!(exporter.get("/probe?target=192.0.2.1").0, 403);
    assert_eq!(exporter.get("/any/path").0, 404);
    let metrics = exporter.metrics();
    for line in [
        "shakedown_exporter_requests_total{path=\"/-/ready\",code=\"503\"} 1",
        "shakedown_exporter_requests_total{path=\"/-/ready\",code=\"200\"} 1",
        "shakedown_exporter_requests_total{path=\"/probe\",code=\"403\"} 1",
        "shakedown_exporter_requests_total{path=\"other\",code=\"404\"} 1",
        "shakedown_exporter_probes_refused_total{reason=\"not-configured\"} 1",
        "shakedown_exporter_audits_total 1",
        "shakedown_exporter_audits_failed_total 0",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line} is not in\n{metrics}");
    }
    promtool(&metrics);
}

#[test]
fn the_targets_are_read_again_on_a_signal() {
    let pki = Pki::new();
    let config = pki.path("targets.toml");
    let target = |name: &str| format!("[[target]]\nname = '{name}'\naddress = '127.0.0.1:1'\n");
    fs::write(&config, target("first")).unwrap();
    let exporter = Exporter::start(&[
        "--config",
        &config.display().to_string(),
        "--trust",
        "mozilla",
        "--interval",
        "1h",
    ]);
    let has = |words: &str| exporter.metrics().contains(words);
    assert!(has("target=\"first\""));
    fs::write(&config, target("second")).unwrap();
    exporter.signal(Signal::SIGHUP);
    wait_until("the second target", || has("target=\"second\""));
    fs::write(&config, "[[target").unwrap();
    exporter.signal(Signal::SIGHUP);
    wait_until("the failure", || has("\nshakedown_exporter_reads_failed_total 1\n"));
    assert!(has("target=\"second\""));
    assert_eq!(exporter.get("/probe?target=second").0, 200);
    assert_eq!(exporter.get("/probe?target=first").0, 403);
}

#[test]
fn scrapes_cost_no_memory() {
    let exporter = Exporter::start(&["127.0.0.1:1", "--trust", "mozilla"]);
    let scrape = |times: usize| {
        for number in 0..times {
            assert_eq!(exporter.get("/metrics").0, 200);
            // No answer of these leaves anything behind.
            assert_eq!(exporter.get(&format!("/probe?target=n{number}.test")).0, 403);
            assert_eq!(exporter.get(&format!("/n{number}")).0, 404);
            if number % 20 == 0 {
                assert_eq!(exporter.get("/probe?target=127.0.0.1:1").0, 200);
            }
        }
        exporter.memory()
    };
    exporter.metrics();
    let before = scrape(100);
    let after = scrape(400);
    assert!(after < before + 6000, "{before} kB, then {after} kB");
}
