//! The command line for its users: help, errors, inputs, exit statuses.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{interrupted, shakedown, shakedown_with};

/// Checks that a call has this exit status and this text on stderr.
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
    for words in ["Examples:", "Exit status:", "  0  everything was tested"] {
        assert!(run.stdout.contains(words), "{}", run.stdout);
    }
    for command in ["probe", "explain", "completions", "man"] {
        let help = shakedown(&[command, "--help"]).stdout;
        assert!(help.contains("Example"), "{command}: {help}");
    }
}

#[test]
fn examples_fit_a_terminal_and_every_option_is_described() {
    let commands = ["probe", "scan", "nginx", "cert", "diff", "serve", "merge", "log", "explain"];
    for command in commands {
        let help = shakedown(&[command, "--help"]).stdout;
        let examples = help.split("\nExample").nth(1).unwrap();
        let mut lines = examples.lines().skip(1).take_while(|line| !line.is_empty());
        assert!(lines.all(|line| line.starts_with("  ") && line.len() <= 80), "{examples}");
        let short = shakedown(&[command, "-h"]).stdout;
        let blank = |line: &str| !line.is_empty() && line.trim().is_empty();
        assert!(!short.lines().any(blank), "{command}: {short}");
    }
}

#[test]
fn what_is_typed_wrong_ends_with_2_before_anything_is_probed() {
    check_error(&["probe"], 2, "no target given");
    check_error(&["probe", "http://a.test"], 2, "expected https://HOST or HOST:PORT");
    check_error(&["probe", "a.test", "--fail-on", "everything"], 2, "invalid value");
    check_error(&["probe", "a.test", "--timeout", "soon"], 2, "invalid duration");
    check_error(&["probe", "a.test", "--ca-file", "/nonexistent.pem"], 2, "/nonexistent.pem");
    check_error(&["probe", "a.test", "--client-cert", "/nonexistent.pem"], 2, "/nonexistent.pem");
    check_error(&["probe", "a.test", "--server-name", "1.2.3.4"], 2, "is not a DNS name");
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
        "mistakes.toml:8:11: invalid duration \"soon\"",
        "mistakes.toml:11:11: invalid port \"0\"",
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
    for words in ["<stdin>:3: invalid host \"a b\"", "<stdin>:4: invalid port \"99999\""] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    let args = ["probe", "-", "--trust", "mozilla", "--format", "ndjson"];
    let run = shakedown_with(&args, "127.0.0.1:1\n127.0.0.2:1\n");
    assert_eq!((run.status, run.stdout.lines().count()), (3, 2), "{}{}", run.stdout, run.stderr);
}

