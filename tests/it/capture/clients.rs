//! Clients are told by what they send.

use super::*;
use crate::log::wire::hello;

#[test]
fn clients_that_send_the_same_are_counted_together() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = listener(&files, "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve prime256v1;");
    let recorder = Recorder::before(nginx.port);
    for _ in 0..3 {
        s_client(recorder.port, &["-tls1_3", "-groups", "X448"]);
    }
    s_client(recorder.port, &["-tls1_3", "-groups", "P-256"]);
    let (report, status) = report_of(&recorder.connections(4));
    assert_eq!(status, 1, "{report:#}");
    let kinds = report["client_kinds"].as_array().unwrap();
    // JA4 looks at suites, extensions and schemes, so both groups are one kind of client.
    let counted = |name: &str| kinds[0][name].as_u64().unwrap();
    let counts = ["handshakes", "failed", "established", "addresses"].map(counted);
    assert_eq!((kinds.len(), counts), (1, [4, 3, 1, 1]), "{report:#}");
    assert_eq!(kinds[0]["classes"][0]["class"], "no-suitable-key-share", "{report:#}");
    assert_eq!(kinds[0]["like"], Value::Null, "{report:#}");
}

#[test]
fn no_name_begins_a_line_with_a_command_of_a_runner() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "");
    let recorder = Recorder::before(nginx.port);
    let name = format!("{} ::error::b", "a".repeat(70));
    let length = u8::try_from(name.len()).unwrap();
    let extension = [&[0, 0, 0, length + 5, 0, length + 3, 0, 0, length], name.as_bytes()].concat();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", recorder.port)).unwrap();
    stream.write_all(&hello(0x0303, &[5], &extension)).unwrap();
    let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
    drop(stream);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let packets = frames(&all_packets(&recorder.connections(1)), Link::Ethernet, false);
    fs::write(&path, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let run = shakedown(&["capture", &path.display().to_string()]);
    assert!(run.stdout.contains("error::b"), "{}", run.stdout);
    assert!(!run.stdout.lines().any(|line| line.trim().starts_with("::")), "{}", run.stdout);
}

/// The bytes that a known client sends, answered by nginx.
fn hello_of(name: &str, port: u16) {
    let client = shakedown::tls::profile::select(name).unwrap()[0];
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&client.hello(Some("a.test")).encode().unwrap()).unwrap();
    let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
}

#[test]
fn a_known_client_that_fails_is_named() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    let recorder = Recorder::before(nginx.port);
    hello_of("openssl-1.0.2", recorder.port);
    let connections = recorder.connections(1);
    let (report, _) = report_of(&connections);
    let kind = &report["client_kinds"][0];
    assert!(kind["like"]["clients"].to_string().contains("openssl-1.0.2"), "{report:#}");
    assert_eq!(kind["like"]["differences"], serde_json::json!([]), "{report:#}");
    assert_eq!(endings(&report)[0].2, "client-unsupported-protocol", "{report:#}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let packets = frames(&all_packets(&connections), Link::Ethernet, false);
    fs::write(&path, plain_pcap(&packets, Link::Ethernet)).unwrap();
    let run = shakedown(&["capture", &path.display().to_string()]);
    assert!(
        run.stdout.contains("as OpenSSL 1.0.2e, all fail: unsupported-protocol"),
        "{}",
        run.stdout
    );
}
