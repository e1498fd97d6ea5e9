//! `diff`: two runs with the same server, before and after a change.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use time::Duration;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown};
use crate::support::server::Nginx;

fn diff(old: &Path, new: &Path, options: &[&str]) -> Run {
    let (old, new) = (old.display().to_string(), new.display().to_string());
    shakedown(&[&["diff", &old, &new], options].concat())
}

/// Audits an nginx with these files and versions, and writes the report.
fn report(pki: &Pki, files: &Files, versions: &str, format: &str) -> PathBuf {
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols {versions}; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let path = pki.path(&format!("{}.{format}", nginx.port));
    let output = path.display().to_string();
    let run = shakedown(&[
        "probe",
        &target,
        "--ca-file",
        &pki.ca_file(),
        "--format",
        format,
        "--output",
        &output,
    ]);
    assert!(run.status < 2, "{}", run.stderr);
    path
}

const BOTH: &str = "TLSv1.2 TLSv1.3";

#[test]
fn nothing_is_printed_where_nothing_changed() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let (old, new) = (report(&pki, &files, BOTH, "json"), report(&pki, &files, BOTH, "ndjson"));
    for (old, new) in [(&old, &new), (&new, &old), (&old, &old)] {
        let run = diff(old, new, &[]);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    }
}

#[test]
fn what_got_worse_is_reported_and_fails() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let old = report(&pki, &files, BOTH, "json");
    let shorter = pki.changed("b", &["a.test"], |params| params.not_after -= Duration::days(5));
    let new = report(&pki, &shorter, "TLSv1.2", "json");
    let run = diff(&old, &new, &[]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    for words in ["worse: lost protocol: TLSv1.3", "worse: earlier expiry: ", "other key"] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert_eq!(diff(&old, &new, &["--fail-on", "never"]).status, 0);
    let json = diff(&old, &new, &["--format", "json"]);
    let changed: Value = serde_json::from_str(&json.stdout).unwrap();
    let kinds = changed[0]["changes"].as_array().unwrap().iter();
    assert!(kinds.filter(|change| change["change"] == "protocol-lost").count() == 1);
    let back = diff(&new, &old, &[]);
    assert_eq!(back.status, 0, "{}", back.stdout);
    assert!(back.stdout.contains("new protocol: TLSv1.3"), "{}", back.stdout);
}

#[test]
fn a_file_that_is_not_a_report_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    fs::write(&good, "").unwrap();
    fs::write(&bad, "{\"schema\": \"another/v1\"}\n").unwrap();
    let run = diff(&good, &folder.path().join("missing"), &[]);
    assert!(run.status == 2 && run.stderr.contains("cannot read"), "{}", run.stderr);
    fs::write(&bad, "[1,\n2]").unwrap();
    let run = diff(&good, &bad, &[]);
    assert!(run.status == 2 && run.stderr.contains("bad: not a report"), "{}", run.stderr);
}
