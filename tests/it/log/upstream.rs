//! Failures of nginx as a client, caused by its upstreams.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::ExtendedKeyUsagePurpose;
use shakedown::certificate::issue::Authority;

use super::wire::*;
use super::*;
use crate::support::pki::{Files, Pki, openssl_req};
use crate::support::program::text;
use crate::support::server::{Nginx, says, scripted};

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
fn an_upstream_that_requires_a_client_certificate() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let ca = pki.ca_file();
    let wants = ["-Verify", "2", "-CAfile", &ca, "-verify_return_error"];
    let old = s_server(&files, &[&wants[..], &["-tls1_2"]].concat());
    let nginx = proxy(old.port, "");
    ask(&nginx);
    let expected = (UP, "alert-handshake-failure", "upstream-mtls-required");
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
    check(&nginx, "peer closed connection", (UP, "handshake-closed", "upstream-protocol-version"));
    // If a connection is closed with unread data, the system resets it.
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
fn an_upstream_that_closes_behind_the_handshake() {
    let pki = Pki::new();
    let upstream = listener(&pki.server("a", &["a.test"]), "return 444;");
    let nginx = proxy(upstream.port, "");
    ask(&nginx);
    check(&nginx, "prematurely closed", (UP, "closed-after-handshake", "upstream-closed"));
    let report = log_json(&nginx.error_log(), &[]);
    assert_eq!(report["failures"][0]["class"], "closed-after-handshake", "{report:#}");
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
    // A CA that was recreated has its old name and another key.
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
