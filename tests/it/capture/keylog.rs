//! With the secrets that real programs write, what is encrypted is read, and tshark reads the same.

use std::path::PathBuf;

use shakedown::certificate::parse::Fingerprint;
use shakedown::tls::hex;
use tempfile::TempDir;

use super::oracle::{number, port, tshark_with};
use super::*;
use crate::support::server::OpenSsl;

/// A capture and the secrets of its sessions.
struct KeyedCapture {
    folder: TempDir,
    connections: Vec<Vec<Happened>>,
}

/// How each handshake of it ends, and whether its first alert is encrypted: OpenSSL's clients refuse a certificate in the clear.
const EXPECTED: [(&str, bool); 10] = [
    ("established", true),
    ("failed", false),
    ("failed", false),
    ("established", true),
    ("established", true),
    ("established", true),
    ("established", true),
    ("failed", true),
    ("established", true),
    ("failed", true),
];

impl KeyedCapture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.log").display().to_string();
        let pki = Pki::new();
        let files = pki.server("a", &["a.test"]);
        let (certificate, key) =
            (files.certificate.display().to_string(), files.key.display().to_string());
        let nginx = listener(&files, "ssl_protocols TLSv1.2 TLSv1.3; return 200 answer;");
        let recorder = Recorder::before(nginx.port);
        let ca = pki.ca_file();
        let curl = |port: u16, options: &[&str]| keyed_curl(port, &keys, options);
        curl(recorder.port, &["--cacert", &ca]);
        curl(recorder.port, &[]);
        let client = |options: &[&str]| {
            let usual = ["-keylogfile", &keys, "-CAfile", &ca, "-verify_return_error"];
            s_client(recorder.port, &[&usual, options].concat());
        };
        let suite = ["-tls1_3", "-ciphersuites"];
        client(&[&suite[..], &["TLS_AES_128_GCM_SHA256", "-verify_hostname", "b.test"]].concat());
        client(&[&suite[..], &["TLS_CHACHA20_POLY1305_SHA256"]].concat());
        for suite in ["AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES256-GCM-SHA384"] {
            client(&["-tls1_2", "-cipher", &format!("ECDHE-ECDSA-{suite}")]);
        }
        let mut connections = recorder.connections(7);
        let verify = ["-Verify", "3", "-verify_return_error", "-CAfile", &ca];
        let server =
            OpenSsl::start(&[&["-cert", &certificate, "-key", &key], verify.as_slice()].concat());
        let recorder = Recorder::before(server.port);
        curl(recorder.port, &["-k", "--tlsv1.3"]);
        for client in [pki.client("client"), Pki::new().client("stranger")] {
            let own = [&client.certificate, &client.key].map(|path| path.display().to_string());
            curl(recorder.port, &["-k", "--tlsv1.3", "--cert", &own[0], "--key", &own[1]]);
        }
        connections.extend(recorder.connections(3));
        Self { folder, connections }
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.log")
    }

    fn file(&self) -> Vec<u8> {
        let frames = frames(&all_packets(&self.connections), Link::Ethernet, false);
        plain_pcap(&frames, Link::Ethernet)
    }
}

fn keyed_curl(port: u16, keys: &str, options: &[&str]) {
    let mut command = Command::new("curl");
    command.args(["-s", "--noproxy", "*", "--max-time", "10", "--resolve"]);
    command.arg(format!("a.test:{port}:127.0.0.1")).args(options);
    command.arg(format!("https://a.test:{port}/a-secret-path")).env("SSLKEYLOGFILE", keys);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
}

/// How each handshake ended, by the client's port.
fn results(report: &Value) -> Vec<(String, String)> {
    let handshakes = report["handshakes"].as_array().unwrap().iter();
    let mut results: Vec<_> =
        handshakes.map(|it| (port(it), it["result"].as_str().unwrap().to_owned())).collect();
    results.sort();
    results
}

