//! What real nginx writes, read back: each failure is provoked on loopback, on either side of nginx, and its line must be
//! put down under the right class with the right cause first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use serde_json::Value;
use shakedown::certificate::issue::Authority;
use shakedown::nginx::log::classify::classify;
use shakedown::nginx::log::direction::Direction;
use shakedown::nginx::log::line;
use shakedown::nginx::log::table::{Sign, mechanisms};

use crate::support::pki::{Files, Pki, openssl_req};
use crate::support::program::{shakedown, shakedown_with, text};
use crate::support::server::{Nginx, OpenSsl, free_port, nginx_binary, says, scripted};

/// nginx in front of a TLS upstream on this port.
fn proxy(port: u16, directives: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT; server_name front.test; location / {{
         proxy_pass https://127.0.0.1:{port}; {directives} }} }}"
    ))
}

/// A listener with this certificate.
fn listener(files: &Files, directives: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; {directives} }}",
        files.certificate.display(),
        files.key.display()
    ))
}

/// Asks nginx for a page; the answer.
fn ask(nginx: &Nginx) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: front.test\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Connects as a TLS client with these options; what it says is not looked at.
fn s_client(nginx: &Nginx, options: &[&str]) {
    let address = format!("127.0.0.1:{}", nginx.port);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address]).args(options);
    command.env("OPENSSL_CONF", "/dev/null").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
    child.wait().unwrap();
}

/// Sends these bytes, reads what comes, sends more, and hangs up.
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

/// Waits for a line with these words, and holds it to a side, a class and a likeliest cause.
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

/// A certificate of an authority that nobody knows.
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

/// A record with one alert in it.
fn alert(number: u8) -> [u8; 7] {
    [0x15, 3, 3, 0, 2, 2, number]
}

/// A hello of this version with these suites and extensions.
fn hello(version: u16, suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(u16::try_from(2 * suites.len()).unwrap().to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    record(&message(1, &body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn record(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x16, 3, 1], length.as_slice(), payload].concat()
}

/// Groups and signature algorithms that any server takes.
const USUAL: &[u8] =
    &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, 0, 11, 0, 2, 1, 0];

/// A TLS 1.2 server's first words, without secure renegotiation.
fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([9; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    record(&message(2, &body))
}

/// An upstream that answers the first hello with these bytes.
fn answers(bytes: Vec<u8>) -> SocketAddr {
    scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 4096]);
    })
}

#[test]
fn every_alert_of_an_upstream_is_understood() {
    let numbers: Vec<u8> = (0..=255).filter(|number| known_alert(UP, *number)).collect();
    let (next, sent) = (AtomicUsize::new(0), numbers.clone());
    let upstream = scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let number = sent[next.fetch_add(1, Ordering::SeqCst) % sent.len()];
        let _ = stream.write_all(&alert(number));
        let _ = stream.read(&mut [0; 4096]);
    });
    let nginx = proxy(upstream.port(), "");
    for number in numbers {
        assert!(ask(&nginx).contains("502 Bad Gateway"));
        let words = format!("SSL alert number {number})");
        assert!(nginx.logs(&words), "{words} is not in\n{}", nginx.error_log());
        check_alert(&nginx, UP, number);
    }
}

#[test]
fn every_alert_of_a_client_is_understood() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2;");
    for number in (0..=255).filter(|number| known_alert(CLIENT, *number)) {
        raw(&nginx, &hello(0x0303, &[0xc02b], USUAL), &alert(number));
        let words = format!("SSL alert number {number})");
        assert!(nginx.logs(&words), "{words} is not in\n{}", nginx.error_log());
        check_alert(&nginx, CLIENT, number);
    }
}

/// Whether the table speaks of this alert; close_notify is no error to OpenSSL.
fn known_alert(side: Direction, number: u8) -> bool {
    let row = |sign| mechanisms().iter().any(|row| row.side == side && row.sign == sign);
    number > 0 && row(Sign::Alert(Some(number)))
}

#[track_caller]
fn check_alert(nginx: &Nginx, side: Direction, number: u8) {
    let log = nginx.error_log();
    let words = format!("SSL alert number {number})");
    let found = log.lines().find(|line| line.contains(&words)).unwrap();
    let parsed = line::parse(found.as_bytes());
    let diagnosis = classify(&parsed);
    assert_eq!(diagnosis.direction, side, "{found}");
    assert_eq!(diagnosis.codes[0].alert().map(|alert| alert.0), Some(number), "{found}");
    let row = diagnosis.mechanism.unwrap();
    assert_eq!(row.sign, Sign::Alert(Some(number)), "{found}");
}

