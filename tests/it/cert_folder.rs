//! `cert` with a folder: what cannot be read there does not keep the rest from its audit, and is told.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::support::pki::{Pki, pem_of};
use crate::support::program::{Run, shakedown, shakedown_with, text};

/// A folder with a certificate in order, `www.pem`.
struct Folder {
    pki: Pki,
    path: String,
}

impl Folder {
    fn new() -> Self {
        let pki = Pki::rsa();
        let path = pki.path("certificates").display().to_string();
        fs::create_dir(&path).unwrap();
        let files = pki.server("www", &["www.test"]);
        fs::copy(&files.certificate, format!("{path}/www.pem")).unwrap();
        Self { pki, path }
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// A keystore that only its password opens.
    fn locked(&self, name: &str) -> String {
        let files = self.pki.server("shop", &["shop.test"]);
        let out = self.file(name);
        let made = Command::new("openssl")
            .args(["pkcs12", "-export", "-out", &out, "-passout", "pass:changeit", "-in"])
            .arg(&files.certificate)
            .arg("-inkey")
            .arg(&files.key)
            .status();
        assert!(made.unwrap().success());
        out
    }

    fn cert(&self, what: &str, more: &[&str]) -> Run {
        let ca = self.pki.ca_file();
        shakedown(&[&["cert", what, "--ca-file", &ca], more].concat())
    }

    fn targets(&self, more: &[&str], status: i32) -> Vec<Value> {
        let run = self.cert(&self.path, &[&["--format", "json"], more].concat());
        assert_eq!(run.status, status, "{}{}", run.stdout, run.stderr);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        report["targets"].as_array().unwrap().clone()
    }
}

#[test]
fn a_locked_keystore_does_not_keep_the_rest_of_the_folder_from_its_audit() {
    let folder = Folder::new();
    let locked = folder.locked("shop.p12");
    let targets = folder.targets(&[], 3);
    let statuses: Vec<_> =
        targets.iter().map(|one| (text(&one["name"]), text(&one["status"]))).collect();
    assert_eq!(statuses, [(&*folder.file("www.pem"), "pass"), (&*locked, "untested")]);
    let reason = text(&targets[1]["untested"][0]["reason"]);
    assert!(reason.contains("--password-file or --password-env"), "{reason}");

    let run = folder.cert(&folder.path, &[]);
    assert!(run.stdout.contains("could not test: the keystore is encrypted"), "{}", run.stdout);
    let count = "1 chain and 1 unreadable file: 1 passed, 0 failed, 1 could not be tested";
    assert!(run.stdout.contains(count), "{}", run.stdout);

    let password = folder.pki.path("password").display().to_string();
    fs::write(&password, "changeit").unwrap();
    assert_eq!(folder.targets(&["--password-file", &password], 0).len(), 2);
}

#[test]
fn a_damaged_file_of_a_folder_could_not_be_tested_and_a_finding_beside_it_counts_more() {
    let folder = Folder::new();
    fs::write(folder.file("cut.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let targets = folder.targets(&[], 3);
    assert!(text(&targets[1]["untested"][0]["reason"]).contains("line 1"), "{targets:#?}");
    let targets = folder.targets(&["--hostname", "other.test"], 1);
    assert_eq!(
        (&targets[0]["status"], &targets[1]["status"]),
        (&"fail".into(), &"untested".into())
    );
}

#[test]
fn what_can_be_read_of_a_file_and_what_cannot_are_two_targets() {
    let folder = Folder::new();
    let path = folder.file("www.pem");
    let both =
        fs::read_to_string(&path).unwrap() + &pem_of("CERTIFICATE", &[b"\x30\x01".as_slice()]);
    fs::write(&path, both).unwrap();
    let targets = folder.targets(&["--hostname", "www.test"], 3);
    let of = |at: usize| (text(&targets[at]["name"]), text(&targets[at]["status"]));
    assert_eq!((of(0), of(1)), ((&*path, "pass"), (&*path, "untested")));
    assert_ne!(targets[0]["id"], targets[1]["id"]);
}

#[test]
fn a_file_that_was_named_must_be_readable() {
    let folder = Folder::new();
    let locked = folder.locked("shop.p12");
    let run = folder.cert(&locked, &[]);
    assert!(run.status == 2 && run.stdout.is_empty(), "{}", run.stdout);
    assert!(run.stderr.contains("shop.p12: the keystore is encrypted"), "{}", run.stderr);
}

#[test]
fn certificates_come_from_standard_input_too() {
    let folder = Folder::new();
    let pem = fs::read_to_string(folder.file("www.pem")).unwrap();
    let ca = folder.pki.ca_file();
    let run = shakedown_with(&["cert", "-", "--ca-file", &ca, "--format", "json"], &pem);
    let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let target = &report["targets"][0];
    assert_eq!((run.status, &target["name"]), (0, &"<stdin>".into()), "{target:#}");
    assert!(target["origin"].is_null(), "{target:#}");
}

#[test]
fn the_gate_may_allow_what_cannot_be_read() {
    let folder = Folder::new();
    folder.locked("shop.p12");
    let gate = folder.pki.path("gate.toml").display().to_string();
    let text = "[[allow]]\nrule = \"not-tested\"\ntarget = \"*shop.p12\"\nreason = \"no password here\"\nuntil = 2999-01-01\n";
    fs::write(&gate, text).unwrap();
    let targets = folder.targets(&["--gate", &gate], 0);
    assert_eq!(targets[1]["status"], "untested");
}

#[test]
fn revocation_lists_are_counted_as_what_they_are() {
    let folder = Folder::new();
    let der = folder.pki.root.revocation_list(|list| {
        list.this_update = OffsetDateTime::now_utc() - Duration::days(1);
        list.next_update = list.this_update + Duration::days(30);
    });
    let list = folder.pki.path("list.crl").display().to_string();
    fs::write(&list, pem_of("X509 CRL", &[der.unwrap()])).unwrap();
    let run = folder.cert(&list, &[]);
    assert!(run.stdout.starts_with("1 revocation list file: 1 passed"), "{}", run.stdout);
    let run = folder.cert(&folder.file("www.pem"), &[&list]);
    assert!(run.stdout.contains("1 chain and 1 revocation list file: 2 passed"), "{}", run.stdout);
}

#[test]
fn an_annotation_of_a_secret_is_at_its_line_of_the_file() {
    let folder = Folder::new();
    let encoded = STANDARD.encode(fs::read(folder.file("www.pem")).unwrap());
    let yaml = folder.pki.path("secrets.yaml").display().to_string();
    let secret = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\ndata:\n  tls.crt: {encoded}\n"
        )
    };
    fs::write(&yaml, format!("{}---\n{}", secret("one"), secret("two"))).unwrap();
    let wrong = |format: &str| {
        let run = folder.cert(&yaml, &["--hostname", "other.test", "--format", format]);
        assert_eq!(run.status, 1, "{}", run.stderr);
        run.stdout
    };
    let github = wrong("github");
    for (line, name) in [(6, "one"), (13, "two")] {
        let place = format!("::error file={yaml},line={line},col=1,title=hostname-mismatch");
        let annotation = github.lines().find(|text| text.starts_with(&place)).expect(&github);
        assert!(
            annotation.contains(&format!("(Secret default/{name}, tls.crt): ")),
            "{annotation}"
        );
    }
    let sarif: Value = serde_json::from_str(&wrong("sarif")).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0];
    let place = &location["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], format!("file://{yaml}"), "{location:#}");
    assert_eq!(place["region"]["startLine"], 6);
    let object = text(&location["logicalLocations"][0]["fullyQualifiedName"]);
    assert_eq!(object, format!("{yaml} (Secret default/one, tls.crt)"));
}
