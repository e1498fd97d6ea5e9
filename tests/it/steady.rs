//! Equal scans of one server have equal and correct results: several real servers, with certificates of both types.

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{shakedown, text};
use crate::support::server::{Apache, Nginx, OpenSsl};

/// The number of scans of each server.
const TIMES: usize = 4;

fn pair(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

/// A report without measurements.
fn timeless(report: &mut Value) {
    match report {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("_ms") && !name.ends_with("ed_at"));
            fields.values_mut().for_each(timeless);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// Scans a server with all its clients; returns the target, which must be equal in every scan.
#[track_caller]
fn steady(port: u16, roots: &[&str]) -> Value {
    let target = format!("a.test:443:127.0.0.1:{port}");
    let mut args = vec!["scan", "--format", "json", "--clients", "modern", "--ca-file", roots[0]];
    args.extend(roots[1..].iter().flat_map(|root| ["--add-ca-file", root]));
    args.push(&target);
    let scan = || {
        let mut report: Value = serde_json::from_str(&shakedown(&args).stdout).unwrap();
        timeless(&mut report);
        report
    };
    let first = scan();
    for _ in 1..TIMES {
        assert_eq!(scan(), first);
    }
    first["targets"][0].clone()
}

/// Checks that only these rules have findings, that nothing is missing, and that every client connects.
#[track_caller]
fn check(target: &Value, expected: &[&str]) {
    let findings = target["findings"].as_array().unwrap().iter();
    let found: Vec<&str> = findings.map(|finding| text(&finding["rule"])).collect();
    assert_eq!(found, expected, "{target:#}");
    assert_eq!(target["scans"][0]["gaps"], Value::Array(Vec::new()));
    let clients = target["clients"].as_array().unwrap();
    assert!(clients.iter().all(|client| client["outcome"] == "established"), "{clients:#?}");
    // What the complete engine does not support, such as P-521, is only answered.
    let confirmed = |client: &&Value| client["confirmed"] == true;
    assert!(clients.iter().filter(confirmed).count() + 1 >= clients.len(), "{clients:#?}");
}

const STATIC_RSA: &str = "weak-cipher-accepted";
const CLASSIC: &str = "post-quantum-unsupported";

#[test]
fn nginx_is_listed_alike_each_time_and_no_client_is_refused() {
    let (rsa, ecdsa) = (Pki::rsa(), Pki::new());
    let [first, second] =
        [&rsa, &ecdsa].map(|pki| (pki.ca_file(), pair(&pki.server("a", &["a.test"]))));
    let both = [first.1.as_str(), &second.1].concat();
    let roots = [first.0.as_str(), &second.0];
    let modern = "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_ecdh_curve X25519:prime256v1; ssl_session_cache shared:s:1m;";
    for (certificates, versions, expected) in [
        (&both, "TLSv1.2", &["tls13-unsupported"][..]),
        (&second.1, "TLSv1.2", &["tls13-unsupported"]),
        (&both, "TLSv1.2 TLSv1.3", &[CLASSIC]),
    ] {
        let nginx = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl http2; ssl_protocols {versions}; {certificates} {modern} }}"
        ));
        check(&steady(nginx.port, &roots), expected);
    }
}

#[test]
fn other_servers_are_listed_alike_each_time() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let [certificate, key] =
        [&files.certificate, &files.key].map(|path| path.display().to_string());
    let issuers = files.issuers.as_ref().unwrap().display().to_string();
    let server = OpenSsl::start(&["-cert", &certificate, "-key", &key, "-cert_chain", &issuers]);
    check(&steady(server.port, &[&pki.ca_file()]), &[STATIC_RSA, CLASSIC]);
    let apache = Apache::start(&format!(
        "<VirtualHost ADDRESS>\nSSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n</VirtualHost>"
    ));
    check(&steady(apache.port, &[&pki.ca_file()]), &[STATIC_RSA, CLASSIC]);
}
