//! nginx's messages about unusable configurations, and about other failures during handshakes.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use super::wire::*;
use super::*;
use crate::support::pki::{Pki, openssl_req};
use crate::support::server::{Nginx, free_port, nginx_binary, says, scripted};

/// The output of `nginx -t` for these lines in `http`.
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
fn messages_about_single_directives() {
    let pki = Pki::rsa();
    let one = pki.server("one", &["a.test"]);
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("ticket.key");
    std::fs::write(&small, [7; 32]).unwrap();
    let (small, key) = (file(&small), file(&one.key));
    let certificate = file(&one.certificate);
    for (directives, class, cause) in [
        ("ssl_ecdh_curve nonsense:X25519;".to_owned(), "group-unknown", "config-group-unknown"),
        ("ssl_conf_command Nonsense on;".to_owned(), "conf-command", "config-conf-command"),
        (
            format!("ssl_trusted_certificate {key};"),
            "certificate-unreadable",
            "config-certificate-unreadable",
        ),
        (format!("ssl_crl {key};"), "crl-unreadable", "config-crl-unreadable"),
        (format!("ssl_session_ticket_key {small};"), "ticket-key", "config-ticket-key"),
        ("ssl_protocols TLSv1.4;".to_owned(), "protocol-value", "config-protocol-value"),
        (
            "ssl_prefer_server_ciphers perhaps;".to_owned(),
            "directive-value",
            "config-directive-value",
        ),
        ("ssl_nonsense on;".to_owned(), "directive-unknown", "config-directive-unknown"),
        (
            "ssl_session_cache shared:SSL:1k;".to_owned(),
            "session-cache-value",
            "config-session-cache-value",
        ),
        (
            format!(
                "location / {{ proxy_pass https://127.0.0.1; proxy_ssl_certificate {certificate}; }}"
            ),
            "no-client-key",
            "config-client-key-missing",
        ),
    ] {
        let http = format!(
            "server {{ listen 127.0.0.1:1 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; {directives} }}"
        );
        let log = tested(folder.path(), &http);
        check_log(&log, "[emerg]", (CONFIG, class, cause));
        // `log` counts what `explain` recognizes.
        let report = log_json(&log, &[]);
        assert_eq!(report["failures"][0]["class"], class, "{log}");
        assert_eq!(report["failures"][0]["concern"], "act", "{log}");
    }
}

#[test]
fn a_level_above_the_certificate_that_is_set_after_it_was_loaded() {
    const AFTER: &str = "ssl_conf_command CipherString DEFAULT:@SECLEVEL=2;";
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let weak = openssl_req(folder.path(), "weak", &["-newkey", "rsa:1024"]);
    let expected = |side| (side, "certificate-too-weak", "config-level-above-certificate");
    let nginx = listener(&weak, &format!("ssl_ciphers DEFAULT:@SECLEVEL=0; {AFTER}"));
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&nginx, &[version]);
    }
    check(&nginx, "ee key too small", expected(CLIENT));
    let upstream = s_server(&pki.server("a", &["a.test"]), &["-verify", "2"]);
    let own = format!(
        "proxy_ssl_certificate {}; proxy_ssl_certificate_key {}; proxy_ssl_ciphers DEFAULT:@SECLEVEL=0; proxy_{AFTER}",
        file(&weak.certificate),
        file(&weak.key)
    );
    let nginx = proxy(upstream.port, &own);
    ask(&nginx);
    check(&nginx, "ee key too small", expected(UP));
    // Without a command: the certificate is loaded in the handshake.
    let nginx = Nginx::start(&format!(
        "map $ssl_server_name $pair {{ default {}; }} server {{ listen 127.0.0.1:PORT ssl; ssl_certificate $pair; \
         ssl_certificate_key {}; ssl_ciphers DEFAULT:@SECLEVEL=2; }}",
        file(&weak.certificate),
        file(&weak.key)
    ));
    s_client(&nginx, &["-tls1_2"]);
    let loaded = (CLIENT, "certificate-callback", "client-cert-callback-error");
    check(&nginx, "ee key too small", loaded);
}

#[test]
fn a_weak_chain_of_an_upstream_is_no_fault_of_a_handshake_that_does_not_verify() {
    let folder = tempfile::tempdir().unwrap();
    let weak = openssl_req(folder.path(), "weak", &["-newkey", "rsa:1024"]);
    let upstream = listener(&weak, "ssl_ciphers DEFAULT:@SECLEVEL=0; return 200;");
    let nginx = proxy(upstream.port, "proxy_ssl_ciphers DEFAULT:@SECLEVEL=2;");
    let answer = ask(&nginx);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!nginx.error_log().contains("SSL_do_handshake"), "{}", nginx.error_log());
}

#[test]
fn plain_http_to_a_tls_port() {
    let refuses = says(b"\x15\x03\x03\x00\x02\x02\x0a");
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://127.0.0.1:{}; }} }}",
        refuses.port()
    ));
    ask(&nginx);
    check(&nginx, "no valid HTTP/1.0 header", (UP, "plain-to-tls", "upstream-scheme-mismatch"));
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
    check(&nginx, "prematurely closed", (UP, "plain-to-tls", "upstream-closed"));
    let report = log_json(&nginx.error_log(), &[]);
    assert_eq!(
        report["failures"],
        serde_json::json!([]),
        "an upstream without TLS is no failure of TLS"
    );
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