#[test]
fn an_upstream_that_rejects_by_name() {
    let pki = Pki::new();
    let named = pki.server("a", &["a.test"]);
    let upstream = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name a.test; ssl_certificate {}; ssl_certificate_key {}; }}",
        file(&named.certificate),
        file(&named.key)
    ));
    let nginx = proxy(upstream.port, "");
    ask(&nginx);
    check(&nginx, "alert number 112", (UP, "alert-unrecognized-name", "upstream-sni-missing"));
    check(&upstream, "handshake rejected", (CLIENT, "handshake-rejected", "client-sni-rejected"));
}

#[test]
fn an_upstream_that_wants_a_client_certificate() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let ca = pki.ca_file();
    let wants = ["-Verify", "2", "-CAfile", &ca, "-verify_return_error"];
    let old = s_server(&files, &[&wants[..], &["-tls1_2"]].concat());
    let nginx = proxy(old.port, "");
    ask(&nginx);
    let expected = (UP, "alert-handshake-failure", "upstream-sni-missing");
    check(&nginx, "alert number 40", expected);
    let new = s_server(&files, &[&wants[..], &["-tls1_3"]].concat());
    let nginx = proxy(new.port, "proxy_ssl_protocols TLSv1.3;");
    ask(&nginx);
    let expected = (UP, "alert-certificate-required", "upstream-mtls-required");
    check(&nginx, "alert number 116", expected);
    let client = stranger(&pki, "client", ExtendedKeyUsagePurpose::ClientAuth);
    let present = format!(
        "proxy_ssl_certificate {}; proxy_ssl_certificate_key {};",
        file(&client.certificate),
        file(&client.key)
    );
    let old = s_server(&files, &[&wants[..], &["-tls1_2"]].concat());
    let nginx = proxy(old.port, &present);
    ask(&nginx);
    let expected = (UP, "alert-unknown-ca", "upstream-rejects-client-cert");
    check(&nginx, "alert number 48", expected);
}

#[test]
fn upstreams_that_share_no_parameters() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let upstream = s_server(&files, &["-tls1_3"]);
    let nginx = proxy(upstream.port, "proxy_ssl_protocols TLSv1.2;");
    ask(&nginx);
    let expected = (UP, "alert-protocol-version", "upstream-protocol-version");
    check(&nginx, "alert number 70", expected);
    let nginx = proxy(upstream.port, "proxy_ssl_protocols SSLv3;");
    ask(&nginx);
    let expected = (UP, "no-protocols-available", "upstream-no-protocols-available");
    check(&nginx, "no protocols available", expected);
    let legacy = answers(server_hello(0x0301, 0xc02f));
    let nginx = proxy(legacy.port(), "proxy_ssl_protocols TLSv1.2;");
    ask(&nginx);
    check(
        &nginx,
        "unsupported protocol",
        (UP, "unsupported-protocol", "upstream-protocol-version"),
    );
    let stubborn = answers(server_hello(0x0303, 0x0005));
    let nginx = proxy(stubborn.port(), "");
    ask(&nginx);
    check(&nginx, "unknown cipher returned", (UP, "peer-misbehaves", "upstream-broken-peer"));
    let old = answers(server_hello(0x0303, 0xc02f));
    let nginx = proxy(old.port(), "");
    ask(&nginx);
    let expected = (UP, "legacy-renegotiation", "upstream-legacy-renegotiation");
    check(&nginx, "unsafe legacy renegotiation", expected);
}

#[test]
fn an_upstream_with_a_small_group() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let group = pki.path("dh.pem");
    let made = Command::new("openssl")
        .args(["dhparam", "-dsaparam", "-out", &file(&group), "1024"])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let upstream = listener(
        &files,
        &format!(
            "ssl_protocols TLSv1.2; ssl_ciphers DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0; ssl_dhparam {};",
            file(&group)
        ),
    );
    let nginx = proxy(upstream.port, "proxy_ssl_ciphers DEFAULT:@SECLEVEL=2;");
    ask(&nginx);
    check(&nginx, "dh key too small", (UP, "dh-key-too-small", "upstream-dh-key-too-small"));
}

#[test]
fn upstreams_without_tls_or_manners() {
    let plain = says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    let nginx = proxy(plain.port(), "");
    ask(&nginx);
    check(&nginx, "SSL_do_handshake() failed", (UP, "not-tls", "upstream-plain-http"));
    let closes = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    let nginx = proxy(closes.port(), "");
    ask(&nginx);
    check(&nginx, "peer closed connection", (UP, "handshake-closed", "upstream-closed"));
    // What is left unread when a connection is closed makes the system reset it.
    let resets = scripted(|stream| {
        std::thread::sleep(Duration::from_millis(200));
        drop(stream);
    });
    let nginx = proxy(resets.port(), "");
    ask(&nginx);
    check(&nginx, "Connection reset by peer", (UP, "handshake-reset", "upstream-reset"));
    let hangs = scripted(|_stream| std::thread::sleep(Duration::from_secs(20)));
    let nginx = proxy(hangs.port(), "proxy_connect_timeout 1s;");
    ask(&nginx);
    check(&nginx, "upstream timed out", (UP, "handshake-timeout", "upstream-handshake-timeout"));
}