#[test]
fn an_interrupted_run_reports_what_it_has() {
    let silent = crate::support::server::scripted(|mut stream| {
        let _ = Read::read_to_end(&mut stream, &mut Vec::new());
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
fn a_run_that_fails_leaves_the_old_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    fs::write(&path, "old").unwrap();
    let output = path.display().to_string();
    check_error(&["probe", "a b", "--output", &output], 2, "invalid host");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_report_is_written_through_a_link_and_readable_by_all() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("report"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let output = link.display().to_string();
    shakedown(&["probe", "127.0.0.1:1", "--trust", "mozilla", "--output", &output]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().contains("connection-refused"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    fs::remove_file(&file).unwrap();
    check_error(&["probe", "127.0.0.1:1", "--output", &output], 2, "cannot write");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_stream_that_nobody_reads_on_ends_the_run() {
    let silent = crate::support::server::scripted(|mut stream| {
        let _ = Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let silent = silent.to_string();
    let mut args = vec!["probe", "--trust", "mozilla", "--format", "ndjson", "--timeout", "1s"];
    args.push("127.0.0.1:1");
    args.extend([silent.as_str(); 30]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(args)
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert!(line.contains("connection-refused"), "{line}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn colour_is_a_matter_of_the_environment_unless_it_is_typed() {
    let coloured = |variables: &[(&str, &str)], when: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
        command.args(["probe", "127.0.0.1:1", "--trust", "mozilla", "--color", when]).env_clear();
        let output = command.envs(variables.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[], "auto"));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], "auto"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], "auto"));
    assert!(coloured(&[("NO_COLOR", "1")], "always"));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], "never"));
}

#[test]
fn each_target_and_its_connections_are_shown_on_stderr_when_asked_for() {
    let args = ["probe", "127.0.0.1:1", "--trust", "mozilla", "--format", "ndjson"];
    assert_eq!(shakedown(&args).stderr, "");
    let run = shakedown(&[&args[..], &["-v"]].concat());
    assert_eq!(
        run.stderr,
        "shakedown: untested 127.0.0.1:1 (2 connections): connection-refused\nshakedown: connections opened: 2\n"
    );
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn a_mistake_comes_with_the_next_step() {
    check_error(&["probe"], 2, "shakedown: error: no target given\nhelp: give HOST:PORT");
    check_error(
        &["explain", "no-such-thing-at-all"],
        2,
        "\nhelp: shakedown explain lists the rules",
    );
    check_error(&["explain", "sni-requird"], 2, "\nhelp: did you mean sni-required?\n");
}

#[test]
fn the_rules_are_listed_once_each_under_their_sections() {
    let list = shakedown(&["explain"]).stdout;
    let headings: Vec<&str> =
        list.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    let distinct: std::collections::BTreeSet<_> = headings.iter().collect();
    assert_eq!(headings.len(), distinct.len(), "{headings:?}");
    for rule in shakedown::audit::registry::RULES {
        let row = format!("  {} ", rule.id);
        let rows = list.lines().filter(|line| line.starts_with(&row)).count();
        assert_eq!(rows, 1, "{}", rule.id);
    }
}

#[test]
fn each_subcommand_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let run = shakedown(&["man", "--dir", &folder.path().display().to_string()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for page in ["shakedown.1", "shakedown-probe.1", "shakedown-explain.1"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
    let page = fs::read_to_string(folder.path().join("shakedown.1")).unwrap();
    let examples = page.split(".SH EXAMPLES\n.nf\n").nth(1).unwrap();
    let lines = examples.lines().take_while(|line| !line.starts_with('.'));
    assert!(lines.filter(|line| line.contains("shakedown ")).count() > 5, "{page}");
    for line in
        page.lines().filter(|line| line.starts_with("shakedown\\-") && line.ends_with("(1)"))
    {
        let name = line.trim_end_matches("(1)").replace('\\', "");
        assert!(folder.path().join(format!("{name}.1")).is_file(), "{line}");
    }
}

#[test]
fn a_target_that_is_a_file_gives_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("hosts.txt");
    fs::write(&list, "127.0.0.1:1\n").unwrap();
    let run = shakedown(&["probe", &list.display().to_string()]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("--config ") && run.stderr.contains("- < "), "{}", run.stderr);
}

#[test]
fn a_run_that_is_out_of_time_reports_what_it_has() {
    let silent = crate::support::server::scripted(|mut stream| {
        let _ = Read::read_to_end(&mut stream, &mut Vec::new());
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

#[test]
fn backends_with_one_name_are_distinguished() {
    let backends = ["a.test:443:127.0.0.1:1", "a.test:443:127.0.0.1:2"];
    for format in ["table", "prometheus"] {
        let args = ["probe", "--trust", "mozilla", "--format", format];
        let run = shakedown(&[&args[..], &backends].concat());
        for place in ["a.test:443 at 127.0.0.1:1", "a.test:443 at 127.0.0.1:2"] {
            assert!(run.stdout.contains(place), "{}", run.stdout);
        }
    }
}

#[test]
fn a_plugin_says_unknown_of_what_is_typed_wrong() {
    for args in [&["probe", "--format", "nagios", "--no-such"][..], &["probe", "--format=nagios"]] {
        let run = shakedown(args);
        assert_eq!(run.status, 3);
        assert!(run.stdout.starts_with("SHAKEDOWN UNKNOWN - "), "{}", run.stdout);
    }
}
