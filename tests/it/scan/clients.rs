//! Known clients: they fare as the real ones, and what keeps one out is named.

use std::process::Command;

use shakedown::tls::suite::CipherSuite;

use super::{scan, serve};
use crate::support::pki::Pki;
use crate::support::program::{audit, text};
use crate::support::script;
use crate::support::server::Nginx;

/// What `openssl s_client` makes of a server: version and suite, or `None`.
fn s_client(port: u16) -> Option<(String, String)> {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{port}"),
            "-servername",
            "a.test",
            "-brief",
        ])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = |label: &str| {
        said.lines().find_map(|line| line.strip_prefix(label)).map(|text| text.trim().to_owned())
    };
    Some((after("Protocol version:")?, after("Ciphersuite:")?))
}

#[test]
fn a_replayed_client_fares_as_the_real_one() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    for directives in [
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_protocols TLSv1.2;",
        "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA;",
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256;",
        "ssl_protocols TLSv1.2; ssl_ciphers ARIA128-GCM-SHA256:ECDHE-ARIA128-GCM-SHA256;",
        "ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1;",
        "ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;",
    ] {
        let nginx = serve(&files, directives);
        let audit = scan(&pki, nginx.port, &["--clients", "openssl-3.0"]);
        let replay = &audit.target["clients"][0];
        let replayed = (replay["outcome"] == "established").then(|| {
            (text(&replay["version"]).to_owned(), openssl_name(text(&replay["cipher_suite"])))
        });
        assert_eq!(replayed, s_client(nginx.port), "{directives}: {replay:#}");
    }
}

fn openssl_name(suite: &str) -> String {
    let suite = CipherSuite::from_name(suite).unwrap();
    suite.openssl_name().unwrap().to_owned()
}

#[test]
fn a_client_that_must_connect_and_cannot_is_an_error_with_the_change_that_helps() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let modern = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-CHACHA20-POLY1305;";
    let nginx = serve(&files, modern);
    let config = pki.path("targets.toml");
    let expecting = |client: &str| {
        let (port, ca_file) = (nginx.port, pki.ca_file());
        let target = format!(
            "[[target]]\naddress = 'a.test:443:127.0.0.1:{port}'\nca_file = '{ca_file}'\nexpect.clients = ['{client}']\n"
        );
        std::fs::write(&config, target).unwrap();
        audit("probe", &["--config", config.to_str().unwrap()])
    };
    expecting("openssl-3.0").check(&[]).ends(0, "pass");
    let refused = expecting("android-4.4");
    let finding = refused.findings().find(|it| it["rule"] == "client-profile-fails").unwrap();
    let directive = &finding["fix"]["directives"][0];
    assert_eq!(directive["name"], "ssl_ciphers", "{finding:#}");
    let changed = serve(
        &files,
        &format!("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {};", text(&directive["value"])),
    );
    let again = scan(&pki, changed.port, &["--clients", "android-4.4"]);
    assert_eq!(
        again.target["clients"][0]["outcome"], "established",
        "{:#}",
        again.target["clients"]
    );
}

#[test]
fn a_client_without_a_common_application_protocol_is_told_so() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start_with(|port| {
        format!(
            "stream {{ server {{ listen 127.0.0.1:{port} ssl; ssl_alpn h2c; return x; ssl_protocols TLSv1.2 TLSv1.3;
             ssl_certificate {}; ssl_certificate_key {}; }} }}",
            files.certificate.display(),
            files.key.display()
        )
    });
    let audit = scan(&pki, nginx.port, &["--clients", "chrome"]);
    let client = &audit.target["clients"][0];
    assert_eq!(client["outcome"], "failed", "{client:#}");
    let missing = text(&client["missing"]);
    assert!(missing.contains("no common application protocol (ALPN)"), "{missing}");
}

#[test]
fn an_application_protocol_that_ends_the_connection_is_named_whatever_the_alert() {
    let pki = Pki::new();
    let nginx = serve(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;");
    let ca_file = pki.ca_file();
    for alert in [None, Some(40)] {
        let device = script::refuses_http(nginx.port, alert).port();
        let browser = scan(&pki, device, &["--clients", "chrome"]);
        let missing = text(&browser.target["clients"][0]["missing"]);
        assert!(missing.contains("no common application protocol (ALPN)"), "{missing}");
        let target = format!("a.test:443:127.0.0.1:{device}");
        let expected = audit("probe", &["--ca-file", &ca_file, "--alpn", "http/1.1", &target]);
        let findings: Vec<&str> = expected.findings().map(|one| text(&one["rule"])).collect();
        assert_eq!(findings, ["alpn-mismatch"], "{alert:?}: {:#}", expected.target);
    }
    // The same server without the device.
    let browser = scan(&pki, nginx.port, &["--clients", "chrome"]);
    assert!(browser.target["clients"][0]["missing"].is_null(), "{:#}", browser.target);
}
