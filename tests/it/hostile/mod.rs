//! Text of strangers in every field, in every format of every subcommand, by the lists of the formats and the subcommands:
//! nothing that reads a report is steered by it.

mod certificates;
mod readers;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory, ValueEnum};
use serde_json::Value;
use shakedown::audit::finding::Severity;
use shakedown::audit::judge::{Standard, judge};
use shakedown::certificate::trust::{Assessor, TrustStore};
use shakedown::cli::args::Args;
use shakedown::report::{Format, Look, Report, ReportKind, ReportOptions};
use shakedown::run::TargetReport;
use shakedown::run::recording;
use time::OffsetDateTime;

use self::readers::{HOSTILE, HOSTILE_ASCII, check};
use crate::formats::promtool;
use crate::support::pki::{Pki, pem};
use crate::support::program::{Run, shakedown, shakedown_with};
use crate::support::script;
use crate::support::server::{says, scripted};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The most documents with one text replaced.
const AT_MOST: usize = 40;

/// Replaces the text of this number, counted through the whole document; false if there are fewer. Certificates are left
/// alone: they are `texts` of a recording, and have a test of their own.
fn spoil(document: &mut Value, number: &mut usize) -> bool {
    match document {
        Value::String(text) if *number == 0 => {
            HOSTILE.clone_into(text);
            true
        }
        Value::String(_) => {
            *number -= 1;
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| spoil(item, number)),
        Value::Object(fields) => {
            let mut fields = fields.iter_mut().filter(|(name, _)| *name != "texts");
            fields.any(|(_, field)| spoil(field, number))
        }
        _ => false,
    }
}

/// The document with one text replaced, for some of the texts; and with all that can be replaced together.
fn spoilt(document: &Value, reads: impl Fn(&Value) -> bool) -> Vec<Value> {
    let (mut each, mut all) = (Vec::new(), document.clone());
    for mut number in 0.. {
        let mut one = document.clone();
        if !spoil(&mut one, &mut number.clone()) {
            break;
        }
        if !reads(&one) {
            continue;
        }
        each.push(one);
        let mut more = all.clone();
        spoil(&mut more, &mut number);
        if reads(&more) {
            all = more;
        }
    }
    let step = each.len().div_ceil(AT_MOST).max(1);
    let mut some: Vec<Value> = each.into_iter().step_by(step).collect();
    some.push(all);
    some
}

/// The lines of a file as one document, and back.
fn document(lines: &str) -> Value {
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
}

fn lines(document: &Value) -> String {
    document
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|line| [line.to_string(), "\n".to_owned()])
        .collect()
}

/// The recordings of the repository.
fn recordings() -> Vec<(String, Value)> {
    let folder = Path::new(ROOT).join("testdata/observations");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files
        .map(|path| (path.display().to_string(), document(&fs::read_to_string(&path).unwrap())))
        .collect()
}

fn judged(recording: &Value) -> Report {
    let now = OffsetDateTime::now_utc();
    let recording = recording::read(&lines(recording)).unwrap();
    let store = recording.start.roots.into_iter().map(|(_, store)| store).next();
    let assessor = Assessor::new(store.unwrap_or_else(|| Arc::new(TrustStore::mozilla())), now);
    let policy = recording.start.policy.as_ref();
    let standard = Standard { assessor: &assessor, policy, now };
    let report = |one: recording::RecordedTarget| {
        let judgement = judge(&one.target, &one.observation, standard);
        TargetReport::new(Arc::new(one.target), one.observation, judgement, Severity::Error)
    };
    Report {
        started_at: now,
        finished_at: now,
        targets: recording.targets.into_iter().map(report).collect(),
        interrupted: false,
        kind: ReportKind::Endpoints,
        options: ReportOptions {
            anchor: Some("nginx.conf".to_owned()),
            blackbox: true,
            ..ReportOptions::default()
        },
    }
}

#[test]
fn no_text_of_an_observation_steers_a_reader() {
    std::thread::scope(|scope| {
        for (file, recording) in recordings() {
            scope.spawn(move || {
                let all = spoilt(&recording, |one| recording::read(&lines(one)).is_ok());
                assert!(all.len() > 10, "{file}: {}", all.len());
                for (number, one) in all.iter().enumerate() {
                    let report = judged(one);
                    for format in Format::value_variants() {
                        let look = Look { width: 100, colour: false, show_chain: true };
                        let mut out = Vec::new();
                        report.render(*format, look, &mut out).unwrap();
                        let text = String::from_utf8(out).unwrap();
                        check(
                            &format.name(),
                            &text,
                            &format!("{file}, {number}, {}", format.name()),
                        );
                        if *format == Format::Prometheus && number + 1 == all.len() {
                            promtool(&text);
                        }
                    }
                }
            });
        }
    });
}

