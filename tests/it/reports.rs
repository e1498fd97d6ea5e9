//! The reports: one sample with hostile text, in every format.

use serde_json::Value;
use shakedown::report::formats::json;
use shakedown::report::{Format, Look};

use crate::registry::check_generated;
use crate::support::program::shakedown;
use crate::support::sample;
use crate::support::server::says;

fn valid(report: &Value) {
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn rendered(format: Format, width: usize) -> String {
    let look = Look { width, colour: false, show_chain: false };
    let mut out = Vec::new();
    sample::report().render(format, look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Without the version, which changes with a release.
fn without_version(report: &str) -> String {
    report.replace(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION")), "\"version\": \"\"")
}

#[test]
fn the_sample_looks_as_it_did() {
    check_generated("tests/snapshots/report-80.txt", &rendered(Format::Table, 80));
    check_generated("tests/snapshots/report-120.txt", &rendered(Format::Table, 120));
    let document = without_version(&rendered(Format::Json, 0));
    check_generated("tests/snapshots/report.json", &document);
    check_generated("tests/snapshots/report.ndjson", &rendered(Format::Ndjson, 0));
}

#[test]
fn the_sample_keeps_to_the_schema_and_gives_back_hostile_text_as_it_was() {
    let document: Value = serde_json::from_str(&rendered(Format::Json, 0)).unwrap();
    valid(&document);
    let subject = format!("CN={}", sample::HOSTILE);
    assert_eq!(document["targets"][1]["certificates"][0]["subject"], *subject);
    let lines = rendered(Format::Ndjson, 0);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(document["targets"], Value::Array(lines));
}

#[test]
fn every_field_of_the_contract_is_there() {
    let document: Value = serde_json::from_str(&rendered(Format::Json, 0)).unwrap();
    let target = &document["targets"][1];
    let check = |object: &Value, keys: &str| {
        for key in keys.split(' ') {
            assert!(object.get(key).is_some(), "{key} is missing from {object:#}");
        }
    };
    check(&document, "schema tool started_at finished_at summary targets");
    check(&document["summary"], "targets passed failed untested findings");
    check(&document["summary"]["findings"], "error warning note");
    check(
        target,
        "name host port server_name role status origin origins handshakes certificates nginx findings",
    );
    check(&target["origin"], "file line column");
    check(
        &target["handshakes"][0],
        "address sni version engine outcome stage cause alert cipher_suite group alpn chain \
         client_certificate connect_ms handshake_ms",
    );
    check(&target["handshakes"][0]["alert"], "number name");
    check(
        &target["certificates"][0],
        "sha256 subject issuer not_before not_after dns_names ip_addresses key_type key_bits \
         signature_algorithm is_ca",
    );
    check(
        &target["findings"][0],
        "rule severity message evidence section fix reproduce fingerprint",
    );
    check(&target["findings"][0]["fix"], "text directives verified");
    check(&target["findings"][0]["fix"]["directives"][0], "context name value file line");
}

#[test]
fn no_line_of_the_sample_is_too_wide_or_steers_a_terminal() {
    for width in [60, 80, 120] {
        let shown = rendered(Format::Table, width);
        for line in shown.lines() {
            let pasted = line.trim_start().starts_with("$ ") || line.ends_with(';');
            assert!(pasted || line.chars().count() <= width, "{width}: {line}");
        }
        let steers = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
        assert_eq!(shown.find(steers), None, "{shown:?}");
        assert!(!shown.contains("\n::error::"), "{shown}");
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let mut coloured = Vec::new();
    let look = Look { width: 120, colour: true, show_chain: false };
    sample::report().render(Format::Table, look, &mut coloured).unwrap();
    let coloured = String::from_utf8(coloured).unwrap();
    assert!(coloured.contains('\u{1b}'));
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    let lines = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&plain), lines(&rendered(Format::Table, 120)));
}

#[test]
fn the_json_report_keeps_to_its_schema() {
    let run = shakedown(&["demo", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    valid(&report);
    assert_eq!(report["schema"], "shakedown/report/v1");
    let summary = &report["summary"];
    let sum = ["passed", "failed", "untested"]
        .iter()
        .map(|key| summary[key].as_u64().unwrap())
        .sum::<u64>();
    assert_eq!(sum, summary["targets"].as_u64().unwrap());
}

#[test]
fn a_target_line_is_the_same_object_as_in_the_document() {
    let address = says(b"SSH-2.0-x\r\n").to_string();
    let args =
        |format| ["probe", &*address, "--trust", "mozilla", "--format", format].map(str::to_owned);
    let run =
        |format| shakedown(&args(format).iter().map(String::as_str).collect::<Vec<_>>()).stdout;
    let document: Value = serde_json::from_str(&run("json")).unwrap();
    let mut line: Value = serde_json::from_str(&run("ndjson")).unwrap();
    let mut target = document["targets"][0].clone();
    for object in [&mut line, &mut target] {
        for cell in object["handshakes"].as_array_mut().unwrap() {
            (cell["connect_ms"], cell["handshake_ms"]) = (Value::Null, Value::Null);
        }
    }
    assert_eq!(line, target);
}

#[test]
fn hostile_text_never_reaches_the_terminal_as_it_is() {
    let address = says(b"SSH-2.0-\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\r\n").to_string();
    let run = shakedown(&["probe", &address, "--trust", "mozilla"]);
    assert_eq!(run.status, 1, "{}", run.stdout);
    assert!(!run.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", run.stdout);
    assert!(run.stdout.contains("owned"));
}

#[test]
fn no_line_is_wider_than_the_report_but_commands() {
    let run = shakedown(&["demo"]);
    let wide: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.chars().count() > 100 && !line.trim_start().starts_with("$ "))
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
}