#[test]
fn upstreams_whose_certificate_does_not_verify() {
    let pki = Pki::new();
    let check_with = |files: &Files, directives: &str, words: &str, class: &str, cause: &str| {
        let upstream = s_server(files, &[]);
        let verify = format!(
            "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}; proxy_ssl_name a.test; {directives}",
            pki.ca_file()
        );
        let nginx = proxy(upstream.port, &verify);
        ask(&nginx);
        check(&nginx, words, (UP, class, cause));
    };
    let error = "certificate verify error";
    let foreign = stranger(&pki, "foreign", ExtendedKeyUsagePurpose::ServerAuth);
    check_with(&foreign, "", error, "verify-unknown-issuer", "upstream-untrusted-ca");
    // An authority that was made anew has its old name and another key.
    let renewed = Pki::new();
    let renewed = renewed.server("renewed", &["a.test"]);
    check_with(&renewed, "", error, "verify-signature", "upstream-untrusted-ca");
    let dates = (pki.now - time::Duration::days(60), pki.now - time::Duration::days(1));
    let expired = pki.changed("expired", &["a.test"], |params| {
        (params.not_before, params.not_after) = dates;
    });
    check_with(&expired, "", error, "verify-expired", "upstream-certificate-expired");
    let early = (pki.now + time::Duration::days(10), pki.now + time::Duration::days(60));
    let early = pki.changed("early", &["a.test"], |params| {
        (params.not_before, params.not_after) = early;
    });
    check_with(&early, "", error, "verify-not-yet-valid", "upstream-certificate-not-yet-valid");
    let named = pki.server("b", &["b.test"]);
    check_with(&named, "", "does not match", "name-mismatch", "upstream-name-mismatch");
    let alone = openssl_req(pki.path("x").parent().unwrap(), "self", &["-newkey", "rsa:2048"]);
    check_with(&alone, "", error, "verify-self-signed", "upstream-self-signed");
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let bare = pki.write("bare", &issued, &issued.chain()[..1]);
    check_with(&bare, "", error, "verify-first-certificate", "upstream-chain-incomplete");
    let purpose = pki.client("purpose");
    check_with(&purpose, "", error, "verify-purpose", "upstream-certificate-purpose");
}

