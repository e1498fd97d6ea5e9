//! `shakedown nginx --rehearse --against`: what a change means for clients that still connect, in every report.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, text};
use crate::support::server::nginx_binary;

/// A configuration with these settings, and a certificate of this kind.
fn written(pki: &Pki, name: &str, certificate: &str, listens: &[&str], settings: &str) -> String {
    let files = pki.server(certificate, &["a.test"]);
    let server = |listen: &&str| {
        format!(
            "server {{ listen {listen} ssl; server_name a.test; ssl_certificate {}; ssl_certificate_key {}; {settings} }}\n",
            files.certificate.display(),
            files.key.display()
        )
    };
    let servers: String = listens.iter().map(server).collect();
    let main = pki.path(name);
    fs::write(&main, format!("events {{}}\nhttp {{ access_log off;\n{servers}}}\n")).unwrap();
    main.display().to_string()
}

fn rehearse(pki: &Pki, new: &str, more: &[&str]) -> Run {
    let (ca_file, binary) = (pki.ca_file(), nginx_binary().display().to_string());
    let fixed = ["nginx", new, "--rehearse", "--ca-file", &ca_file, "--nginx-binary", &binary];
    shakedown(&[&fixed[..], more].concat())
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
}

/// The target at this port.
fn target(report: &Value, port: u16) -> &Value {
    let all = report["targets"].as_array().unwrap();
    all.iter().find(|one| one["port"] == port).unwrap_or_else(|| panic!("{report:#}"))
}

const OLD: &str =
    "ssl_protocols TLSv1.2; ssl_ecdh_curve X25519:prime256v1; ssl_session_tickets off;";
const NEW: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384; ssl_ecdh_curve secp384r1; ssl_session_cache shared:a:1m;";

#[test]
fn what_is_negotiated_differently_is_what_diff_finds_between_two_reports() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "a", &["127.0.0.1:8443"], OLD);
    let new = written(&pki, "new.conf", "b", &["127.0.0.1:8443"], NEW);
    let (before, after) = (pki.path("old.json"), pki.path("new.json"));
    let (before, after) = (before.display().to_string(), after.display().to_string());
    let form = ["--clients", "all", "--format", "json", "--output"];
    rehearse(&pki, &old, &[&form[..], &[&before]].concat());
    rehearse(&pki, &new, &[&form[..], &[&after, "--against", &old]].concat());
    let differences = shakedown(&["diff", &before, &after, "--format", "json"]);
    let of_diff = json(&differences);
    let about_clients = |one: &&Value| {
        !["status", "finding-new", "finding-gone", "severity"].contains(&text(&one["change"]))
    };
    let expected: BTreeSet<String> = of_diff[0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(about_clients)
        .map(Value::to_string)
        .collect();
    let report: Value = serde_json::from_str(&fs::read_to_string(&after).unwrap()).unwrap();
    let changes = target(&report, 8443)["changes"].as_array().unwrap();
    let found: BTreeSet<String> = changes.iter().map(Value::to_string).collect();
    assert_eq!(found, expected);
    let kinds: BTreeSet<&str> = changes.iter().map(|one| text(&one["change"])).collect();
    for kind in [
        "client-lost",
        "client-gained",
        "client-negotiates",
        "protocol-gained",
        "resumption",
        "key",
    ] {
        assert!(kinds.contains(kind) || kind == "client-gained", "{kind}: {changes:#?}");
    }
    let reasons = changes.iter().filter(|one| one["change"] == "client-lost");
    assert!(reasons.clone().count() > 0);
    for lost in reasons {
        assert!(lost["reason"].is_string(), "{lost:#}");
    }
    // The saved report, and a replay, tell the same as the configuration.
    let saved = json(&rehearse(
        &pki,
        &new,
        &["--clients", "all", "--format", "json", "--against", &before],
    ));
    assert_eq!(&target(&saved, 8443)["changes"], &target(&report, 8443)["changes"]);
    let recorded = pki.path("observations").display().to_string();
    rehearse(
        &pki,
        &new,
        &["--clients", "all", "--against", &old, "--save-observations", &recorded],
    );
    let replayed = json(&shakedown(&["replay", &recorded, "--format", "json"]));
    assert_eq!(&target(&replayed, 8443)["changes"], &target(&report, 8443)["changes"]);
}

