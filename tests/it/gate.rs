//! The gate: severities, allowances, the baseline, and what is shown if everything passes.

use std::fs;
use std::path::Path;

use serde_json::Value;
use time::Duration;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown};
use crate::support::server::{Nginx, says};

/// Runs `probe` on a peer without TLS, with these options.
fn probed(peer: &str, options: &[&str]) -> Run {
    shakedown(&[&["probe", peer, "--trust", "mozilla", "--format", "json"], options].concat())
}

fn peer() -> String {
    says(b"SSH-2.0-x\r\n").to_string()
}

fn gate(folder: &Path, target: &str, rule: &str, until: &str) -> String {
    let path = folder.join("gate.toml");
    let text = format!(
        "[[allow]]\nrule = '{rule}'\ntarget = '{target}'\nreason = 'it is replaced in spring'\nuntil = {until}\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_severity_that_is_typed_decides_what_fails() {
    let peer = peer();
    assert_eq!(probed(&peer, &[]).status, 1);
    assert_eq!(probed(&peer, &["--severity", "not-tls=warning"]).status, 0);
    let warning = ["--severity", "not-tls=warning", "--fail-on", "warning"];
    assert_eq!(probed(&peer, &warning).status, 1);
    let unknown = probed(&peer, &["--severity", "not-tsl=note"]);
    assert!(unknown.status == 2 && unknown.stderr.contains("did you mean not-tls?"));
}

#[test]
fn allowed_findings_are_reported_and_do_not_fail() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let file = gate(folder.path(), "127.0.0.1:*", "not-tls", "9999-12-31");
    let run = probed(&peer, &["--gate", &file]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let excuse = &report["targets"][0]["findings"][0]["excuse"];
    assert_eq!(excuse["reason"], "it is replaced in spring");
    assert_eq!(report["summary"]["excused"], 1);
}

#[test]
fn an_allowance_that_has_expired_fails_and_is_reported() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let file = gate(folder.path(), "*", "not-tls", "2020-01-01");
    let run = probed(&peer, &["--gate", &file]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("expired after 2020-01-01"), "{}", run.stderr);
    assert!(run.stdout.contains("allowed until 2020-01-01"));
}

#[test]
fn an_unused_allowance_is_reported() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    for (target, rule, words) in [
        ("*", "weak-key", "is no longer found at \"*\"; remove the entry"),
        ("b.example", "not-tls", "no target matches \"b.example\""),
    ] {
        let file = gate(folder.path(), target, rule, "9999-12-31");
        let run = probed(&peer, &["--gate", &file]);
        assert_eq!(run.status, 1);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn a_mistake_in_the_gate_file_is_found_before_anything_is_probed() {
    let folder = tempfile::tempdir().unwrap();
    let file = gate(folder.path(), "*", "not-tsl", "9999-12-31");
    let run = probed("127.0.0.1:1", &["--gate", &file]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("gate.toml:2: unknown rule \"not-tsl\"; did you mean not-tls?"));
}

#[test]
fn with_a_baseline_only_what_is_new_fails() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let path = folder.path().join("baseline.json").display().to_string();
    assert_eq!(probed(&peer, &["--write-baseline", &path]).status, 1);
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(probed(&peer, &["--baseline", &path]).status, 0);
    assert_eq!(probed(&self::peer(), &["--baseline", &path]).status, 1);
    assert_eq!(probed(&peer, &["--baseline", &path, "--write-baseline", &path]).status, 0);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn a_baseline_excuses_nothing_that_could_not_be_tested() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json").display().to_string();
    assert_eq!(probed("127.0.0.1:1", &["--write-baseline", &path]).status, 3);
    assert_eq!(probed("127.0.0.1:1", &["--baseline", &path]).status, 3);
}

