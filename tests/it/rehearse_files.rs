//! Certificates and keys in a rehearsal: what one of them lacks keeps no other server from being tested, and is reported once.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fetch::{access, library};
use crate::rehearse::{of_rule, pair, rehearse};
use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, text};

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
}

/// The rules of all findings, in the order of the report.
fn rules(report: &Value) -> Vec<&str> {
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|one| one["findings"].as_array().unwrap());
    findings.map(|one| text(&one["rule"])).collect()
}

/// Encrypts a key in its place.
fn encrypt(key: &Path) {
    let plain = key.with_extension("plain");
    fs::rename(key, &plain).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-aes128", "-passout", "pass:secret", "-in"]).arg(&plain);
    assert!(openssl.arg("-out").arg(key).status().unwrap().success());
}

#[test]
fn a_key_that_cannot_be_loaded_leaves_out_only_its_server() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.test"]), pki.server("b", &["b.test"]));
    encrypt(&b.key);
    let main = pki.path("nginx.conf");
    let servers = format!(
        "server {{ listen 8443 ssl; server_name a.test; {} }}\n server {{ listen 8443 ssl; server_name b.test; {} PASSWORDS }}",
        pair(&a),
        pair(&b)
    );
    let run = |passwords: &str| {
        let servers = servers.replace("PASSWORDS", passwords);
        fs::write(&main, format!("events {{}}\nhttp {{\n{servers}\n}}\n")).unwrap();
        rehearse(&main, &pki, &["--format", "json"])
    };
    let first = run("");
    let seen = report(&first);
    let summary = &seen["summary"];
    assert_eq!((&summary["passed"], &summary["untested"]), (&1.into(), &1.into()), "{seen:#}");
    let said = format!("the key in {} is encrypted", b.key.display());
    assert!(seen.to_string().contains(&said), "{seen:#}");
    // nginx does not start so without a terminal.
    assert_eq!((rules(&seen)[0], first.status), ("file-refused", 1), "{seen:#}");

    let passwords = pki.path("passwords");
    fs::write(&passwords, "secret\n").unwrap();
    let second = run(&format!("ssl_password_file {};", passwords.display()));
    let seen = report(&second);
    assert_eq!(seen["summary"]["passed"], 2, "{seen:#}");
}

#[test]
fn an_upstreams_key_that_cannot_be_loaded_leaves_out_only_that_setting() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.test"]), pki.server("b", &["b.test"]));
    encrypt(&b.key);
    let main = pki.path("nginx.conf");
    let (certificate, key) = (b.certificate.display(), b.key.display());
    let location = |path: &str, pass: &str, module: &str| {
        format!(
            "location {path} {{ {pass}://127.0.0.1:9; {module}_ssl_certificate {certificate};\n {module}_ssl_certificate_key {key}; }}\n"
        )
    };
    let locations = [
        location("/", "proxy_pass https", "proxy"),
        location("/g", "grpc_pass grpcs", "grpc"),
        location("/u", "uwsgi_pass suwsgi", "uwsgi"),
    ];
    let server = format!(
        "listen 8443 ssl; server_name a.test; ssl_protocols TLSv1.2 TLSv1.3; {}\n{}",
        pair(&a),
        locations.concat()
    );
    fs::write(&main, format!("events {{}}\nhttp {{ server {{ {server} }} }}\n")).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let seen = report(&run);
    assert_eq!(seen["summary"]["passed"], 1, "{seen:#}");
    assert_eq!(run.status, 1);
    let untested = "configuration-untested";
    assert_eq!(rules(&seen), ["file-refused", untested, untested], "{seen:#}");
    let said =
        format!("could not test grpc_ssl_certificate_key {key}: the key in {key} is encrypted");
    assert!(seen.to_string().contains(&said), "{seen:#}");
}

#[test]
fn a_key_of_another_type_is_the_cause_that_is_reported() {
    let (pki, other) = (Pki::rsa(), Pki::new());
    let (a, b) = (pki.server("a", &["a.test"]), other.server("b", &["a.test"]));
    let main = pki.path("nginx.conf");
    let server = format!(
        "listen 8443 ssl; server_name a.test; ssl_certificate {}; ssl_certificate_key {};",
        a.certificate.display(),
        b.key.display()
    );
    fs::write(&main, format!("events {{}}\nhttp {{ server {{ {server} }} }}\n")).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    assert_eq!(rules(&report(&run)), ["key-mismatch"], "{}", run.stdout);
    let main = main.display().to_string();
    let run = shakedown(&["nginx", &main, "--static", "--format", "json"]);
    assert_eq!(rules(&report(&run)), ["key-mismatch"], "{}", run.stdout);
    assert_eq!(run.status, 1);
}

