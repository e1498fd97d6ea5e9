//! `--save-observations` and `replay`: recorded answers of real servers are judged again, with the same result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, text};
use crate::support::server::{Nginx, free_port};

/// The folder of the recorded observations.
fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/observations")
}

fn pair(files: &Files) -> String {
    format!(
        "ssl_certificate {}; ssl_certificate_key {};",
        files.certificate.display(),
        files.key.display()
    )
}

/// Servers of one kind, and the command that audits them.
struct Recorded {
    /// The file's name.
    name: &'static str,
    /// What it shows.
    shows: &'static str,
    /// The rules with findings, in the order of the report.
    finds: &'static [&'static str],
    /// The exit status.
    status: i32,
}

const LIBRARY: [Recorded; 6] = [
    Recorded {
        name: "sni-required",
        shows: "a listener that refuses clients without its name",
        finds: &["sni-required"],
        status: 0,
    },
    Recorded {
        name: "incomplete-chain",
        shows: "a listener that sends its certificate without the intermediate",
        finds: &["chain-incomplete"],
        status: 1,
    },
    Recorded {
        name: "upstream-fixed",
        shows: "an upstream that nginx does not send the name to, and the search for settings that work",
        finds: &["upstream-sni-missing"],
        status: 1,
    },
    Recorded {
        name: "client-certificate",
        shows: "a listener that requires a client certificate, met without one",
        finds: &["client-certificate-required"],
        status: 1,
    },
    Recorded {
        name: "scan",
        shows: "everything that a listener accepts, and how old clients fare with it",
        finds: &["policy-deviation", "policy-deviation", "policy-deviation"],
        status: 1,
    },
    Recorded {
        name: "refused",
        shows: "a port where nothing listens",
        finds: &["connection-refused"],
        status: 3,
    },
];