#[test]
fn symptoms_stand_beside_their_cause() {
    let upstream = answers(alert(112).to_vec());
    let nginx = Nginx::start(&format!(
        "upstream backend {{ server 127.0.0.1:{port} max_fails=1; server 127.0.0.1:{port} max_fails=1; }}
         server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass https://backend; }} }}",
        port = upstream.port()
    ));
    ask(&nginx);
    check(&nginx, "alert number 112", (UP, "alert-unrecognized-name", "upstream-sni-missing"));
    ask(&nginx);
    check(&nginx, "no live upstreams", (UP, "no-live-upstreams", "upstream-closed"));
    check(&nginx, "temporarily disabled", (UP, "peer-disabled", "upstream-closed"));
    let report = log_json(&nginx.error_log(), &[]);
    let classes = report["failures"].as_array().unwrap();
    assert_eq!(text(&classes[0]["class"]), "alert-unrecognized-name");
    assert_eq!(text(&classes[0]["causes"][0]["id"]), "upstream-sni-missing");
    assert_eq!(report["upstreams"][0]["address"], format!("127.0.0.1:{}", upstream.port()));
    let follows = classes.iter().filter(|class| class["weight"] == "symptom");
    assert!(follows.into_iter().all(|class| class["concern"] == "follows"), "{report:#}");
}

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
fn clients_that_send_what_is_no_hello() {
    let pki = Pki::new();
    let nginx = listener(
        &pki.server("a", &["a.test"]),
        "ssl_protocols TLSv1.2 TLSv1.3; client_header_timeout 2s;",
    );
    raw(&nginx, b"\x16\x09\x09\x00\x04abcdefgh", &[]);
    check(&nginx, "wrong version number", (CLIENT, "not-tls", "client-malformed-hello"));
    raw(&nginx, b"GET / HTTP/1.0\r\n\r\n", &[]);
    check(&nginx, "plain HTTP request", (CLIENT, "http-request", "client-plain-http"));
    // TLS 1.3 with P-256 and a point that is not on it.
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

/// What `nginx -t` says of these lines in `http`.
fn tested(folder: &Path, http: &str) -> String {
    let path = folder.join("test.conf");
    let text =
        format!("pid {0}/pid; error_log stderr; events {{}}\nhttp {{ {http} }}", file(folder));
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new(nginx_binary());
    command.arg("-p").arg(folder).args(["-e", "stderr", "-t", "-c"]).arg(&path);
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

#[test]
fn configurations_that_cannot_be_used() {
    let pki = Pki::rsa();
    let (one, two) = (pki.server("one", &["a.test"]), pki.server("two", &["a.test"]));
    let folder = tempfile::tempdir().unwrap();
    let server = |certificate: &Path, key: &Path, more: &str| {
        let http = format!(
            "server {{ listen 127.0.0.1:1 ssl; ssl_certificate {}; ssl_certificate_key {}; {more} }}",
            file(certificate),
            file(key)
        );
        tested(folder.path(), &http)
    };
    let log = server(&one.certificate, &two.key, "");
    check_log(&log, "[emerg]", (CONFIG, "key-mismatch", "config-key-mismatch"));
    let gone = folder.path().join("gone.pem");
    let unreadable = (CONFIG, "certificate-unreadable", "config-certificate-unreadable");
    check_log(&server(&gone, &one.key, ""), "[emerg]", unreadable);
    let junk = folder.path().join("junk.pem");
    std::fs::write(&junk, "junk").unwrap();
    check_log(&server(&junk, &one.key, ""), "[emerg]", unreadable);
    let weak = openssl_req(folder.path(), "weak", &["-newkey", "rsa:1024"]);
    let log = server(&weak.certificate, &weak.key, "ssl_ciphers DEFAULT:@SECLEVEL=2;");
    check_log(&log, "[emerg]", (CONFIG, "certificate-too-weak", "config-weak-certificate"));
    let log = server(&one.certificate, &one.key, "ssl_ciphers NOTHING;");
    check_log(&log, "[emerg]", (CONFIG, "no-cipher-match", "config-cipher-list"));
    let log = server(&one.certificate, &one.key, "ssl_verify_client on;");
    check_log(&log, "[emerg]", (CONFIG, "trust-missing", "config-trust-missing"));
    let log = server(
        &one.certificate,
        &one.key,
        "location / { proxy_ssl_verify on; proxy_pass https://127.0.0.1; }",
    );
    check_log(&log, "[emerg]", (CONFIG, "trust-missing", "config-trust-missing"));
    let log = server(&one.certificate, &one.key, "ssl_stapling on;");
    check_log(&log, "ssl_stapling", (CONFIG, "stapling-off", "config-stapling-off"));
    let log = tested(folder.path(), "server { listen 127.0.0.1:1 ssl; }");
    check_log(&log, "[emerg]", (CONFIG, "no-server-certificate", "client-no-server-certificate"));
}

#[test]
fn neighbours_of_handshakes_are_understood() {
    let closed = free_port();
    let nginx = proxy(closed, "");
    ask(&nginx);
    check(&nginx, "connect() failed", (UP, "not-connected", "upstream-unreachable"));
    let closes = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://127.0.0.1:{}; }} }}",
        closes.port()
    ));
    ask(&nginx);
    check(&nginx, "prematurely closed", (UP, "closed-after-handshake", "upstream-closed"));
    raw(&nginx, &hello(0x0303, &[0xc02b], USUAL), &[]);
    let wrong_port = (CLIENT, "tls-to-plain-port", "client-tls-to-plain-port");
    check(&nginx, "client sent invalid method", wrong_port);
    let nginx = Nginx::start("server { listen 127.0.0.1:PORT proxy_protocol; return 200; }");
    raw(&nginx, b"GET / HTTP/1.0\r\n\r\n", &[]);
    let header = (CLIENT, "proxy-protocol", "client-proxy-protocol-mismatch");
    check(&nginx, "PROXY protocol", header);
    let name = "a".repeat(256);
    let nginx = proxy(closes.port(), &format!("proxy_ssl_server_name on; proxy_ssl_name {name};"));
    ask(&nginx);
    check(&nginx, "SSL_set_tlsext_host_name", (UP, "name-unusable", "upstream-sni-wrong"));
}

#[test]
fn upstreams_that_nginx_itself_turns_away() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let upstream = s_server(&files, &["-tls1_2"]);
    let strict = "proxy_ssl_conf_command VerifyMode Peer;";
    let nginx = proxy(upstream.port, strict);
    ask(&nginx);
    let inside = (UP, "certificate-verify-failed", "upstream-untrusted-ca");
    check(&nginx, "certificate verify failed", inside);
    let nothing =
        "proxy_ssl_protocols TLSv1.1; proxy_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0;";
    let nginx = proxy(upstream.port, nothing);
    ask(&nginx);
    check(&nginx, "no ciphers available", (UP, "no-ciphers", "upstream-cipher-mismatch"));
    let anchor = pki.path("anchor.pem");
    let issuers = files.issuers.as_ref().unwrap();
    std::fs::copy(issuers, &anchor).unwrap();
    let verify = format!(
        "proxy_ssl_verify on; proxy_ssl_name a.test; proxy_ssl_trusted_certificate {};",
        file(&anchor)
    );
    let nginx = proxy(upstream.port, &verify);
    ask(&nginx);
    check(&nginx, "(2:", (UP, "verify-issuer-of-anchor", "upstream-untrusted-ca"));
    let root = Authority::root_with("sent", pki.now, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let issued = root.issue(&["a.test"]).unwrap();
    let chain = [issued.chain(), vec![root.certificate.clone()]].concat();
    let sent = s_server(&pki.write("sent", &issued, &chain), &[]);
    let nginx = proxy(sent.port, &verify);
    ask(&nginx);
    check(&nginx, "(19:", (UP, "verify-root-untrusted", "upstream-untrusted-ca"));
}

