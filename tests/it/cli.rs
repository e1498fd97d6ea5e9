//! The command line as a user meets it: help, mistakes, inputs, exit statuses.

use std::fs;

use crate::support::program::{interrupted, shakedown, shakedown_with};

/// Holds that a call ends like this, with these words on stderr.
#[track_caller]
fn check_error(args: &[&str], status: i32, words: &str) {
    let run = shakedown(args);
    assert_eq!(run.status, status, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(words), "{}", run.stderr);
}

#[test]
fn help_has_examples_and_explains_the_exit_status() {
    let run = shakedown(&["--help"]);
    assert_eq!(run.status, 0);
    assert!(
        run.stdout.contains("Examples:") && run.stdout.contains("Exit status: 0"),
        "{}",
        run.stdout
    );
    for command in ["probe", "explain", "completions", "man"] {
        let help = shakedown(&[command, "--help"]).stdout;
        assert!(help.contains("Example"), "{command}: {help}");
    }
}

#[test]
fn what_is_typed_wrong_ends_with_2_before_anything_is_probed() {
    check_error(&["probe"], 2, "no target is given");
    check_error(&["probe", "http://a.test"], 2, "use https://HOST or HOST:PORT");
    check_error(&["probe", "a.test", "--fail-on", "everything"], 2, "invalid value");
    check_error(&["probe", "a.test", "--timeout", "soon"], 2, "is no duration");
    check_error(&["probe", "a.test", "--ca-file", "/nonexistent.pem"], 2, "/nonexistent.pem");
    check_error(&["probe", "a.test", "--client-cert", "/nonexistent.pem"], 2, "/nonexistent.pem");
    check_error(&["probe", "a.test", "--server-name", "1.2.3.4"], 2, "is no DNS name");
    check_error(&["probe", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml");
    check_error(&["probe", "a.test", "--output", "/nonexistent/report"], 2, "/nonexistent/report");
    check_error(&["explain", "sni-requird"], 2, "did you mean sni-required?");
}

#[test]
fn every_mistake_of_a_file_is_named_with_its_place() {
    let run = shakedown(&["probe", "--config", "testdata/targets/mistakes.toml"]);
    assert_eq!(run.status, 2);
    for words in [
        "mistakes.toml:2:1: the target has no `address`",
        "mistakes.toml:3:1: unknown key `addres`; did you mean `address`?",
        "mistakes.toml:7:8: unknown value \"up\"",
        "mistakes.toml:8:11: \"soon\" is no duration",
        "mistakes.toml:11:11: \"0\" is no port",
        "mistakes.toml:12:27: expected a number of days",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn a_list_on_stdin_is_read_whole_before_anything_is_probed() {
    let list = fs::read_to_string("testdata/targets/mistakes.txt").unwrap();
    let run = shakedown_with(&["probe", "-"], &list);
    assert_eq!(run.status, 2);
    for words in ["<stdin>:3: \"a b\" is no host name", "<stdin>:4: \"99999\" is no port"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    let args = ["probe", "-", "--trust", "mozilla", "--format", "ndjson"];
    let run = shakedown_with(&args, "127.0.0.1:1\n127.0.0.2:1\n");
    assert_eq!((run.status, run.stdout.lines().count()), (3, 2), "{}{}", run.stdout, run.stderr);
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    let silent = crate::support::server::scripted(|mut stream| {
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let target = silent.to_string();
    let args = ["probe", "127.0.0.1:1", &target, "--trust", "mozilla", "--format", "json"];
    let run = interrupted(&args);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.status, &report["interrupted"]), (3, &serde_json::Value::Bool(true)));
    assert_eq!(report["targets"][0]["findings"][0]["rule"], "connection-refused");
    assert_eq!(report["targets"][1]["status"], "untested");
}

#[test]
fn a_report_file_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let output = path.display().to_string();
    let args =
        ["probe", "127.0.0.1:1", "--trust", "mozilla", "--format", "json", "--output", &output];
    assert_eq!(shakedown(&args).status, 3);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(report["summary"]["untested"], 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_is_out_of_time_reports_what_it_has() {
    let silent = crate::support::server::scripted(|mut stream| {
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let target = silent.to_string();
    let run = shakedown(&[
        "probe",
        &target,
        "--trust",
        "mozilla",
        "--run-timeout",
        "300ms",
        "--format",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.status, &report["interrupted"]), (3, &serde_json::Value::Bool(true)));
    assert_eq!(report["targets"][0]["status"], "untested");
}

#[test]
fn rules_and_alerts_are_explained() {
    let run = shakedown(&["explain", "sni-required"]);
    assert!(run.status == 0 && run.stdout.contains("proxy_ssl_server_name"), "{}", run.stdout);
    assert!(shakedown(&["explain", "112"]).stdout.contains("unrecognized_name"));
    assert!(shakedown(&["explain", "unrecognized_name"]).stdout.contains("112"));
    assert!(shakedown(&["explain"]).stdout.lines().count() > 30);
    let json: serde_json::Value =
        serde_json::from_str(&shakedown(&["explain", "self-signed", "--format", "json"]).stdout)
            .unwrap();
    assert_eq!(json["severity"], "error");
}

#[test]
fn completions_and_manual_come_from_the_arguments() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(shakedown(&["completions", shell]).stdout.contains("shakedown"), "{shell}");
    }
    assert!(shakedown(&["man"]).stdout.contains(".TH shakedown"));
}

#[test]
fn the_demo_finds_what_was_put_there() {
    let run = shakedown(&["demo"]);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains('\u{1b}'), "colour in a pipe");
    assert!(shakedown(&["demo", "--color", "always"]).stdout.contains('\u{1b}'));
}
