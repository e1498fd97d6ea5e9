//! Certificate files before deployment: the findings of `cert`, and what nginx does with them.

use std::fs;

use crate::support::pki::{Files, Pki, pem};
use crate::support::program::{Run, shakedown, text};

fn cert(pki: &Pki, args: &[&str]) -> Run {
    let ca_file = pki.ca_file();
    let fixed = ["cert", "--ca-file", &ca_file, "--format", "json"];
    shakedown(&[&fixed, args].concat())
}

/// Checks the exit status and the findings for every chain in the files.
#[track_caller]
fn check(run: &Run, status: i32, expected: &[&str]) {
    let report: serde_json::Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
    let mut found: Vec<String> =
        findings.map(|f| format!("{} {}", text(&f["severity"]), text(&f["rule"]))).collect();
    found.sort();
    assert_eq!(
        (run.status, found),
        (status, expected.iter().map(ToString::to_string).collect()),
        "{report:#}"
    );
}

fn path(files: &Files) -> String {
    files.certificate.display().to_string()
}

#[test]
fn a_whole_chain_with_its_key_is_in_order() {
    for pki in [Pki::new(), Pki::rsa()] {
        let files = pki.server("a", &["a.test", "b.test"]);
        let key = files.key.display().to_string();
        let run = cert(
            &pki,
            &[&path(&files), "--key", &key, "--hostname", "a.test", "--hostname", "b.test"],
        );
        check(&run, 0, &[]);
    }
}

#[test]
fn another_key_or_name_is_found() {
    let pki = Pki::new();
    let (files, other) = (pki.server("a", &["a.test"]), pki.server("other", &["a.test"]));
    let key = other.key.display().to_string();
    check(&cert(&pki, &[&path(&files), "--key", &key]), 1, &["error key-mismatch"]);
    check(&cert(&pki, &[&path(&files), "--hostname", "b.test"]), 1, &["error hostname-mismatch"]);
}

#[test]
fn a_leaf_that_is_not_first_would_keep_nginx_from_starting() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let mut chain = issued.chain();
    chain.reverse();
    let files = pki.write("a", &issued, &chain);
    check(&cert(&pki, &[&path(&files)]), 1, &["error leaf-not-first"]);
    let configuration = format!(
        "error_log /dev/null; pid {0}/pid; events {{}} http {{ server {{ listen 127.0.0.1:1 ssl; ssl_certificate {1};
         ssl_certificate_key {2}; }} }}",
        pki.folder.path().display(),
        path(&files),
        files.key.display()
    );
    fs::write(pki.path("nginx.conf"), configuration).unwrap();
    let conf = pki.path("nginx.conf").display().to_string();
    let nginx = std::process::Command::new(crate::support::server::nginx_binary());
    let output = { nginx }.args(["-t", "-c", &conf]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("key values mismatch"), "{said}");
}

#[test]
fn every_leaf_of_a_folder_is_audited_as_of_any_day() {
    let pki = Pki::new();
    let folder = pki.path("certs");
    fs::create_dir(&folder).unwrap();
    for name in ["one", "two"] {
        let issued = pki.intermediate.issue(&["a.test"]).unwrap();
        fs::write(folder.join(format!("{name}.pem")), pem(&issued.chain())).unwrap();
    }
    fs::copy(pki.ca_file(), folder.join("authority.pem")).unwrap();
    let folder = folder.display().to_string();
    let run = cert(&pki, &[&folder]);
    check(&run, 0, &[]);
    assert!(
        run.stderr.contains("authority.pem, which contains only CA certificates"),
        "{}",
        run.stderr
    );
    let later = (pki.now + time::Duration::days(100)).date().to_string();
    check(
        &cert(&pki, &[&folder, "--at", &later]),
        1,
        &["error certificate-expired", "error certificate-expired"],
    );
}

#[test]
fn the_folder_that_certbot_writes_is_one_certificate() {
    let pki = Pki::new();
    let folder = pki.path("live");
    fs::create_dir(&folder).unwrap();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let chain = issued.chain();
    for (name, text) in [
        ("cert.pem", pem(&chain[..1])),
        ("chain.pem", pem(&chain[1..])),
        ("fullchain.pem", pem(&chain)),
        ("privkey.pem", issued.key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let pipe = folder.join("pipe.pem").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let run = cert(&pki, &[&folder.display().to_string()]);
    check(&run, 0, &[]);
    assert_eq!(run.stdout.matches("\"origin\"").count(), 1, "{}", run.stdout);
    let run = cert(&pki, &[&pipe]);
    assert!(run.status == 2 && run.stderr.contains("not a regular file"), "{}", run.stderr);
}

#[test]
fn an_issuer_that_is_not_marked_as_an_authority_is_not_a_second_server() {
    let pki = Pki::new();
    let authority = pki.root.intermediate_with("plain", |params| params.is_ca = rcgen::IsCa::NoCa);
    let issued = authority.unwrap().issue(&["a.test"]).unwrap();
    let files = pki.write("a", &issued, &issued.chain());
    // Browsers refuse it for what it is; no certificate is missing.
    check(&cert(&pki, &[&path(&files)]), 1, &["error certificate-refused"]);
}

#[test]
fn damage_is_named_with_file_and_line() {
    let pki = Pki::new();
    let bad = pki.path("bad.pem");
    fs::write(&bad, "# a comment\n-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let run = cert(&pki, &[&bad.display().to_string()]);
    assert_eq!(run.status, 2);
    assert!(
        run.stderr.contains("bad.pem: line 2: this block has no -----END line"),
        "{}",
        run.stderr
    );
    let run = cert(&pki, &["/nonexistent.pem"]);
    assert!(run.status == 2 && run.stderr.contains("/nonexistent.pem"), "{}", run.stderr);
    let files = pki.server("a", &["a.test"]);
    let run = cert(&pki, &[&path(&files), "--at", "tomorrow"]);
    assert!(run.status == 2 && run.stderr.contains("use 2026-12-31"), "{}", run.stderr);
}

#[test]
fn an_encrypted_key_asks_for_nothing_and_says_so() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let locked = pki.path("locked.key").display().to_string();
    let output = std::process::Command::new("openssl")
        .args(["pkey", "-aes256", "-passout", "pass:secret", "-out", &locked, "-in"])
        .arg(&files.key)
        .output()
        .unwrap();
    assert!(output.status.success());
    let run = cert(&pki, &[&path(&files), "--key", &locked]);
    assert!(run.status == 2 && run.stderr.contains("is encrypted"), "{}", run.stderr);
}
