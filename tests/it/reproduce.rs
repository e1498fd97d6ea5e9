//! The commands that findings print show the fault at the faulty server, and none at a healthy one.

use std::process::Command;

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{audit, text};
use crate::support::server::Nginx;

fn pair(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

/// Whether a shell command ends well.
fn works(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).output().unwrap().status.success()
}

/// Holds that a rule finds the faulty server, and that what it prints fails there and works at the healthy one.
#[track_caller]
fn check(rule: &str, options: &[&str], faulty: &Nginx, healthy: &Nginx) {
    let place = |server: &Nginx| format!("127.0.0.1:{}", server.port);
    let (bad, good) = (place(faulty), place(healthy));
    let args =
        [&["--as-nginx", "--nginx-version", "1.22.1", "--trust", "mozilla"], options].concat();
    let audited = audit("probe", &[&args[..], &[&bad]].concat());
    let mut findings = audited.findings();
    let finding = findings.find(|finding| finding["rule"] == rule);
    let finding = finding.unwrap_or_else(|| panic!("{rule}: {:#}", audited.target));
    let commands = finding["reproduce"].as_array().unwrap();
    assert!(!commands.is_empty());
    for command in commands.iter().map(Value::as_str).map(Option::unwrap) {
        assert!(command.contains(&bad) && !works(command), "{rule}: {command}");
        let command = command.replace(&bad, &good);
        assert!(works(&command), "{rule}: {command}");
    }
    let healthy = audit("probe", &[&args[..], &[&good]].concat());
    assert!(healthy.findings().all(|finding| text(&finding["rule"]) != rule), "{rule}");
}

#[test]
fn what_is_printed_of_an_upstream_shows_its_fault_and_no_other() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let files = pki.server("api", &["api.test"]);
    let server = |more: &str| {
        let pair = pair(&files);
        Nginx::start(&format!("server {{ listen 127.0.0.1:PORT ssl; {pair} {more} }}"))
    };
    let healthy = server("");
    check("upstream-protocol-mismatch", &[], &server("ssl_protocols TLSv1.3;"), &healthy);
    check(
        "upstream-cipher-mismatch",
        &["--proxy-ssl-ciphers", "ECDHE+AES128"],
        &server("ssl_protocols TLSv1.2; ssl_ciphers ECDHE+CHACHA20;"),
        &healthy,
    );
    let ca_file = pki.ca_file();
    let verify = ["--proxy-ssl-verify", "on", "--proxy-ssl-trusted-certificate", &ca_file];
    let named = [&verify[..], &["--proxy-ssl-name", "www.test"]].concat();
    let www = pki.server("www", &["www.test"]);
    let www = Nginx::start(&format!("server {{ listen 127.0.0.1:PORT ssl; {} }}", pair(&www)));
    check("upstream-name-mismatch", &named, &healthy, &www);
    let strange = pair(&stranger.server("api", &["api.test"]));
    let strange = Nginx::start(&format!("server {{ listen 127.0.0.1:PORT ssl; {strange} }}"));
    let named = [&verify[..], &["--proxy-ssl-name", "api.test"]].concat();
    check("upstream-untrusted", &named, &strange, &healthy);
    let reject = pair(&files);
    let strict = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name api.test; {reject} }}"
    ));
    check("upstream-sni-missing", &["--proxy-pass", "api.test"], &strict, &healthy);
}