#[test]
fn a_record_that_does_not_decrypt() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    // The base point of P-256 (SEC 2, 2.4.2) is a key share like any other.
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

/// Classes of the table that no test provokes here, with what it would take.
const NOT_PROVOKED: &[(&str, &str)] = &[
    (
        "cipher-mismatch",
        "an upstream whose key exchange uses a curve that was not offered: a TLS 1.2 server with a key of its own",
    ),
    ("configuration", "a fault of a library that no other row names"),
    ("handshake-unexplained", "a line that somebody shortened"),
    ("late-data", "a peer that writes behind its close_notify"),
    ("legacy-signature", "a library that signs with MD5 and SHA-1 on one side alone"),
    ("library-fault", "a broken library"),
    ("no-server-name", "words of people, not of nginx"),
    ("not-h2", "the gRPC module, which the smallest package lacks"),
    ("not-resolved", "a resolver"),
    ("ocsp-responder", "a responder named in the certificate"),
    ("peer-signature", "a TLS 1.2 server that signs with an algorithm that was not offered"),
    ("protocol-is-shutdown", "a write behind a close, which newer releases do not make"),
    ("server-name-callback", "another server than nginx"),
    ("session-cache-full", "thousands of sessions"),
    ("session-context", "a session cache that two settings share"),
    ("shutdown", "a peer that breaks the close"),
    ("shutdown-in-handshake", "a close within the handshake, which newer releases do not make"),
    ("stale-error", "a module that leaves errors behind"),
    ("tls-error", "a reason that no other row names"),
    ("unexpected-eof", "nginx before 1.21.2 with OpenSSL 3"),
    ("unknown-protocol", "OpenSSL 1.0"),
    ("verify-chain-too-long", "OpenSSL 1.1"),
    ("verify-crl-expired", "a list of revoked certificates"),
    ("verify-no-crl", "a list of revoked certificates"),
    ("verify-revoked", "a list of revoked certificates"),
    ("verify-other", "a result that no other row names"),
    ("verify-too-weak", "a chain below the security level, which the test's library does not make"),
    ("version-too-high", "a library that is older than its peer"),
];

#[test]
fn every_class_is_provoked_or_it_is_said_what_that_would_take() {
    let tests = include_str!("log.rs");
    let mut missing: Vec<&str> = mechanisms()
        .iter()
        .filter(|row| !matches!(row.sign, Sign::Alert(_)))
        .map(|row| row.class)
        .filter(|class| !tests.contains(&format!("\"{class}\"")))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "{missing:#?}");
    for (class, what) in NOT_PROVOKED {
        let mentions = tests.matches(&format!("\"{class}\"")).count();
        let known = mechanisms().iter().any(|row| row.class == *class);
        assert!(known && mentions == 1 && !what.is_empty(), "{class} is provoked, or unknown");
    }
}

/// What `log` says of this text, as JSON.
fn log_json(log: &str, options: &[&str]) -> Value {
    let run = shakedown_with(&[&["log", "--format", "json", "-"], options].concat(), log);
    assert_eq!(run.status, 0, "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn access_lines_of_real_nginx_are_read_by_their_format() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let plain = "$remote_addr [$time_local] \"$request\" $status $ssl_protocol $ssl_cipher $ssl_session_reused \"$upstream_addr\" $upstream_connect_time";
    let json = r#"{"status":"$status","ssl_protocol":"$ssl_protocol","ssl_session_reused":"$ssl_session_reused","time":"$time_iso8601"}"#;
    let nginx = Nginx::start_with(|port| {
        format!(
            "http {{ log_format plain '{plain}'; log_format json escape=json '{json}';
             server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;
             access_log {folder}/plain.log plain; access_log {folder}/json.log json; return 200 hello; }} }}",
            file(&files.certificate),
            file(&files.key),
            folder = file(pki.path("x").parent().unwrap())
        )
    });
    for version in ["-tls1_2", "-tls1_2", "-tls1_3", "-tls1_3"] {
        s_client(&nginx, &["-quiet", "-ign_eof", version]);
    }
    let (plain_log, json_log) = (pki.path("plain.log"), pki.path("json.log"));
    for arguments in [
        vec!["log", "--format", "json", "--log-format", plain, plain_log.to_str().unwrap()],
        vec!["log", "--format", "json", "--log-format", json, json_log.to_str().unwrap()],
        vec!["log", "--format", "json", json_log.to_str().unwrap()],
    ] {
        let run = shakedown(&[&arguments[..], &["--what-if", "TLSv1.3"]].concat());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["unreadable"], 0, "{report:#}");
        let access = &report["access"];
        assert_eq!(
            (access["requests"].as_u64(), access["tls_requests"].as_u64()),
            (Some(4), Some(4))
        );
        assert_eq!(access["versions"][0]["share"], 0.5, "{report:#}");
        assert_eq!(access["session_reuse"]["low"], true);
        assert_eq!(report["what_if"]["refused_requests"], 2);
        assert_eq!(report["what_if"]["exact"], true);
    }
}