#[test]
fn targets_that_passed_are_left_out_and_counted() {
    let run = shakedown(&["demo", "--only-failing", "--format", "json"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let (all, passed) = (&report["summary"]["targets"], &report["summary"]["passed"]);
    let shown = report["targets"].as_array().unwrap();
    assert!(shown.iter().all(|target| target["status"] != "pass"));
    assert_eq!(shown.len() as u64 + passed.as_u64().unwrap(), all.as_u64().unwrap());
}

#[test]
fn quiet_says_nothing_where_all_is_well_and_everything_where_it_is_not() {
    let peer = peer();
    let run = probed(&peer, &["--quiet", "--severity", "not-tls=note"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    let run = probed(&peer, &["--quiet"]);
    assert!(run.status == 1 && run.stdout.contains("not-tls"));
}

#[test]
fn a_comment_beside_a_directive_allows_what_is_found_there() {
    let pki = Pki::new();
    let files = pki.changed("a", &["a.test"], |params| {
        params.not_after = params.not_before + Duration::days(1);
    });
    let server = |port: &str, comment: &str| {
        format!(
            "server {{\n listen 127.0.0.1:{port} ssl; {comment}\n server_name a.test;\n ssl_certificate {};\n \
             ssl_certificate_key {};\n}}\n",
            files.certificate.display(),
            files.key.display()
        )
    };
    let nginx = Nginx::start(&server("PORT", ""));
    let audit = |comment: &str| {
        let text =
            format!("events {{}}\nhttp {{\n{}}}\n", server(&nginx.port.to_string(), comment));
        let path = pki.path("nginx.conf");
        fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        shakedown(&["nginx", &path, "--ca-file", &pki.ca_file(), "--format", "json"])
    };
    let plain = audit("");
    assert_eq!(plain.status, 1, "{}{}", plain.stdout, plain.stderr);
    let ignored = audit("# shakedown: ignore[certificate-expired] the lab is shut in spring");
    let said: Vec<&str> = ignored
        .stderr
        .lines()
        .filter(|line| !line.starts_with("shakedown: note: judged as "))
        .collect();
    assert_eq!((ignored.status, said), (0, Vec::new()), "{}", ignored.stdout);
    assert!(ignored.stdout.contains("\"kind\": \"ignored\""));
    let other = audit("# shakedown: ignore[weak-key] old");
    assert_eq!(other.status, 1);
    assert!(
        other.stderr.contains("nginx.conf:4: weak-key: no longer found here"),
        "{}",
        other.stderr
    );
    let wrong = audit("# shakedown: ignore[certificate-expird] x");
    assert_eq!(wrong.status, 1);
    assert!(wrong.stderr.contains("did you mean certificate-expired?"), "{}", wrong.stderr);
}

#[test]
fn every_audit_applies_the_gate() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let file = gate(folder.path(), "*", "not-tls", "9999-12-31");
    let scan = shakedown(&["scan", &peer, "--trust", "mozilla", "--gate", &file]);
    assert_eq!(scan.status, 0, "{}{}", scan.stdout, scan.stderr);
    assert!(scan.stdout.contains("it is replaced in spring"), "{}", scan.stdout);
    let demo = shakedown(&["demo", "--gate", &file]);
    assert!(demo.status == 0 && demo.stdout.contains("it is replaced in spring"));
    let file = gate(folder.path(), "*", "self-signed", "9999-12-31");
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["a.test".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let pem = folder.path().join("a.pem");
    fs::write(&pem, certificate.pem()).unwrap();
    let cert =
        shakedown(&["cert", &pem.display().to_string(), "--trust", "mozilla", "--gate", &file]);
    assert!(cert.stdout.contains("it is replaced in spring"), "{}{}", cert.stdout, cert.stderr);
}

#[test]
fn a_dead_host_that_is_allowed_fails_no_run_and_is_still_untested() {
    let folder = tempfile::tempdir().unwrap();
    let path = gate(folder.path(), "127.0.0.1:1", "connection-refused", "2999-01-01");
    let run = probed("127.0.0.1:1", &["--gate", &path]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.status, &report["targets"][0]["status"]), (0, &Value::from("untested")));
    let run = probed("127.0.0.1:1", &["--gate", &path, "--quiet"]);
    assert_eq!((run.status, &*run.stdout), (0, ""));
}

#[test]
fn a_quic_socket_without_an_answer_fails_the_run_until_the_operator_accepts_it() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let pair = format!(
        "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;",
        files.certificate.display(),
        files.key.display()
    );
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {pair} }}"
    ));
    let main = pki.path("nginx.conf");
    let port = nginx.port;
    let audit = |comment: &str| {
        let text = format!(
            "events {{}}\nhttp {{ server {{\nlisten 127.0.0.1:{port} ssl;\nlisten 127.0.0.1:{port} quic; {comment}\nserver_name a.test; {pair}\n}} }}\n"
        );
        fs::write(&main, text).unwrap();
        let main = main.display().to_string();
        let release = ["--nginx-version", "1.28.0", "--openssl-version", "3.5"];
        let args = ["nginx", "--format", "json", "--ca-file", &pki.ca_file(), &main];
        let run = shakedown(&[&args[..], &release].concat());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let targets = report["targets"].as_array().unwrap().iter();
        let mut findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
        let finding = findings.next().unwrap();
        assert_eq!(finding["rule"], "quic-unreachable", "{report:#}");
        (run.status, finding["excuse"]["kind"].clone())
    };
    assert_eq!(audit(""), (1, Value::Null));
    assert_eq!(
        audit("# shakedown: ignore[quic-unreachable] HTTP/3 is opened next week"),
        (0, "ignored".into())
    );
}