#[test]
fn alerts_and_certificates_are_those_that_tshark_decrypts() {
    let capture = KeyedCapture::new();
    let (file, keys) = (capture.file(), capture.keys().display().to_string());
    let (report, status) = report(&file, &["--keylog", &keys]);
    assert_eq!((status, &report["summary"]["decrypted"]), (1, &10.into()), "{report:#}");
    let preference = format!("tls.keylog_file:{keys}");
    let options = ["-o", &preference];
    let alerts =
        tshark_with(&file, &options, "tls.alert_message", &["tls.alert_message.desc", "ip.src"]);
    let certificates = tshark_with(
        &file,
        &options,
        "tls.handshake.type == 11 && tcp.srcport == 443",
        &["tls.handshake.certificate"],
    );
    let mut handshakes: Vec<&Value> = report["handshakes"].as_array().unwrap().iter().collect();
    handshakes.sort_by_key(|it| port(it));
    assert_eq!(handshakes.len(), EXPECTED.len());
    for (handshake, (result, decrypted)) in handshakes.iter().zip(EXPECTED) {
        let port = port(handshake);
        assert_eq!(handshake["result"], result, "{handshake:#}");
        let first = &handshake["alerts"][0];
        assert_eq!(first["decrypted"], decrypted, "{handshake:#}");
        let theirs = &alerts[&port];
        let sender = if theirs[1] == "192.0.2.1" { "server" } else { "client" };
        assert_eq!(first["number"], number(&theirs[0]), "{handshake:#}");
        assert_eq!(first["by"], sender, "{handshake:#}");
        assert_ne!(handshake["failure"]["inferred"], true, "{handshake:#}");
        let sent = certificates[&port][0].split(',');
        let sent: Vec<Value> =
            sent.map(|der| Fingerprint::of(&hex::bytes(der).unwrap()).to_string().into()).collect();
        assert_eq!(handshake["chain"].as_array().unwrap(), &sent, "{handshake:#}");
    }
    let asked: Vec<&Value> = handshakes[6..].iter().map(|it| &it["client_certificate"]).collect();
    assert_eq!(asked, ["none", "empty", "sent", "sent"], "{report:#}");
    let causes: Vec<String> = endings(&report).into_iter().map(|(_, _, cause)| cause).collect();
    assert!(causes.contains(&"client-unknown-ca".to_owned()), "{causes:?}");
    // Of what was decrypted, nothing of the data is shown.
    assert!(!report.to_string().contains("a-secret-path"), "{report:#}");
}

#[test]
fn secrets_in_the_capture_itself_are_used() {
    let capture = KeyedCapture::new();
    let plain = capture.folder.path().join("plain.pcap");
    let with = capture.folder.path().join("with.pcapng");
    fs::write(&plain, capture.file()).unwrap();
    let secrets = format!("tls,{}", capture.keys().display());
    let mut command = Command::new("editcap");
    let status = command.args(["--inject-secrets", &secrets]).args([&plain, &with]).status();
    assert!(status.expect("editcap is needed: install the package tshark").success());
    let (within, _) = report(&fs::read(&with).unwrap(), &[]);
    let keys = capture.keys().display().to_string();
    let (beside, _) = report(&capture.file(), &["--keylog", &keys]);
    assert_eq!(within["handshakes"], beside["handshakes"]);
    assert_eq!(within["summary"], beside["summary"]);
}

#[test]
fn secrets_of_other_sessions_or_wrong_ones_change_nothing() {
    let capture = KeyedCapture::new();
    let file = capture.file();
    let (without, _) = report(&file, &[]);
    let text = fs::read_to_string(capture.keys()).unwrap();
    let wrong = |line: &str| {
        let (start, secret) = line.rsplit_once(' ').unwrap();
        format!("{start} {}\n", "5a".repeat(secret.len() / 2))
    };
    let other = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let random: String = words[1].chars().rev().collect();
        format!("{} {random} {}\n", words[0], words[2])
    };
    for change in [&wrong as &dyn Fn(&str) -> String, &other] {
        let keys = capture.folder.path().join("changed.log");
        let zeros = format!("CLIENT_RANDOM {} {}\n", "00".repeat(32), "00".repeat(48));
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(change);
        let changed: String = lines.chain([zeros]).collect();
        fs::write(&keys, changed).unwrap();
        let (with, _) = report(&file, &["--keylog", &keys.display().to_string()]);
        assert_eq!(with["handshakes"], without["handshakes"]);
    }
    let empty = capture.folder.path().join("empty.log");
    fs::write(&empty, "# nothing\n").unwrap();
    let plain = capture.folder.path().join("plain.pcap");
    fs::write(&plain, file).unwrap();
    let [empty, plain] = [empty, plain].map(|path| path.display().to_string());
    let run = shakedown(&["capture", &plain, "--keylog", &empty]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains("has no secrets of TLS sessions"), "{}", run.stderr);
}

#[test]
fn lost_packets_never_give_another_answer_with_keys() {
    let mut capture = KeyedCapture::new();
    capture.connections.drain(2..7);
    let keys = capture.keys().display().to_string();
    let packets = all_packets(&capture.connections);
    let whole = plain_pcap(&frames(&packets, Link::Ethernet, false), Link::Ethernet);
    let (expected, _) = report(&whole, &["--keylog", &keys]);
    let expected = results(&expected);
    assert_eq!(expected.len(), 5);
    for lost in 0..packets.len() {
        let mut packets = packets.clone();
        packets.remove(lost);
        let file = plain_pcap(&frames(&packets, Link::Ethernet, false), Link::Ethernet);
        let (report, _) = report(&file, &["--keylog", &keys]);
        for found in results(&report) {
            let unclear = (found.0.clone(), "unclear".to_owned());
            assert!(found == unclear || expected.contains(&found), "without {lost}: {found:?}");
        }
    }
}
