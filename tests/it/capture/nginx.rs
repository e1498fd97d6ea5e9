//! Failures of nginx's clients: the class and the likeliest cause are those of the line that nginx logged.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use shakedown::log::classify::classify;
use shakedown::log::line;

use super::*;
use crate::log::wire::hello;
use crate::support::server::scripted;

/// Sends these bytes through the relay, reads what comes, and hangs up.
fn raw(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    stream.write_all(bytes).unwrap();
    let _ = stream.read(&mut [0; 8192]);
}

/// One connection to nginx with these directives: the capture must blame what the log line with these words does.
#[track_caller]
fn check(pki: &Pki, directives: &str, words: &str, connect: impl Fn(u16)) {
    let files = pki.server("a", &["a.test"]);
    let nginx = listener(&files, directives);
    let recorder = Recorder::before(nginx.port);
    connect(recorder.port);
    assert!(nginx.logs(words), "{words} is not in\n{}", nginx.error_log());
    let log = nginx.error_log();
    let found = log.lines().find(|line| line.contains(words)).unwrap();
    let parsed = line::parse(found.as_bytes());
    let diagnosis = classify(&parsed);
    let cause = diagnosis.causes().first().unwrap().0.id;
    let (report, status) = report_of(&recorder.connections(1));
    let expected = ("failed".to_owned(), diagnosis.class().unwrap().to_owned(), cause.to_owned());
    assert_eq!(endings(&report), [expected], "{found}\n{report:#}");
    let weight = report["failures"][0]["weight"].as_str().unwrap();
    assert_eq!(status, i32::from(matches!(weight, "fault" | "mixed")), "{report:#}");
}

#[test]
fn failures_have_the_class_and_the_cause_of_the_line_that_nginx_logs() {
    let pki = Pki::new();
    let usual = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve prime256v1;";
    check(&pki, usual, "unsupported protocol", |port| raw(port, &hello(0x0301, &[0xc013], &[])));
    check(&pki, usual, "version too low", |port| raw(port, &hello(0x0300, &[0x0005], &[])));
    check(&pki, usual, "no shared cipher", |port| raw(port, &hello(0x0303, &[0x0005], &[])));
    let group = ["-tls1_3", "-groups", "X448"];
    check(&pki, usual, "no suitable key share", |port| s_client(port, &group));
    let signature = ["-tls1_3", "-groups", "P-256", "-sigalgs", "RSA-PSS+SHA256"];
    check(&pki, usual, "no suitable signature algorithm", |port| s_client(port, &signature));
    check(&pki, usual, "inappropriate fallback", |port| {
        s_client(port, &["-tls1_2", "-fallback_scsv"]);
    });
    check(&pki, usual, "no application protocol", |port| s_client(port, &["-alpn", "nothing"]));
    check(&pki, usual, "unknown ca", |port| curl(port, &[]));
    check(&pki, usual, "unknown ca", |port| curl(port, &["--tls-max", "1.2"]));
    let ca = pki.ca_file();
    let wrong = ["-CAfile", &ca, "-verify_hostname", "b.test", "-verify_return_error", "-tls1_2"];
    check(&pki, usual, "bad certificate", |port| s_client(port, &wrong));
    let reject = "} server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on;";
    check(&pki, reject, "handshake rejected", |port| s_client(port, &["-servername", "b.test"]));
    check(&pki, usual, "plain HTTP request", |port| raw(port, b"GET / HTTP/1.0\r\n\r\n"));
    check(&pki, usual, "peer closed connection", |port| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(&hello(0x0303, &[0xc02b], &[])[..20]).unwrap();
    });
}

#[test]
fn a_handshake_without_the_client_certificate_that_nginx_wants_is_established() {
    let pki = Pki::new();
    let wants = format!("ssl_verify_client on; ssl_client_certificate {};", pki.ca_file());
    let nginx = listener(&pki.server("a", &["a.test"]), &wants);
    let recorder = Recorder::before(nginx.port);
    let ca = pki.ca_file();
    curl(recorder.port, &["--cacert", &ca]);
    curl(recorder.port, &["--cacert", &ca, "--tls-max", "1.2"]);
    let client = pki.client("client");
    let (certificate, key) =
        (client.certificate.display().to_string(), client.key.display().to_string());
    curl(recorder.port, &["--cacert", &ca, "--cert", &certificate, "--key", &key]);
    let (report, status) = report_of(&recorder.connections(3));
    assert_eq!(status, 0, "{report:#}");
    let certificates: Vec<&Value> =
        (0..3).map(|at| &report["handshakes"][at]["client_certificate"]).collect();
    assert_eq!(certificates, ["empty", "empty", "sent"], "{report:#}");
}

#[test]
fn a_server_that_does_not_answer_in_tls_is_at_fault() {
    let silent = scripted(|stream| {
        std::thread::sleep(Duration::from_secs(3));
        drop(stream);
    });
    let plain = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    for (server, class) in [(silent, "handshake-timeout"), (plain, "not-tls")] {
        let recorder = Recorder::before(server.port());
        raw(recorder.port, &hello(0x0303, &[0xc02b], &[]));
        let (report, status) = report_of(&recorder.connections(1));
        assert_eq!((status, &*endings(&report)[0].1), (1, class), "{report:#}");
    }
}

#[test]
fn what_other_clients_agreed_on_tells_what_one_lacks() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = listener(&files, "ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1;");
    let recorder = Recorder::before(nginx.port);
    s_client(recorder.port, &["-groups", "P-384"]);
    s_client(recorder.port, &["-groups", "X25519:P-256"]);
    assert!(nginx.logs("no suitable key share"), "{}", nginx.error_log());
    let (report, _) = report_of(&recorder.connections(2));
    let ending = &endings(&report)[1];
    assert_eq!(ending.2, "client-no-suitable-key-share", "{report:#}");
    let evidence = report["failures"][0]["evidence"].to_string();
    assert!(evidence.contains("X25519 prime256v1") && evidence.contains("secp384r1"), "{evidence}");
}
