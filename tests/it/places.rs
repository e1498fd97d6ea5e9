//! Where the program runs: with few file descriptors, little memory, no folder, in other time zones and at other times.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::every_ending::{Scene, for_each, subcommands};
use crate::support::pki::Pki;
use crate::support::program::shakedown;
use crate::support::server::Nginx;

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
fn too_few_file_descriptors_are_an_error_that_says_so() {
    let scene = Scene::new();
    for_each(&subcommands(None), |subcommand| {
        for most in [6, 7, 8, 9, 10, 11, 12] {
            let output = behind(&format!("ulimit -n {most}"), &scene.args(subcommand));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{subcommand} with {most}: {said}");
            assert!(said.contains("too few file descriptors"), "{subcommand} with {most}: {said}");
            assert!(said.contains("ulimit -n 1024") && !said.contains("panicked"), "{said}");
        }
    });
    let soft = behind("ulimit -Sn 7", &["explain".to_owned(), "40".to_owned()]);
    assert_eq!(soft.status.code(), Some(0), "the hard limit is enough");
}

/// The environment in which the clock says so.
pub(crate) fn clock(date: &str) -> [(&'static str, String); 3] {
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
        .map(|folder| format!("{folder}/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("libfaketime is needed: install the package faketime");
    let date = format!("@{date} 00:00:00");
    [("LD_PRELOAD", library), ("FAKETIME", date), ("DONT_FAKE_MONOTONIC", "1".to_owned())]
}

/// The same in a shell.
fn set_clock(date: &str) -> String {
    let words = clock(date).map(|(name, value)| format!("{name}='{value}'"));
    format!("export {}", words.join(" "))
}

#[test]
fn no_clock_makes_it_fail() {
    let scene = Scene::new();
    for date in ["1901-12-14", "1960-01-01", "1970-01-01", "2038-01-20", "2100-02-28"] {
        let mut all = subcommands(None);
        // It does not end; before 1970, where HTTP has no dates, it does not start.
        all.retain(|name| name != "serve" || date < "1970");
        for_each(&all, |subcommand| {
            let output = behind(&set_clock(date), &scene.args(subcommand));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("panicked"), "{subcommand} in {date}: {said}");
            let status = output.status.code();
            assert!(status.is_some_and(|status| status < 4), "{subcommand} in {date}: {said}");
            assert!(subcommand != "serve" || status == Some(2), "{date}: {said}");
            assert!(subcommand != "demo" || status == Some(0), "{date}: {said}");
        });
    }
}

#[test]
fn certificates_on_the_wire_are_judged_by_the_clock() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::with_tls(&files, "");
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let args = ["probe", &target, "--ca-file", &pki.ca_file(), "--format", "json"];
    for (date, rule) in [
        ("1901-12-14", "certificate-not-yet-valid"),
        ("1960-01-01", "certificate-not-yet-valid"),
        ("1970-01-01", "certificate-not-yet-valid"),
        ("2100-02-28", "certificate-expired"),
    ] {
        let output = behind(&set_clock(date), &args.map(str::to_owned));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rules = report["targets"][0]["findings"].as_array().unwrap().iter();
        let rules: Vec<&str> = rules.filter_map(|finding| finding["rule"].as_str()).collect();
        assert!(rules.contains(&rule), "{date}: {rules:?}");
        assert_eq!(output.status.code(), Some(1), "{date}");
        assert!(report["started_at"].as_str().unwrap().starts_with(date), "{date}");
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