#[test]
fn every_report_with_targets_says_who_is_lost_and_gained_and_what_changes() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "a", &["127.0.0.1:8443"], "ssl_protocols TLSv1.2;");
    let new = written(&pki, "new.conf", "b", &["127.0.0.1:8443"], "ssl_protocols TLSv1.3;");
    let path = |name: &str| pki.path(name).display().to_string();
    let outputs = ["html", "markdown", "ndjson"].map(|name| format!("{name}={}", path(name)));
    let output = |at: usize| ["--output", &outputs[at]];
    let clients = ["--against", &old, "--clients", "chrome,openssl-1.0.2,java-8"];
    let run = rehearse(&pki, &new, &[&clients[..], &output(0), &output(1), &output(2)].concat());
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let (html, markdown, ndjson) = (read("html"), read("markdown"), read("ndjson"));
    for (name, report) in [("table", &run.stdout), ("html", &html), ("markdown", &markdown)] {
        let words = report.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "");
        for said in [
            "compared with",
            "lost: OpenSSL 1.0.2e: no common version",
            "lost: Java 8u161: no common version",
            "Chrome 156: TLSv1.3",
            "lost protocol: TLSv1.2",
            "new protocol: TLSv1.3",
        ] {
            assert!(words.contains(said), "{name}: {said}\n{words}");
        }
    }
    let line: Value = serde_json::from_str(ndjson.lines().last().unwrap()).unwrap();
    assert!(line["changes"].as_array().unwrap().len() > 3, "{line:#}");
    // The other way round, they are gained.
    let back =
        rehearse(&pki, &old, &["--against", &new, "--clients", "chrome,openssl-1.0.2,java-8"]);
    assert!(back.stdout.contains("gained: Java 8u161, OpenSSL 1.0.2e"), "{}", back.stdout);
    let same = rehearse(&pki, &old, &["--against", &old, "--clients", "chrome"]);
    assert!(!same.stdout.contains("compared with "), "{}", same.stdout);
}

#[test]
fn targets_that_only_one_of_the_two_has_are_named() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "a", &["127.0.0.1:8443", "127.0.0.1:8444"], "");
    let new = written(&pki, "new.conf", "a", &["127.0.0.1:8443", "127.0.0.1:8445"], "");
    let run = rehearse(&pki, &new, &["--against", &old, "--clients", "chrome", "--format", "json"]);
    let report = json(&run);
    let compared = &report["rehearsal"]["compared"];
    assert_eq!(compared["old"], *old, "{compared:#}");
    assert!(text(&compared["added"][0]).contains("8445"), "{compared:#}");
    assert!(text(&compared["gone"][0]).contains("8444"), "{compared:#}");
    assert_eq!(target(&report, 8443)["changes"], Value::Array(Vec::new()));
    assert_eq!(target(&report, 8445)["changes"], Value::Null);
    let table = rehearse(&pki, &new, &["--against", &old, "--clients", "chrome"]);
    assert!(table.stdout.contains("Only there: a.test:8444"), "{}", table.stdout);
}

#[test]
fn the_curve_of_a_certificate_does_not_hide_that_a_group_is_missing() {
    let pki = Pki::new();
    let settings = "ssl_protocols TLSv1.2; ssl_ecdh_curve";
    let old =
        written(&pki, "old.conf", "a", &["127.0.0.1:8443"], &format!("{settings} prime256v1;"));
    let new =
        written(&pki, "new.conf", "a", &["127.0.0.1:8443"], &format!("{settings} secp384r1;"));
    let run =
        rehearse(&pki, &new, &["--against", &old, "--clients", "android-7", "--format", "json"]);
    let report = json(&run);
    let changes = &target(&report, 8443)["changes"];
    let lost = changes.as_array().unwrap().iter().find(|one| one["change"] == "client-lost");
    let reason = text(&lost.unwrap_or_else(|| panic!("{changes:#}"))["reason"]);
    assert!(reason.contains("offers no group that the server accepts"), "{reason}");
}
