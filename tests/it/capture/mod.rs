//! Captures of real clients and servers: what `capture` says of them is held against the server's own log and against tshark,
//! whatever becomes of the packets on their way into the file.

mod clients;
mod configured;
mod dialogues;
mod fields;
mod files;
pub(crate) mod hostile;
mod keylog;
mod legs;
mod mangled;
mod nginx;
mod oracle;
mod outputs;
mod packets;
mod quic;
mod recorder;
mod refused;
mod replayed;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use self::packets::{Link, all_packets, frames, plain_pcap};
use self::recorder::{Happened, Recorder};
use crate::support::pki::{Files, Pki};
use crate::support::program::shakedown;
use crate::support::server::Nginx;

/// A listener with this certificate.
fn listener(files: &Files, directives: &str) -> Nginx {
    Nginx::with_tls(files, directives)
}

/// Connects as a TLS client with these options; what it says is not looked at.
pub(crate) fn s_client(port: u16, options: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]).args(options);
    command.env("OPENSSL_CONF", "/dev/null").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
    child.wait().unwrap();
}

/// Asks for a page with these options and no proxy; what comes is not looked at.
fn curl(port: u16, options: &[&str]) {
    let mut command = Command::new("curl");
    command.args(["-s", "--noproxy", "*", "--max-time", "10", "--resolve"]);
    command.arg(format!("a.test:{port}:127.0.0.1")).args(options);
    command.arg(format!("https://a.test:{port}/")).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("curl is needed: install the package curl");
}

/// What `capture` says of these bytes, and its exit status.
fn report(bytes: &[u8], options: &[&str]) -> (Value, i32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcap");
    fs::write(&path, bytes).unwrap();
    let path = path.display().to_string();
    let run = shakedown(&[&["capture", "--format", "json", &path], options].concat());
    let report = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    (report, run.status)
}

/// The same of connections as they were.
fn report_of(connections: &[Vec<Happened>]) -> (Value, i32) {
    let frames = frames(&all_packets(connections), Link::Ethernet, false);
    report(&plain_pcap(&frames, Link::Ethernet), &[])
}

/// A pcap file of what clients and the server at this address said, once that many connections have ended.
pub(crate) fn recorded(server: SocketAddr, count: usize, clients: impl FnOnce(u16)) -> Vec<u8> {
    let recorder = Recorder::to(server, Instant::now());
    clients(recorder.port);
    let frames = frames(&all_packets(&recorder.connections(count)), Link::Ethernet, false);
    plain_pcap(&frames, Link::Ethernet)
}

/// How each handshake ended: its result, class and first cause.
fn endings(report: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let handshakes = report["handshakes"].as_array().unwrap();
    let ending = |it: &Value| {
        let failure = &it["failure"];
        (text(&it["result"]), text(&failure["class"]), text(&failure["causes"][0]))
    };
    handshakes.iter().map(ending).collect()
}

/// Handshakes of every kind with one nginx of TLS 1.2 and 1.3, as they were.
fn sample(pki: &Pki) -> Vec<Vec<Happened>> {
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;");
    let recorder = Recorder::before(nginx.port);
    let ca = pki.ca_file();
    curl(recorder.port, &["--cacert", &ca]);
    curl(recorder.port, &["--cacert", &ca, "--tls-max", "1.2"]);
    curl(recorder.port, &[]);
    curl(recorder.port, &["--tls-max", "1.2"]);
    s_client(recorder.port, &["-servername", "a.test", "-alpn", "h2,http/1.1", "-tls1_2"]);
    s_client(recorder.port, &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    s_client(recorder.port, &["-tls1_2", "-cipher", "AES128-SHA"]);
    recorder.connections(7)
}