#[test]
fn ciphers_that_fit_no_certificate_are_named_and_mended() {
    let pki = Pki::rsa();
    let a = pair(&pki.server("a", &["a.test"]));
    let main = pki.path("nginx.conf");
    for (protocols, rule) in
        [("TLSv1.2", "handshake-refused"), ("TLSv1.2 TLSv1.3", "tls12-unsupported")]
    {
        let server = format!(
            "listen 8443 ssl; server_name a.test; {a} ssl_protocols {protocols}; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"
        );
        fs::write(&main, format!("events {{}}\nhttp {{ server {{ {server} }} }}\n")).unwrap();
        let run = rehearse(&main, &pki, &["--format", "json"]);
        let seen = report(&run);
        assert_eq!(rules(&seen).first(), Some(&rule), "{seen:#}");
        assert_eq!(of_rule(&seen, rule), [Value::Bool(true)], "{seen:#}");
        let finding = &seen["targets"][0]["findings"][0];
        assert!(finding.to_string().contains("has no suite for a certificate with an RSA key"));
        assert_eq!(finding["fix"]["directives"][0]["name"], "ssl_ciphers", "{finding:#}");
    }
}

#[test]
fn fetched_issuers_are_tried_in_the_file() {
    let pki = Pki::new();
    let place = library(pki.intermediate.certificate.to_vec());
    let extension = access(&format!("http://{place}/issuer.der"));
    let issued = pki
        .intermediate
        .issue_with(&["a.test"], |params| params.custom_extensions = vec![extension])
        .unwrap();
    let alone = pair(&pki.write("alone", &issued, std::slice::from_ref(&issued.certificate)));
    let main = pki.path("nginx.conf");
    let server = format!("listen 8443 ssl; server_name a.test; {alone}");
    fs::write(&main, format!("events {{}}\nhttp {{ server {{ {server} }} }}\n")).unwrap();
    let folder = pki.path("fixed");
    let written = folder.display().to_string();
    let more = ["--format", "json", "--fetch-issuers=anywhere", "--write", &written];
    let run = rehearse(&main, &pki, &more);
    let seen = report(&run);
    assert_eq!(of_rule(&seen, "chain-incomplete"), [Value::Bool(true)], "{seen:#}");
    let copy = folder.join(main.display().to_string().trim_start_matches('/'));
    let run = rehearse(&copy, &pki, &["--format", "json"]);
    assert_eq!(report(&run)["summary"]["passed"], 1, "{}", run.stdout);
}

#[test]
fn a_fault_of_a_file_that_several_directives_name_is_reported_once() {
    let pki = Pki::new();
    let a = pki.server("a", &["a.test"]);
    let (main, none) = (pki.path("nginx.conf"), pki.path("none.pem").display().to_string());
    let junk = pki.path("junk.pem").display().to_string();
    fs::write(&junk, "junk\n").unwrap();
    let own = pair(&a);
    for faulty in [
        format!(
            "{own} ssl_client_certificate {none}; ssl_verify_client on; ssl_trusted_certificate {none};"
        ),
        format!("ssl_certificate {none}; ssl_certificate_key {none};"),
        format!("ssl_certificate {junk}; ssl_certificate_key {junk};"),
        format!("ssl_certificate {}; ssl_certificate_key {junk};", a.certificate.display()),
        format!("{own} ssl_dhparam {none};"),
        format!("{own} ssl_dhparam {junk};"),
        format!("{own} ssl_crl {junk};"),
        format!("{own} ssl_password_file {none};"),
        format!("{own} ssl_session_ticket_key {junk};"),
        format!("{own} ssl_session_ticket_key {none};"),
        format!("{own} ssl_stapling on; ssl_stapling_file {junk};"),
    ] {
        let server = format!("server {{\nlisten 8443 ssl;\n{}\n}}", faulty.replace("; ", ";\n"));
        fs::write(&main, format!("events {{}}\nhttp {{\n{server}\n{server}\n}}\n")).unwrap();
        let run = rehearse(&main, &pki, &["--format", "json"]);
        let seen = report(&run);
        let errors = seen["targets"].as_array().unwrap().iter();
        let errors = errors.flat_map(|one| one["findings"].as_array().unwrap());
        let errors: Vec<&Value> = errors.filter(|one| one["severity"] == "error").collect();
        assert_eq!(errors.len(), 1, "{faulty}\n{errors:#?}");
        assert_eq!(run.status, 1, "{faulty}");
    }
}
