//! Failures of nginx as a server, caused by its clients.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rcgen::ExtendedKeyUsagePurpose;

use super::wire::*;
use super::*;
use crate::support::pki::{Files, Pki};
use crate::support::server::Nginx;

#[test]
fn clients_that_share_no_parameters() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = listener(&files, "ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve prime256v1;");
    raw(&nginx, &hello(0x0301, &[0xc013], &[]), &[]);
    let old = (CLIENT, "unsupported-protocol", "client-unsupported-protocol");
    check(&nginx, "unsupported protocol", old);
    raw(&nginx, &hello(0x0300, &[0x0005], &[]), &[]);
    check(&nginx, "version too low", (CLIENT, "version-too-low", "client-version-too-low"));
    raw(&nginx, &hello(0x0303, &[0x0005], &[]), &[]);
    check(&nginx, "no shared cipher", (CLIENT, "no-shared-cipher", "client-no-shared-cipher"));
    s_client(&nginx, &["-tls1_3", "-groups", "X25519"]);
    let group = (CLIENT, "no-suitable-key-share", "client-no-suitable-key-share");
    check(&nginx, "no suitable key share", group);
    s_client(&nginx, &["-tls1_3", "-groups", "P-256", "-sigalgs", "RSA-PSS+SHA256"]);
    let signature = (CLIENT, "no-suitable-signature-algorithm", "client-no-suitable-sigalg");
    check(&nginx, "no suitable signature algorithm", signature);
    s_client(&nginx, &["-tls1_2", "-fallback_scsv"]);
    let fallback = (CLIENT, "inappropriate-fallback", "client-inappropriate-fallback");
    check(&nginx, "inappropriate fallback", fallback);
    s_client(&nginx, &["-alpn", "nothing"]);
    let alpn = (CLIENT, "no-application-protocol", "client-alpn-mismatch");
    check(&nginx, "no application protocol", alpn);
}

#[test]
fn clients_that_send_no_valid_hello() {
    let pki = Pki::new();
    let nginx = listener(
        &pki.server("a", &["a.test"]),
        "ssl_protocols TLSv1.2 TLSv1.3; client_header_timeout 2s;",
    );
    raw(&nginx, b"\x16\x09\x09\x00\x04abcdefgh", &[]);
    check(&nginx, "wrong version number", (CLIENT, "not-tls", "client-malformed-hello"));
    raw(&nginx, b"GET / HTTP/1.0\r\n\r\n", &[]);
    check(&nginx, "plain HTTP request", (CLIENT, "http-request", "client-plain-http"));
    // TLS 1.3 with P-256 and a point that is not on the curve.
    let mut tls13 = vec![0, 43, 0, 3, 2, 3, 4, 0, 51, 0, 71, 0, 69, 0, 23, 0, 65, 4];
    tls13.extend([5; 64]);
    raw(&nginx, &hello(0x0303, &[0x1301], &[USUAL, &tls13].concat()), &[]);
    check(&nginx, "bad ecpoint", (CLIENT, "bad-key-share", "client-bad-key-share-benign"));
    let mut finished = record(&message(20, &[0; 12]));
    finished[2] = 3;
    raw(&nginx, &hello(0x0303, &[0xc02b], USUAL), &finished);
    check(&nginx, "unexpected message", (CLIENT, "malformed-hello", "client-malformed-hello"));
    drop(TcpStream::connect(("127.0.0.1", nginx.port)).unwrap());
    check(&nginx, "closed connection while SSL", (CLIENT, "client-left", "client-abort"));
    let half = hello(0x0303, &[0xc02b], USUAL);
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    stream.write_all(&half[..20]).unwrap();
    drop(stream);
    check(&nginx, "peer closed connection in SSL", (CLIENT, "client-left", "client-abort"));
    let silent = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    check(&nginx, "client timed out", (CLIENT, "client-timeout", "client-handshake-timeout"));
    drop(silent);
}