#[test]
fn a_failed_handshake_and_the_502_that_it_gave_are_joined() {
    let upstream = answers(alert(40).to_vec());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let format =
        "$remote_addr [$time_local] $status $upstream_addr $upstream_status $upstream_connect_time";
    let nginx = Nginx::start_with(|port| {
        format!(
            "http {{ log_format f '{format}'; server {{ listen 127.0.0.1:{port}; access_log {} f;
             location / {{ proxy_pass https://127.0.0.1:{}; }} }} }}",
            file(&path),
            upstream.port()
        )
    });
    ask(&nginx);
    ask(&nginx);
    assert!(nginx.logs("alert number 40"));
    let access = std::fs::read_to_string(&path).unwrap();
    let report = log_json(&(access + &nginx.error_log()), &["--log-format", format]);
    let access = &report["access"];
    assert_eq!(access["bad_gateway"], 2, "{report:#}");
    assert_eq!(access["bad_gateway_not_connected"], 2);
    assert_eq!(access["bad_gateway_with_handshake_failure"], 2);
}

#[test]
fn upstreams_that_failed_are_probed_and_the_fix_is_tried() {
    let pki = Pki::new();
    let named = pki.server("a", &["front.test"]);
    let upstream = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name front.test; ssl_certificate {}; ssl_certificate_key {}; }}",
        file(&named.certificate),
        file(&named.key)
    ));
    let nginx = proxy(upstream.port, "");
    ask(&nginx);
    assert!(nginx.logs("alert number 112"));
    let log = pki.path("error.log");
    std::fs::write(&log, nginx.error_log()).unwrap();
    let configuration = pki.path("nginx.conf");
    let written = format!(
        "events {{}} http {{ log_format own '$status $ssl_protocol'; server {{ listen 127.0.0.1:1;
         location / {{ proxy_pass https://127.0.0.1:{}; }} }} }}",
        upstream.port
    );
    std::fs::write(&configuration, written).unwrap();
    let (log, configuration, ca) = (file(&log), file(&configuration), pki.ca_file());
    let usual = ["log", "--format", "json", "--probe", "--ca-file", &ca, &log];
    for options in [&usual[..], &[&usual[..], &["--nginx", &configuration]].concat()] {
        let run = shakedown(options);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let audit = &report["upstreams"][0]["audits"][0];
        let finding = &audit["findings"][0];
        assert_eq!((run.status, text(&audit["status"])), (1, "fail"), "{report:#}");
        assert_eq!(finding["severity"], "error", "{report:#}");
    }
    let table = shakedown(&["log", "--probe", "--ca-file", &ca, &log]).stdout;
    assert!(table.contains("Tried: with this the handshake works."), "{table}");
    let healthy = "2026/01/31 10:00:00 200 TLSv1.3\n200 TLSv1.3\n";
    let run = shakedown_with(&["log", "--format", "json", "--nginx", &configuration, "-"], healthy);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["access"]["tls_requests"], 1, "{report:#}");
}

/// A line about an upstream of this name.
fn failed_at(upstream: &str) -> String {
    format!(
        "2026/01/31 10:00:00 [error] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://{upstream}/\", host: \"a.test\"\n"
    )
}