/// The files and peers of strangers.
struct Scene {
    pki: Pki,
    tls: String,
    plain: String,
    mail: String,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let hostile = certificates::chain(pki.now);
        fs::write(pki.path("hostile.pem"), pem(&hostile.chain)).unwrap();
        fs::write(pki.path("error.log"), error_log()).unwrap();
        fs::write(pki.path("nginx.conf"), configuration()).unwrap();
        let capture = crate::capture::hostile::capture(&hostile.chain, HOSTILE.as_bytes());
        fs::write(pki.path("hostile.pcap"), capture).unwrap();
        let tls = script::tls(hostile.chain, hostile.key);
        let plain = says(HOSTILE.as_bytes());
        let mail = scripted(|mut stream| {
            let greeting = format!("220 {HOSTILE_ASCII}\r\n250 x\r\n454 {HOSTILE_ASCII}\r\n");
            let _ = stream.write_all(greeting.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let scene = Self {
            pki,
            tls: format!("a.test:443:{tls}"),
            plain: plain.to_string(),
            mail: format!("smtp://{mail}"),
        };
        scene.save();
        scene
    }

    /// Files of earlier runs, with all texts replaced that can be.
    fn save(&self) {
        let (_, recording) = &recordings()[0];
        let is_time = |text: &Value| text.as_str().is_some_and(|text| text.starts_with("20"));
        let reads = |one: &Value| {
            let (first, last) = (&one[0], &one[one.as_array().unwrap().len() - 1]);
            recording::read(&lines(one)).is_ok()
                && is_time(&first["line"]["start"]["judged_at"])
                && is_time(&last["line"]["end"]["finished_at"])
        };
        let all = spoilt(recording, reads);
        fs::write(self.pki.path("observations"), lines(all.last().unwrap())).unwrap();
        let args = ["probe", &self.tls, "--trust", "mozilla", "--format", "json"];
        let report: Value = serde_json::from_str(&shakedown(&args).stdout).unwrap();
        let reads = |one: &Value| shakedown::report::saved::read(&one.to_string()).is_ok();
        let all = spoilt(&report, reads);
        fs::write(self.pki.path("old.json"), report.to_string()).unwrap();
        fs::write(self.pki.path("new.json"), all.last().unwrap().to_string()).unwrap();
        let shard = self.path("shard");
        shakedown(&["probe", &self.plain, "--trust", "mozilla", "--resume", &shard]);
        let shard = document(&fs::read_to_string(shard).unwrap());
        let reads = |one: &Value| {
            let part = shakedown::report::saved::merge::RunPart::read("part", &lines(one));
            part.is_ok_and(|part| shakedown::report::saved::merge::merge(vec![part]).is_ok())
        };
        fs::write(self.pki.path("shard"), lines(spoilt(&shard, reads).last().unwrap())).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.pki.path(name).display().to_string()
    }

    /// Arguments and input with which a subcommand meets text of strangers; none if it never does.
    fn calls(&self, subcommand: &str) -> Vec<(Vec<String>, String)> {
        let call = |args: &[&str]| {
            let args = [&[subcommand], args].concat();
            (args.into_iter().map(str::to_owned).collect::<Vec<_>>(), String::new())
        };
        let quick = ["--trust", "mozilla", "--timeout", "2s"];
        match subcommand {
            "probe" => {
                vec![call(&[&quick[..], &[&self.tls, &self.plain, &self.mail]].concat())]
            }
            "scan" => vec![call(&[&quick[..], &[&self.tls]].concat())],
            "nginx" => vec![call(&["--nginx-version=1.22.1", &self.path("nginx.conf")])],
            "cert" => vec![call(&["--trust", "mozilla", &self.path("hostile.pem")])],
            "replay" => vec![call(&[&self.path("observations")])],
            "diff" => vec![
                call(&[&self.path("old.json"), &self.path("new.json")]),
                call(&[&self.path("new.json"), &self.path("old.json")]),
            ],
            "merge" => vec![call(&[&self.path("shard")])],
            "log" => vec![call(&[&self.path("error.log")])],
            "capture" => vec![call(&[&self.path("hostile.pcap")])],
            "explain" => {
                let without_zeros = HOSTILE.replace('\0', "");
                let (args, _) = call(&["-"]);
                vec![call(&[&without_zeros]), (args, error_log())]
            }
            // It makes its own servers.
            "demo" => Vec::new(),
            new => panic!("say here which text of strangers {new} meets"),
        }
    }
}

/// Lines of nginx with hostile text wherever a client or a server can write, plain and in JSON.
fn error_log() -> String {
    let evil = HOSTILE.replace(['\r', '\n'], "");
    let line = |failure: &str| {
        format!(
            "2026/06/15 12:00:00 [error] 1#1: *1 {failure}, client: {evil}, server: {evil}, request: \"GET /{evil} HTTP/1.1\", upstream: \"https://{evil}/\", host: \"{evil}\""
        )
    };
    let mut lines = vec![evil.clone()];
    for failure in [
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) while SSL handshaking to upstream".to_owned(),
        format!("upstream SSL certificate does not match \"{evil}\" while SSL handshaking to upstream"),
        "upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream".to_owned(),
        format!("SSL_do_handshake() failed (SSL: error:0A000999:SSL routines::{evil}) while SSL handshaking"),
        format!("cannot load certificate \"/etc/{evil}\": BIO_new_file() failed"),
    ] {
        lines.push(line(&failure));
        lines.push(serde_json::json!({ "log": line(&failure), "stream": evil }).to_string());
    }
    lines.join("\n") + "\n"
}

/// A configuration with hostile text wherever a text can stand.
fn configuration() -> String {
    let evil = shakedown::nginx::token::quoted(HOSTILE);
    let in_comment = HOSTILE.replace(['\r', '\n'], "");
    format!(
        "events {{}}
         http {{
           log_format a {evil};
           map $host $b {{ default {evil}; }}
           upstream backend {{ server 127.0.0.1:1; }}
           upstream {evil} {{ server 127.0.0.1:1; }}
           server {{
             listen 127.0.0.1:1 ssl;
             server_name {evil} a.test; # shakedown: ignore[self-signed] {in_comment}
             ssl_certificate {evil};
             ssl_certificate_key {evil};
             ssl_ciphers {evil};
             ssl_conf_command Options {evil};
             location / {{
               proxy_pass https://backend;
               proxy_set_header Host {evil};
               proxy_ssl_server_name on;
               proxy_ssl_name {evil};
               proxy_ssl_ciphers {evil};
               proxy_ssl_trusted_certificate {evil};
               proxy_ssl_verify on;
             }}
             location /b {{ proxy_pass https://$b; }}
             location {evil} {{ proxy_pass https://127.0.0.1:1; {evil} {evil}; }}
           }}
           include {evil};
         }}
         stream {{ server {{ listen {evil}; proxy_pass {evil}; }} }}\n"
    )
}

/// The subcommands with `--format`, and its values.
fn formats() -> Vec<(String, Vec<String>)> {
    let mut program = Args::command();
    program.build();
    let of = |one: &clap::Command| {
        let format = one.get_arguments().find(|arg| arg.get_long() == Some("format"))?;
        let values = format.get_possible_values();
        let values = values.iter().map(|value| value.get_name().to_owned()).collect();
        Some((one.get_name().to_owned(), values))
    };
    program.get_subcommands().filter_map(of).collect()
}

#[test]
fn no_subcommand_prints_anything_that_steers_a_reader() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for (subcommand, formats) in formats() {
            let scene = &scene;
            scope.spawn(move || {
                let (calls, mut met) = (scene.calls(&subcommand), false);
                for (args, input) in &calls {
                    for format in &formats {
                        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
                        args.extend(["--format", format]);
                        let needs_place = ["sarif", "gitlab"].contains(&format.as_str());
                        args.extend(
                            ["--sarif-anchor", "nginx.conf"].iter().filter(|_| needs_place),
                        );
                        let Run { status, stdout, stderr } = shakedown_with(&args, input);
                        let what = format!("{subcommand} --format {format}");
                        // A plugin says so that the state is critical.
                        let is_plain = status != 2 || format == "nagios";
                        assert!(
                            (0..=3).contains(&status) && is_plain,
                            "{what}: {status}: {stderr}"
                        );
                        // Lines of a log are explained in a line each.
                        let in_lines = subcommand == "explain" && !input.is_empty();
                        let format = if in_lines && format == "json" { "ndjson" } else { format };
                        check(format, &stdout, &what);
                        check("text", &stderr, &what);
                        met |= stdout.contains("calc") || stderr.contains("calc");
                    }
                }
                assert_eq!(met, !calls.is_empty(), "{subcommand} with text of strangers");
            });
        }
    });
}
