//! Every format of the report is checked by a validator or reader of that format.

use std::io::Write;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde_json::Value;
use shakedown::report::{Format, Look, Report};

use crate::support::pki::Pki;
use crate::support::program::{shakedown, text};
use crate::support::sample::{self, HOSTILE};
use crate::support::server::{Nginx, says};

const SARIF_SCHEMA: &str = include_str!("../../testdata/sarif/sarif-2.1.0.schema.json");

fn sampled() -> Report {
    let mut report = sample::report();
    report.options.anchor = Some("nginx.conf".to_owned());
    report
}

fn rendered(report: &Report, format: Format) -> String {
    let look = Look { width: 100, colour: false, show_chain: false };
    let mut out = Vec::new();
    report.render(format, look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Checks that no format contains control or invisible characters.
#[track_caller]
fn check_harmless(text: &str) {
    let steers =
        |c: char| (c.is_control() && !"\n\r".contains(c)) || "\u{202e}\u{200b}".contains(c);
    assert_eq!(text.find(steers), None, "{text}");
}

#[test]
fn no_form_for_people_or_machines_passes_hostile_text_on() {
    let report = sampled();
    for &format in Format::value_variants() {
        // These have their own tests; JSON keeps a text unchanged.
        if matches!(format, Format::Table | Format::Json | Format::Ndjson | Format::Prometheus) {
            continue;
        }
        let text = rendered(&report, format);
        check_harmless(&text);
        let lines = text.lines().filter(|line| line.starts_with("::error::"));
        assert_eq!(lines.count(), 0, "{format:?}");
    }
}

/// The overview table above the details on a terminal of this width.
fn overview(report: &Report, width: usize) -> String {
    let mut out = Vec::new();
    let look = Look { width, colour: false, show_chain: false };
    report.render(Format::Table, look, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.split("\n\n").next().unwrap().to_owned()
}

#[test]
fn the_worst_finding_is_shown_at_every_width() {
    let report = sampled();
    let worst: Vec<&str> = report
        .targets
        .iter()
        .filter_map(|target| Some(target.judgement.findings.first()?.rule))
        .collect();
    assert!(!worst.is_empty());
    for width in [60, 80, 120, 160] {
        let table = overview(&report, width);
        for rule in &worst {
            assert!(table.lines().any(|line| line.contains(rule)), "{width}:\n{table}");
        }
        assert!(table.lines().all(|line| line.chars().count() <= width), "{width}:\n{table}");
    }
}

#[test]
fn a_narrow_terminal_breaks_no_name_within_a_word() {
    let mut report = sampled();
    report.targets.truncate(1);
    let target = std::sync::Arc::make_mut(&mut report.targets[0].target);
    target.name = "/etc/nginx/conf.d/customers-of-the-north.conf:12 https://backend".to_owned();
    for width in [60, 80, 120, 160] {
        let table = overview(&report, width);
        for word in ["nginx/", "customers-", "north.", "https:", "backend"] {
            assert!(table.contains(word), "{width} breaks {word}:\n{table}");
        }
    }
}

#[track_caller]
fn check_sarif(log: &Value) {
    let mut schema: Value = serde_json::from_str(SARIF_SCHEMA).unwrap();
    // This pattern of the schema is not a valid expression, and we set no language.
    for holder in ["run", "toolComponent"] {
        schema["definitions"][holder]["properties"]["language"] = Value::Bool(true);
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(log).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn sarif_keeps_to_the_schema() {
    let report = sampled();
    let log: Value = serde_json::from_str(&rendered(&report, Format::Sarif)).unwrap();
    check_sarif(&log);
    let results = log["runs"][0]["results"].as_array().unwrap();
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string(), "{result:#}");
        assert!(result["partialFingerprints"]["shakedown/v1"].is_string());
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "file:///etc/nginx/nginx.conf");
    assert_eq!(place["region"]["startLine"], 42);
    let place = &results[1]["locations"][0]["physicalLocation"];
    assert_eq!(
        (text(&place["artifactLocation"]["uri"]), &place["region"]["startLine"]),
        ("targets.toml", &7.into())
    );
    let place = &results.last().unwrap()["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "nginx.conf");
}

#[test]
fn another_day_changes_no_fingerprint() {
    let (report, mut later) = (sampled(), sampled());
    later.finished_at += time::Duration::days(20);
    let prints = |report: &Report| {
        let log: Value = serde_json::from_str(&rendered(report, Format::Sarif)).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|it| it["partialFingerprints"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(prints(&report), prints(&later));
}

#[test]
fn junit_is_well_formed_and_counts_what_it_holds() {
    let xml = rendered(&sampled(), Format::Junit);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let suites: Vec<_> = root.children().filter(|node| node.has_tag_name("testsuite")).collect();
    assert_eq!(suites.len(), 4);
    for suite in suites.iter().chain([&root]) {
        let counted = |name| suite.descendants().filter(|node| node.has_tag_name(name)).count();
        for (attribute, name) in
            [("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")]
        {
            assert_eq!(suite.attribute(attribute).unwrap(), counted(name).to_string(), "{name}");
        }
        assert!(suite.has_attribute("name") && suite.has_attribute("time"));
    }
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        assert!(case.has_attribute("name") && case.has_attribute("classname"));
    }
}

#[test]
fn a_workflow_command_is_on_one_line_and_the_worst_come_first() {
    let shown = rendered(&sampled(), Format::Github);
    let lines: Vec<&str> = shown.lines().collect();
    let (last, commands) = lines.split_last().unwrap();
    assert!(last.starts_with("4 targets"), "{last}");
    assert!(commands[0].starts_with("::error file=/etc/nginx/nginx.conf,line=42,col=1,title="));
    for command in commands {
        let head = command.split("::").nth(1).unwrap();
        let word = head.split(' ').next().unwrap();
        assert!(["error", "warning", "notice"].contains(&word), "{command}");
    }
}

#[test]
fn gitlab_has_the_keys_that_it_reads() {
    let issues: Value = serde_json::from_str(&rendered(&sampled(), Format::Gitlab)).unwrap();
    let issues = issues.as_array().unwrap();
    assert_eq!(issues.len(), 6);
    let mut prints = std::collections::BTreeSet::new();
    for issue in issues {
        let severities = ["info", "minor", "major", "critical", "blocker"];
        assert!(severities.contains(&text(&issue["severity"])), "{issue:#}");
        assert!(
            issue["location"]["lines"]["begin"].is_u64()
                && !text(&issue["location"]["path"]).is_empty()
        );
        assert!(!text(&issue["description"]).is_empty() && !text(&issue["check_name"]).is_empty());
        assert!(prints.insert(text(&issue["fingerprint"])), "two issues have one fingerprint");
    }
}

#[test]
fn markdown_is_a_table_and_no_markup_of_a_peer() {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let shown = rendered(&sampled(), Format::Markdown);
    let events: Vec<Event<'_>> = Parser::new_ext(&shown, Options::ENABLE_TABLES).collect();
    let tables = events.iter().filter(|event| matches!(event, Event::Start(Tag::Table(_))));
    assert_eq!(tables.count(), 1);
    let rows = events.iter().filter(|event| matches!(event, Event::Start(Tag::TableRow)));
    assert_eq!(rows.count(), 4);
    for event in &events {
        let markup = matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }));
        assert!(!markup, "{event:?}");
        if let Event::Html(html) | Event::InlineHtml(html) = event {
            assert_eq!(html.as_ref(), "<!-- -->");
        }
    }
}

#[test]
fn csv_has_as_many_cells_in_every_row() {
    let shown = rendered(&sampled(), Format::Csv);
    let mut reader = csv::Reader::from_reader(shown.as_bytes());
    let headings = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((headings.len(), rows.len()), (16, 7));
    assert_eq!(&headings[15], "evidence");
    assert_eq!(&rows[0][5], "pass");
    assert_eq!((&rows[1][6], &rows[1][7]), ("error", "sni-required"));
}

#[test]
fn promtool_accepts_the_metrics() {
    let mut report = sampled();
    for blackbox in [false, true] {
        report.options.blackbox = blackbox;
        let metrics = rendered(&report, Format::Prometheus);
        promtool(&metrics);
        assert!(metrics.ends_with('\n'));
        assert_eq!(metrics.contains("probe_ssl_earliest_cert_expiry"), blackbox);
        assert!(metrics.contains("shakedown_certificate_not_after_timestamp_seconds"));
    }
    let demo = shakedown(&["demo", "--format", "prometheus", "--metrics-compat", "blackbox"]);
    promtool(&demo.stdout);
}

/// Checks that `promtool check metrics` reports only one problem: a peer's text may have any length.
#[track_caller]
pub(crate) fn promtool(metrics: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed: install the package prometheus");
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{metrics}");
}

/// Checks the first word and the exit status of a plugin.
#[track_caller]
fn check_plugin(args: &[&str], status: i32, word: &str) {
    let run = shakedown(&[args, &["--format", "nagios"]].concat());
    assert_eq!(run.status, status, "{}{}", run.stdout, run.stderr);
    let line = run.stdout.lines().next().unwrap();
    assert!(line.starts_with(&format!("SHAKEDOWN {word} - ")), "{line}");
    assert!(status == 3 && !line.contains('|') || line.matches('|').count() == 1, "{line}");
}

#[test]
fn a_plugin_exits_with_the_state_that_it_prints() {
    let peer = says(b"SSH-2.0-x\r\n").to_string();
    let probe = ["probe", &peer, "--trust", "mozilla"];
    check_plugin(&probe, 2, "CRITICAL");
    check_plugin(&[&probe[..], &["--severity", "not-tls=warning"]].concat(), 1, "WARNING");
    check_plugin(&[&probe[..], &["--severity", "not-tls=note"]].concat(), 0, "OK");
    check_plugin(
        &["probe", "127.0.0.1:1", "--trust", "mozilla", "--severity", "connection-refused=note"],
        3,
        "UNKNOWN",
    );
    check_plugin(&["probe", "a b"], 3, "UNKNOWN");
    check_plugin(&["probe", "127.0.0.1:1", "--trust", "mozilla"], 2, "CRITICAL");
}

#[test]
fn performance_data_are_labels_with_values() {
    let shown = rendered(&sampled(), Format::Nagios);
    let (_, data) = shown.lines().next().unwrap().split_once(" | ").unwrap();
    for datum in data.split(' ') {
        let (label, values) = datum.split_once('=').unwrap();
        assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{datum}");
        let values: Vec<&str> = values.split(';').collect();
        assert!(values.len() <= 5 && values[0].parse::<i64>().is_ok(), "{datum}");
    }
    assert!(shown.lines().skip(1).all(|line| !line.contains('|')), "{shown}");
}

#[test]
fn html_is_one_file_that_asks_for_nothing() {
    use html5gum::{Token, Tokenizer};
    let page = rendered(&sampled(), Format::Html);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Content-Security-Policy"));
    for token in Tokenizer::new(page.as_str()) {
        match token.unwrap() {
            Token::StartTag(tag) => {
                for (name, value) in &tag.attributes {
                    let (name, value) = (utf8(name), utf8(&value.value));
                    assert!(!name.starts_with("on") && name != "src", "{name}={value}");
                    assert!(name != "href" || value.starts_with('#'), "{value}");
                    assert!(name != "style", "a style that the policy refuses");
                }
            }
            Token::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
    assert_eq!(page.matches("<script").count(), 1);
    for words in ["sni-required", "alert 112", "Fix (tried, it works)", "proxy_ssl_server_name on;"]
    {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn html_shows_markup_of_a_peer_as_text() {
    let mut report = sampled();
    let finding = &mut report.targets[1].judgement.findings[0];
    finding.message = format!("</script><script>alert(1)</script><img src=x onerror=1>{HOSTILE}");
    let page = rendered(&report, Format::Html);
    assert!(!page.contains("<img") && page.matches("<script").count() == 1);
    assert!(page.contains("&lt;script&gt;"));
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn one_run_writes_several_forms() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let output = |form: &str, name: &str| format!("{form}={}", path(name).display());
    let peer = says(b"SSH-2.0-x\r\n").to_string();
    let (sarif, junit, page) = (output("sarif", "a"), output("junit", "b"), output("html", "c"));
    let run = shakedown(&[
        "probe",
        &peer,
        "--trust",
        "mozilla",
        "--format",
        "json",
        "--sarif-anchor",
        "nginx.conf",
        "--output",
        &sarif,
        "--output",
        &junit,
        "--output",
        &page,
    ]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["targets"][0]["findings"][0]["rule"], "not-tls");
    let read = |name| std::fs::read_to_string(path(name)).unwrap();
    check_sarif(&serde_json::from_str(&read("a")).unwrap());
    assert!(roxmltree::Document::parse(&read("b")).is_ok() && read("c").contains("not-tls"));
}

#[test]
fn a_form_that_needs_a_place_says_so_before_anything_is_probed() {
    let run = shakedown(&["probe", "a.test", "--format", "sarif"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("--sarif-anchor"), "{}", run.stderr);
    let run = shakedown(&["probe", "a.test", "--output", "xml=report"]);
    assert!(run.status == 2 && run.stderr.contains("unknown format \"xml\""), "{}", run.stderr);
}

#[test]
fn html_shows_scans_and_files() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::with_tls(&files, "");
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let scan = shakedown(&["scan", &target, "--ca-file", &pki.ca_file(), "--format", "html"]);
    assert!(scan.stdout.contains(&format!("What 127.0.0.1:{} accepts", nginx.port)));
    assert!(scan.stdout.contains("ECDHE-ECDSA-AES256-GCM-SHA384 "), "{}", scan.stdout);
    let file = files.certificate.display().to_string();
    let cert = shakedown(&["cert", &file, "--ca-file", &pki.ca_file(), "--format", "html"]);
    assert!(cert.stdout.contains("id=\"certificates\"") && !cert.stdout.contains("id=\"matrix\""));
}