#[test]
fn upstreams_that_cannot_be_probed_are_told_and_count_as_untested() {
    let log = failed_at("unix:/run/x.sock:") + &failed_at("backend");
    let run = shakedown_with(&["log", "--format", "json", "--probe", "-"], &log);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.status, 3, "{report:#}");
    for upstream in report["upstreams"].as_array().unwrap() {
        let audit = &upstream["audits"][0];
        assert_eq!(audit["status"], "untested", "{report:#}");
        let known = [("backend", "no address"), ("unix:/run/x.sock", "file system")];
        let address = text(&upstream["address"]);
        let (_, reason) = known.iter().find(|(known, _)| *known == address).unwrap();
        assert!(text(&audit["reason"]).contains(reason), "{report:#}");
    }
    let many: String = (1..=34).map(|at| failed_at(&format!("127.0.0.{at}:1"))).collect();
    let usual = ["log", "--format", "json", "--probe", "--timeout", "1s", "-"];
    let report: Value = serde_json::from_str(&shakedown_with(&usual, &many).stdout).unwrap();
    let upstreams = report["upstreams"].as_array().unwrap();
    let audited = |upstream: &&Value| !upstream["audits"].as_array().unwrap().is_empty();
    assert_eq!(upstreams.iter().filter(audited).count(), upstreams.len());
    let left_out = "only the 32 upstreams with the most lines are audited";
    let surplus = upstreams.iter().filter(|one| one["audits"][0]["reason"] == left_out);
    assert_eq!(surplus.count(), upstreams.len() - 32);
}