/// Runs the program in the folder of the certificates, so that no path of this machine is recorded.
fn run_in(pki: &Pki, args: &[String]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(args)
        .env_clear()
        .current_dir(pki.folder.path())
        .output()
        .unwrap();
    Run {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Audits servers of that kind, and saves their answers as `seen.jsonl` next to the certificates.
fn record(name: &str, pki: &Pki) -> Run {
    let files = pki.server("a", &["a.test"]);
    let pair = pair(&files);
    let lone = format!(
        "ssl_certificate {0}; ssl_certificate_key {1};",
        leaf(&files, pki),
        files.key.display()
    );
    let rejecting = "server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }";
    let named = format!("server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {pair} }}");
    let (servers, command): (String, &str) = match name {
        "sni-required" => (format!("{rejecting} {named}"), "probe a.test:443:127.0.0.1:PORT"),
        "incomplete-chain" => (
            format!("server {{ listen 127.0.0.1:PORT ssl; {lone} }}"),
            "probe a.test:443:127.0.0.1:PORT",
        ),
        "upstream-fixed" => (
            format!("{rejecting} {named}"),
            "probe a.test:443:127.0.0.1:PORT --as-nginx --nginx-version 1.22.1 --openssl-version 3.0",
        ),
        "client-certificate" => (
            format!(
                "server {{ listen 127.0.0.1:PORT ssl; {pair} ssl_verify_client on; ssl_client_certificate {}; }}",
                pki.ca_file()
            ),
            "probe a.test:443:127.0.0.1:PORT",
        ),
        "scan" => (
            format!("server {{ listen 127.0.0.1:PORT ssl; {pair} }}"),
            "scan a.test:443:127.0.0.1:PORT --clients openssl --policy mozilla-intermediate",
        ),
        _ => (String::new(), "probe a.test:443:127.0.0.1:PORT"),
    };
    let nginx = (!servers.is_empty()).then(|| Nginx::start(&servers));
    let port = nginx.as_ref().map_or_else(free_port, |nginx| nginx.port).to_string();
    let command = command.replace("PORT", &port);
    let options = "--ca-file ca.pem --save-observations seen.jsonl --format json";
    let words = command.split(' ').chain(options.split(' ')).map(str::to_owned);
    run_in(pki, &words.collect::<Vec<_>>())
}

/// Only the certificate, without its issuers.
fn leaf(files: &Files, pki: &Pki) -> String {
    let whole = fs::read_to_string(&files.certificate).unwrap();
    let end = "-----END CERTIFICATE-----";
    let path = pki.path("leaf.pem");
    fs::write(&path, format!("{}{end}\n", whole.split(end).next().unwrap())).unwrap();
    path.display().to_string()
}

fn found(run: &Run) -> Vec<String> {
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let findings = report["targets"][0]["findings"].as_array().unwrap().clone();
    let serious = findings.iter().filter(|finding| {
        text(&finding["severity"]) != "note" || text(&finding["rule"]).starts_with("sni")
    });
    serious.map(|finding| text(&finding["rule"]).to_owned()).collect()
}

#[test]
fn a_replay_is_the_run_that_was_recorded() {
    for Recorded { name, .. } in LIBRARY {
        let pki = Pki::new();
        let recorded = record(name, &pki);
        assert!(!recorded.stdout.is_empty(), "{name}: {}", recorded.stderr);
        // The servers have ended by now.
        let seen = pki.path("seen.jsonl");
        let replayed = shakedown(&["replay", &seen.display().to_string(), "--format", "json"]);
        assert_eq!(replayed.status, recorded.status, "{name}: {}", replayed.stderr);
        assert_eq!(replayed.stdout, recorded.stdout, "{name}");
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(library()).unwrap();
            fs::copy(seen, library().join(format!("{name}.jsonl"))).unwrap();
        }
    }
}

#[test]
fn recorded_observations_are_judged_as_they_were() {
    let mut page = String::from(
        "# Recorded observations\n\nWhat real servers answered, as `--save-observations` wrote it. `UPDATE=1 cargo test --test it replay::`\nrecords them anew; `shakedown replay FILE` judges one. They are judged at the time when they were recorded.\n\n",
    );
    for Recorded { name, shows, finds, status } in LIBRARY {
        let file = library().join(format!("{name}.jsonl")).display().to_string();
        let replayed = shakedown(&["replay", &file, "--format", "json"]);
        assert_eq!(found(&replayed), finds, "{name}: {}", replayed.stdout);
        assert_eq!(replayed.status, status, "{name}");
        page.push_str("- `");
        page.push_str(name);
        page.push_str(".jsonl`: ");
        page.push_str(shows);
        page.push('\n');
    }
    let readme = library().join("README.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&readme, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(readme).unwrap(), page);
}

#[test]
fn a_fix_that_worked_is_verified_again() {
    let file = library().join("upstream-fixed.jsonl").display().to_string();
    let run = shakedown(&["replay", &file, "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["targets"][0]["findings"][0]["fix"]["verified"], true, "{report:#}");
}

#[test]
fn another_day_may_be_asked_for() {
    let file = library().join("sni-required.jsonl").display().to_string();
    let run = shakedown(&["replay", &file, "--at", "2099-01-01", "--format", "json"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(found(&run).contains(&"certificate-expired".to_owned()), "{}", run.stdout);
}

#[test]
fn every_format_and_the_gate_work_without_servers() {
    let file = library().join("refused.jsonl").display().to_string();
    for format in ["table", "ndjson", "junit", "markdown", "csv", "prometheus", "html"] {
        assert_eq!(shakedown(&["replay", &file, "--format", format]).status, 3, "{format}");
    }
    let strict = shakedown(&["replay", &file, "--severity", "connection-refused=error"]);
    assert_eq!(strict.status, 1, "{}", strict.stderr);
}

#[test]
fn a_damaged_file_is_refused_with_its_line() {
    let whole = fs::read_to_string(library().join("upstream-fixed.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.jsonl");
    let check = |text: &str, expected: &str| {
        fs::write(&path, text).unwrap();
        let run = shakedown(&["replay", &path.display().to_string()]);
        assert_eq!(run.status, 2, "{expected}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    };
    check("", "not a file of saved observations");
    check("{}\n", "not a file of saved observations");
    check(&whole.replacen("observations/v1", "observations/v9", 1), "unknown schema");
    check(&lines[..lines.len() - 1].join("\n"), "ends too early");
    check(&format!("{whole}{}\n", lines[1]), "nothing may follow the end");
    check(&whole.replacen(lines[1], "", 1), "line 2: ");
    check(&whole.replacen(&format!("{}\n", lines[1]), "", 1), "0 targets in the file: expected 1");
    check(&whole.replacen("{\"$text\":0}", "{\"$text\":99999}", 2), "text 99999 is missing");
    check(&whole.replacen("\"fetch_issuers\":", "\"other\":", 1), "line 1: ");
}

#[test]
fn no_byte_that_is_changed_makes_the_program_panic() {
    let whole = fs::read(library().join("sni-required.jsonl")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.jsonl");
    for step in 0..40 {
        let mut damaged = whole.clone();
        let place = step * 7919 % damaged.len();
        damaged[place] = b"0\"]}{"[step % 5];
        fs::write(&path, &damaged).unwrap();
        let run = shakedown(&["replay", &path.display().to_string(), "--format", "json"]);
        assert!((0..=3).contains(&run.status), "byte {place}: {}", run.stderr);
    }
}
