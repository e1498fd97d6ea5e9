//! The reports: one sample, with hostile text in it, in every form.

use serde_json::Value;
use shakedown::report::json;

use crate::support::program::shakedown;
use crate::support::server::says;

fn valid(report: &Value) {
    let schema: Value = serde_json::from_str(&json::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
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
