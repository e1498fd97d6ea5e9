//! `probe --as-nginx`: nginx's handshake without a configuration, with directives as options; and other features that a
//! configuration needs from a probe.

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, audit, probe, shakedown, text};
use crate::support::server::{Nginx, OpenSsl};

fn pair(files: &Files) -> String {
    format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        files.certificate.display(),
        files.key.display()
    )
}

fn as_nginx(pki: &Pki, port: u16, options: &[&str]) -> Audit {
    let (address, ca_file) = (format!("127.0.0.1:{port}"), pki.ca_file());
    let fixed = ["--as-nginx", "--openssl-version", "3.0", "--ca-file", &ca_file, &address];
    probe(&[&fixed, options].concat())
}

#[test]
fn the_directives_are_options() {
    let pki = Pki::rsa();
    let files = pair(&pki.server("a", &["a.test"]));
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {files} }}"
    ));
    let ca_file = pki.ca_file();
    let good = [
        "--proxy-ssl-server-name",
        "on",
        "--proxy-ssl-name",
        "a.test",
        "--proxy-ssl-protocols",
        "TLSv1.2 TLSv1.3",
        "--proxy-ssl-ciphers",
        "HIGH:!aNULL",
        "--proxy-ssl-verify",
        "on",
        "--proxy-ssl-verify-depth",
        "2",
        "--proxy-ssl-trusted-certificate",
        &ca_file,
    ];
    let audit = as_nginx(&pki, nginx.port, &good);
    assert_eq!(audit.target["nginx"]["as_configured"], "pass", "{:#}", audit.target);
    assert_eq!(audit.status, 0);
    let audit = as_nginx(&pki, nginx.port, &["--server-name", "a.test"]);
    assert_eq!(audit.target["nginx"]["as_configured"], "fail");
    let line = text(&audit.target["nginx"]["error_log_line"]);
    assert!(line.contains("SSL alert number 112"), "{line}");
}

#[test]
fn what_nginx_would_not_start_with_is_a_mistake() {
    let run = shakedown(&["probe", "--as-nginx", "--proxy-ssl-verify", "on", "127.0.0.1:1"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("without proxy_ssl_trusted_certificate"), "{}", run.stderr);
    let run = shakedown(&["probe", "--proxy-ssl-verify", "on", "127.0.0.1:1"]);
    assert_eq!(run.status, 2, "an option of nginx's without --as-nginx");
}

#[test]
fn an_upstream_of_tls13_alone_depends_on_the_release() {
    let pki = Pki::new();
    let files = pair(&pki.server("a", &["a.test"]));
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.3; {files} }}"
    ));
    let rules = |audit: &Audit| -> Vec<String> {
        let findings = audit.target["findings"].as_array().unwrap().iter();
        findings.map(|finding| text(&finding["rule"]).to_owned()).collect()
    };
    let unknown = as_nginx(&pki, nginx.port, &[]);
    assert!(
        rules(&unknown).contains(&"upstream-protocol-default".to_owned()),
        "{:?}",
        rules(&unknown)
    );
    let old = as_nginx(&pki, nginx.port, &["--nginx-version", "1.22.1"]);
    assert!(rules(&old).contains(&"upstream-protocol-mismatch".to_owned()), "{:?}", rules(&old));
    let new = as_nginx(&pki, nginx.port, &["--nginx-version", "1.28.0"]);
    assert_eq!(new.target["nginx"]["as_configured"], "pass");
}

#[test]
fn a_missing_client_certificate_is_reported_in_each_version_and_fixed_with_the_given_one() {
    let pki = Pki::rsa();
    let (server, client) = (pki.server("a", &["a.test"]), pki.client("c"));
    let path = |path: &std::path::Path| path.display().to_string();
    let (certificate, key) = (path(&client.certificate), path(&client.key));
    for (version, expected) in [
        (
            "-tls1_2",
            "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure",
        ),
        (
            "-tls1_3",
            "SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required",
        ),
    ] {
        let (cert_file, key_file, ca_file) =
            (path(&server.certificate), path(&server.key), pki.ca_file());
        let chain = path(server.issuers.as_deref().unwrap());
        let upstream = OpenSsl::start(&[
            version,
            "-cert",
            &cert_file,
            "-key",
            &key_file,
            "-cert_chain",
            &chain,
            "-Verify",
            "2",
            "-CAfile",
            &ca_file,
            "-chainCAfile",
            &ca_file,
            "-verify_return_error",
        ]);
        let options = ["--client-cert", &certificate, "--client-key", &key];
        let audit = as_nginx(&pki, upstream.port, &options);
        let line = text(&audit.target["nginx"]["error_log_line"]);
        assert!(line.starts_with(expected), "{version}: {line}\n{:#}", audit.target);
        let findings = audit.target["findings"].as_array().unwrap();
        let finding = findings.iter().find(|one| one["rule"] == "upstream-client-certificate");
        let finding = finding.unwrap_or_else(|| panic!("{version}: {findings:#?}"));
        assert_eq!(finding["fix"]["verified"], true, "{version}");
        assert_eq!(finding["fix"]["directives"][0]["name"], "proxy_ssl_certificate");
    }
}

#[test]
fn a_listener_with_the_proxy_protocol_receives_its_header() {
    let pki = Pki::new();
    let files = pair(&pki.server("a", &["a.test"]));
    let block = format!(
        "server {{ listen 127.0.0.1:PORT ssl proxy_protocol; server_name a.test; {files} }}"
    );
    let nginx = Nginx::start(&block);
    let main = pki.path("nginx.conf");
    let conf =
        format!("events {{}}\nhttp {{ {} }}\n", block.replace("PORT", &nginx.port.to_string()));
    std::fs::write(&main, conf).unwrap();
    let found = audit("nginx", &["--ca-file", &pki.ca_file(), main.to_str().unwrap()]);
    assert_eq!(found.target["status"], "pass", "{:#}", found.target);
    let address = format!("a.test:443:127.0.0.1:{}", nginx.port);
    assert_eq!(probe(&["--ca-file", &pki.ca_file(), &address]).status, 1);
    assert_eq!(probe(&["--proxy-protocol", "--ca-file", &pki.ca_file(), &address]).status, 0);
}
