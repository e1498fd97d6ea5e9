//! Real lines of nginx: each failure is provoked on loopback, on either side of nginx, and its line must get the right
//! class and the right first cause.

mod alerts;
mod client;
mod command;
mod configuration;
mod coverage;
mod explain;
mod next;
mod programs;
mod rehearsal;
mod upstream;
pub(crate) mod wire;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use serde_json::Value;
use shakedown::certificate::issue::Authority;
use shakedown::log::classify::classify;
use shakedown::log::direction::Direction;
use shakedown::log::line;

use crate::support::pki::{Files, Pki};
use crate::support::program::shakedown_with;
use crate::support::server::{Nginx, OpenSsl};

/// nginx in front of a TLS upstream on this port.
fn proxy(port: u16, directives: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT; server_name front.test; location / {{
         proxy_pass https://127.0.0.1:{port}; {directives} }} }}"
    ))
}

/// A listener with this certificate.
fn listener(files: &Files, directives: &str) -> Nginx {
    Nginx::with_tls(files, directives)
}

/// Requests a page from nginx; returns the answer.
fn ask(nginx: &Nginx) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: front.test\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Connects as a TLS client with these options; its output is ignored.
fn s_client(nginx: &Nginx, options: &[&str]) {
    let address = format!("127.0.0.1:{}", nginx.port);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address]).args(options);
    command.env("OPENSSL_CONF", "/dev/null").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
    child.wait().unwrap();
}

/// Sends these bytes, reads the answer, sends more, and disconnects.
fn raw(nginx: &Nginx, first: &[u8], then: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.write_all(first).unwrap();
    if !then.is_empty() {
        let _ = stream.read(&mut [0; 8192]);
        stream.write_all(then).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
    }
    let _ = stream.read(&mut [0; 8192]);
}

/// Waits for a line with this text, and checks its side, class and likeliest cause.
#[track_caller]
fn check(nginx: &Nginx, words: &str, expected: (Direction, &str, &str)) {
    assert!(nginx.logs(words), "{words} is not in\n{}", nginx.error_log());
    check_log(&nginx.error_log(), words, expected);
}

#[track_caller]
fn check_log(log: &str, words: &str, (direction, class, cause): (Direction, &str, &str)) {
    let found = log.lines().find(|line| line.contains(words));
    let found = found.unwrap_or_else(|| panic!("{words} is not in\n{log}"));
    let parsed = line::parse(found.as_bytes());
    let diagnosis = classify(&parsed);
    let first = diagnosis.causes().first().map(|(cause, _)| cause.id);
    let all = (diagnosis.direction, diagnosis.class(), first);
    assert_eq!(all, (direction, Some(class), Some(cause)), "{found}");
}

const UP: Direction = Direction::Upstream;

const CLIENT: Direction = Direction::Client;

const CONFIG: Direction = Direction::Config;

fn file(path: &Path) -> String {
    path.display().to_string()
}

/// A certificate of an unknown CA.
fn stranger(pki: &Pki, name: &str, purpose: ExtendedKeyUsagePurpose) -> Files {
    let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
    let root = Authority::root_with("stranger", pki.now, algorithm).unwrap();
    let intermediate = root.intermediate("stranger of a stranger").unwrap();
    let change = |params: &mut CertificateParams| params.extended_key_usages = vec![purpose];
    let issued = intermediate.issue_with(&["a.test"], change).unwrap();
    pki.write(name, &issued, &issued.chain())
}

/// `openssl s_server` with this certificate.
fn s_server(files: &Files, options: &[&str]) -> OpenSsl {
    let (certificate, key) = (file(&files.certificate), file(&files.key));
    let own = ["-cert", &certificate, "-key", &key, "-cert_chain", &certificate];
    OpenSsl::start(&[&own, options].concat())
}

/// The output of `log` for this text, as JSON.
fn log_json(log: &str, options: &[&str]) -> Value {
    let run = shakedown_with(&[&["log", "--format", "json", "-"], options].concat(), log);
    assert_eq!(run.status, 0, "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}