#[test]
fn client_certificates_that_are_wanted() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let wants = format!(
        "ssl_verify_client on; ssl_verify_depth 2; ssl_client_certificate {};",
        pki.ca_file()
    );
    let nginx = listener(&files, &wants);
    s_client(&nginx, &["-quiet", "-ign_eof"]);
    let missing = (CLIENT, "client-certificate-missing", "client-mtls-no-cert-http400");
    check(&nginx, "no required SSL certificate", missing);
    let present = |files: &Files| {
        let (certificate, key) = (file(&files.certificate), file(&files.key));
        s_client(
            &nginx,
            &[
                "-quiet",
                "-ign_eof",
                "-cert",
                &certificate,
                "-key",
                &key,
                "-cert_chain",
                &certificate,
            ],
        );
    };
    present(&stranger(&pki, "stranger", ExtendedKeyUsagePurpose::ClientAuth));
    let foreign = (CLIENT, "verify-untrusted", "client-cert-untrusted");
    check(&nginx, "client SSL certificate verify error", foreign);
    let dates = (pki.now - time::Duration::days(60), pki.now - time::Duration::days(1));
    present(&pki.changed("expired", &["client"], |params| {
        (params.not_before, params.not_after) = dates;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }));
    check(
        &nginx,
        "(10:certificate has expired)",
        (CLIENT, "verify-expired", "client-cert-expired"),
    );
    present(&pki.server("server", &["client"]));
    check(&nginx, "(26:", (CLIENT, "verify-purpose", "client-cert-purpose"));
}

#[test]
fn a_certificate_that_a_worker_cannot_load() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {folder}/$ssl_server_name.pem; ssl_certificate_key {}; }}",
        file(&files.key),
        folder = file(files.key.parent().unwrap())
    ));
    s_client(&nginx, &["-servername", "gone.test"]);
    let expected = (CLIENT, "certificate-callback", "client-cert-callback-error");
    check(&nginx, "cannot load certificate", expected);
    check(&nginx, "SSL_do_handshake() failed", expected);
    let report = log_json(&nginx.error_log(), &[]);
    let class = &report["failures"][0];
    assert_eq!(
        (class["count"].as_u64(), class["joined"].as_u64()),
        (Some(1), Some(1)),
        "{report:#}"
    );
}

#[test]
fn a_record_that_does_not_decrypt() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    // The base point of P-256 (SEC 2, 2.4.2) is a valid key share.
    let point = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let byte = |at: usize| u8::from_str_radix(&point[at..at + 2], 16).unwrap();
    let point: Vec<u8> = (0..point.len()).step_by(2).map(byte).collect();
    let mut tls13 = vec![0, 43, 0, 3, 2, 3, 4, 0, 51, 0, 71, 0, 69, 0, 23, 0, 65, 4];
    tls13.extend(point);
    let garbage = [&[0x17, 3, 3, 0, 40][..], &[7; 40]].concat();
    raw(&nginx, &hello(0x0303, &[0x1301], &[USUAL, &tls13].concat()), &garbage);
    check(&nginx, "bad record mac", (CLIENT, "bad-record-mac", "client-bad-record-mac"));
}

#[test]
fn a_request_for_another_server_than_the_handshake_was_for() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test", "b.test"]);
    let block = |name: &str, more: &str| {
        format!(
            "server {{ listen 127.0.0.1:PORT ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {}; {more} }}",
            file(&files.certificate),
            file(&files.key)
        )
    };
    let verify = format!("ssl_verify_client on; ssl_client_certificate {};", pki.ca_file());
    let nginx = Nginx::start(&[block("a.test", ""), block("b.test", &verify)].concat());
    let address = format!("127.0.0.1:{}", nginx.port);
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-ign_eof", "-connect", &address, "-servername", "a.test"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n";
    child.stdin.take().unwrap().write_all(request).unwrap();
    child.wait().unwrap();
    let expected = (CLIENT, "misdirected-request", "client-misdirected");
    check(&nginx, "different from", expected);
}