#[test]
fn a_configuration_that_is_not_whole_is_told_and_its_names_are_looked_up() {
    let pki = Pki::new();
    let files = pki.server("a", &["localhost"]);
    let upstream = listener(&files, "");
    let configuration = pki.path("nginx.conf");
    let written = format!(
        "events {{}} http {{ include /no/such/file.conf; server {{ listen 127.0.0.1:1;
         location / {{ proxy_pass https://localhost:{}; }} }} }}",
        upstream.port
    );
    std::fs::write(&configuration, written).unwrap();
    let (configuration, ca) = (file(&configuration), pki.ca_file());
    let log = failed_at(&format!("127.0.0.1:{}", upstream.port));
    let usual = ["log", "--probe", "--ca-file", &ca, "--nginx", &configuration, "-"];
    let run = shakedown_with(&usual, &log);
    assert!(run.stderr.contains("/no/such/file.conf"), "{}", run.stderr);
    assert!(run.stdout.contains("as nginx makes it there"), "{}", run.stdout);
    let run = shakedown_with(&["log", "--probe", "--ca-file", &ca, "-"], &log);
    assert!(run.stdout.contains("as nginx makes it by"), "{}", run.stdout);
}

#[test]
fn a_line_is_explained_from_an_argument_and_from_stdin() {
    let line = "2024/10/21 08:41:45 [crit] 1#1: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://192.0.2.2:8443/\", host: \"a.test\"";
    let typed = shakedown(&["explain", "--format", "json", line]);
    let piped = shakedown_with(&["explain", "--format", "json", "-"], line);
    assert_eq!((typed.status, &typed.stdout), (0, &piped.stdout));
    let answer: Value = serde_json::from_str(&typed.stdout).unwrap();
    assert_eq!(answer["direction"], "upstream");
    assert_eq!(answer["codes"][0]["alert"], 112);
    assert_eq!(answer["codes"][0]["sent_by"], "peer");
    assert_eq!(answer["causes"][0]["id"], "upstream-sni-missing");
    assert_eq!(answer["next"][0], "shakedown probe --as-nginx --server-name a.test 192.0.2.2:8443");
    for cause in answer["causes"].as_array().unwrap() {
        for key in ["id", "likelihood", "why", "how_to_tell", "fix"] {
            assert!(!text(&cause[key]).is_empty(), "{key}: {cause}");
        }
    }
    let several = shakedown_with(&["explain", "--format", "json"], &format!("{line}\n{line}\n"));
    assert_eq!(several.stdout.lines().count(), 2);
}

#[test]
fn the_port_that_a_client_asked_for_stands_in_the_next_command() {
    let line = "2026/01/31 10:00:00 [info] 7#7: *1 client sent no required SSL certificate while reading client request \
                headers, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", host: \"a.test:8443\"";
    let run = shakedown(&["explain", "--format", "json", line]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["next"][0], "shakedown probe a.test:8443", "{answer:#}");
}

#[test]
fn codes_alerts_and_verification_errors_are_explained_for_both_sides() {
    for subject in [
        "112",
        "unrecognized_name",
        "0A000458",
        "error:14094458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name",
    ] {
        let run = shakedown(&["explain", "--format", "json", subject]);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(answer["codes"][0]["alert"], 112, "{subject}");
        assert_eq!(answer["causes"][0]["id"], "upstream-sni-missing", "{subject}");
        assert_eq!(answer["direction"], "unknown", "{subject}");
    }
    for subject in [
        "20",
        "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "unable to get local issuer certificate",
    ] {
        let run = shakedown(&["explain", "--format", "json", subject]);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(answer["codes"][0]["reason"], 20, "{subject}");
        assert_eq!(answer["causes"][0]["id"], "upstream-untrusted-ca", "{subject}");
    }
    let words = shakedown(&["explain", "no shared cipher"]).stdout;
    assert!(words.contains("client-no-shared-cipher"), "{words}");
}

#[test]
fn every_command_that_is_proposed_can_be_typed() {
    let cases = include_str!("../../testdata/logs/error-lines.jsonl");
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let run = shakedown_with(&["explain", "--format", "json", "-"], text(&case["line"]));
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        for command in answer["next"].as_array().unwrap() {
            let words: Vec<&str> = text(command).split(' ').collect();
            assert!(!text(command).contains('\''), "{command} has to be quoted");
            let parsed = <shakedown::cli::args::Args as clap::Parser>::try_parse_from(&words);
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn the_forms_of_the_report_agree() {
    let log = "2026/01/31 10:00:00 [error] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET /\u{1b}[31m HTTP/1.1\", upstream: \"https://192.0.2.2:443/\", host: \"a.test\"\njunk\u{7}\n";
    let report = log_json(log, &[]);
    assert_eq!((report["lines"].as_u64(), report["unreadable"].as_u64()), (Some(2), Some(1)));
    assert_eq!(report["client_failures_hidden"], true);
    let prometheus = shakedown_with(&["log", "--format", "prometheus", "-"], log).stdout;
    let sample = "shakedown_log_failures_total{class=\"alert-unrecognized-name\",direction=\"upstream\",alert=\"112\",concern=\"act\"} 1";
    assert!(prometheus.contains(sample), "{prometheus}");
    let table = shakedown_with(&["log", "-"], log).stdout;
    assert!(
        table.contains("alert-unrecognized-name (112)") && !table.contains('\u{1b}'),
        "{table}"
    );
    assert!(table.contains("proxy_ssl_server_name on"), "{table}");
}

#[test]
fn a_log_is_followed_through_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("error.log"), folder.path().join("error.log.1"));
    let failure = |number: u32| {
        format!(
            "2026/01/31 10:00:00 [info] 7#7: *{number} client closed connection while SSL handshaking, client: 192.0.2.{number}, server: 0.0.0.0:443\n"
        )
    };
    std::fs::write(&path, failure(1)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["log", "--follow", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    // What is written before the program looks is no news, so more is written until it tells of some.
    let (told, stop) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut written = 1;
    let mut line = String::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            output.read_line(&mut line).unwrap();
            told.store(1, Ordering::SeqCst);
            stop.store(1, Ordering::SeqCst);
        });
        while stop.load(Ordering::SeqCst) == 0 {
            written += 1;
            append(&failure(written));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(line.contains("client-left") && line.contains("client-abort"), "{line}");
    std::fs::rename(&path, &old).unwrap();
    append(&failure(200));
    std::thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let mut report = String::new();
    output.read_to_string(&mut report).unwrap();
    assert!(child.wait().unwrap().success(), "{report}");
    assert!(report.contains(&format!("{} failures of TLS", written + 1)), "{written}: {report}");
}

#[test]
fn whatever_a_file_holds_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let good = "2026/01/31 10:00:00 [info] 7#7: *1 client closed connection while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443\n";
    let mut bytes: Vec<u8> = (0..=255).collect();
    let long = "x".repeat(3_000_000);
    bytes.extend(format!("\n{good}{long}\n{good}").into_bytes());
    let (plain, cut) = (folder.path().join("plain.log"), folder.path().join("cut.log.gz"));
    std::fs::write(&plain, &bytes).unwrap();
    let packed = Command::new("gzip").arg("-c").arg(&plain).output().unwrap().stdout;
    std::fs::write(&cut, &packed[..packed.len() - 20]).unwrap();
    let (plain, cut) = (file(&plain), file(&cut));
    let run = shakedown(&["log", "--format", "json", &plain, &cut]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(report["files"][0]["unreadable"], 3, "{report:#}");
    assert_eq!(report["files"][0]["error"], Value::Null);
    assert_eq!(report["files"][1]["error"], "the gzip stream is cut short", "{report:#}");
    assert!(report["failures"][0]["count"].as_u64().unwrap() >= 2, "{report:#}");
}

#[test]
fn mistakes_in_what_is_typed_are_told() {
    for (arguments, words) in [
        (vec!["log", "/no/such/file"], "cannot read /no/such/file"),
        (vec!["log", "-", "--since", "soon"], "--since"),
        (vec!["log", "-", "--what-if", "TLS1.3"], "--what-if"),
        (vec!["log", "-", "--log-format", "$a$b"], "nothing stands between"),
        (vec!["log", "-", "--follow", "--format", "json"], "--output FILE"),
        (vec!["log", "-", "--follow", "--format", "prometheus"], "--output FILE"),
        (vec!["log"], "required"),
    ] {
        let run = shakedown(&arguments);
        assert_eq!(run.status, 2, "{arguments:?}");
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}
