//! Where the program runs: with few file descriptors, little memory, no folder, in other time zones and at other times.

use std::fs;
use std::process::{Command, Output};

use crate::every_ending::{Scene, for_each, subcommands};
use crate::support::pki::Pki;
use crate::support::program::shakedown;

/// Runs a subcommand in a shell behind these words.
fn behind(before: &str, args: &[String]) -> Output {
    let line = shlex::try_join(args.iter().map(String::as_str)).unwrap();
    let script = format!("{before}; exec {} {line}", env!("CARGO_BIN_EXE_shakedown"));
    Command::new("sh").args(["-c", &script]).env_clear().output().unwrap()
}

/// A report without what differs between runs.
fn steady(output: &Output) -> (Option<i32>, String) {
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let steady = report.lines().filter(|line| !line.contains("_at\"") && !line.contains("_ms\""));
    (output.status.code(), steady.collect::<Vec<_>>().join("\n"))
}

/// Checks that each subcommand says the same behind these words as elsewhere.
#[track_caller]
fn check_same(before: &str) {
    let scene = Scene::new();
    for_each(&subcommands(Some("format")), |subcommand| {
        // Its servers have other ports each time.
        if subcommand == "demo" {
            return;
        }
        let args =
            [scene.args(subcommand), vec!["--format".to_owned(), "json".to_owned()]].concat();
        let (usual, here) = (behind(":", &args), behind(before, &args));
        let said = String::from_utf8_lossy(&here.stderr).into_owned();
        assert_eq!(steady(&here), steady(&usual), "{subcommand} behind {before}: {said}");
    });
}

#[test]
fn neither_the_locale_nor_the_time_zone_matters() {
    check_same("export LC_ALL=tr_TR.UTF-8 LANG=C TZ=Asia/Kathmandu HOME=/nonexistent");
}

#[test]
fn no_folder_is_needed() {
    check_same("cd $(mktemp -d) && rmdir $PWD; export TMPDIR=/proc/none HOME=/proc");
}

#[test]
fn thirty_two_file_descriptors_are_enough() {
    check_same("ulimit -n 32");
}

#[test]
fn a_quarter_of_a_gigabyte_is_enough() {
    check_same("ulimit -v 262144");
}

#[test]
fn many_targets_share_few_file_descriptors() {
    let targets: Vec<String> = (1..=100).map(|last| format!("127.0.0.{last}:1")).collect();
    let args = ["probe", "--trust", "mozilla", "--format", "json"].map(str::to_owned);
    let output = behind("ulimit -n 32", &[&args[..], &targets].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for target in report["targets"].as_array().unwrap() {
        assert_eq!(target["findings"][0]["rule"], "connection-refused", "{target:#}");
    }
}

#[test]
fn certificates_are_judged_at_any_time() {
    let pki = Pki::new();
    let file = pki.server("a", &["a.test"]).certificate.display().to_string();
    let ca_file = pki.ca_file();
    for (at, rule) in [
        ("1950-01-01", "certificate-not-yet-valid"),
        ("1969-12-31T23:59:59Z", "certificate-not-yet-valid"),
        ("1970-01-01", "certificate-not-yet-valid"),
        ("2000-02-29", "certificate-not-yet-valid"),
        ("2038-01-19T03:14:08Z", "certificate-expired"),
        ("2048-02-29", "certificate-expired"),
        ("2050-01-01", "certificate-expired"),
        ("2100-02-28", "certificate-expired"),
        ("9999-12-31T23:59:59Z", "certificate-expired"),
    ] {
        let run =
            shakedown(&["cert", "--at", at, "--ca-file", &ca_file, "--format", "json", &file]);
        assert_eq!(run.status, 1, "{at}: {}", run.stderr);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["targets"][0]["findings"][0]["rule"], rule, "{at}: {report:#}");
    }
    assert_eq!(shakedown(&["cert", "--at", "2100-02-29", &file]).status, 2);
    fs::remove_file(file).unwrap();
}
