//! What the smallest inputs cost: one certificate of a file, from its bytes to both verdicts, the findings and every
//! format; and one nginx configuration of sixty lines, from its text to the targets and findings, as it should be and
//! with a misspelt directive on every line.
//!
//! `cargo bench --bench small` prints executions per second of one core.

#![expect(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "a benchmark measures the world and prints what it cost"
)]

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use shakedown::audit::finding::Severity;
use shakedown::audit::judge::{Judgement, Standard, judge_file, judge_settings};
use shakedown::certificate::Certificate;
use shakedown::certificate::file::{self, FileChain};
use shakedown::certificate::issue::Authority;
use shakedown::certificate::trust::{Assessor, TrustStore};
use shakedown::nginx::facts::facts;
use shakedown::nginx::listener::listeners;
use shakedown::nginx::source::Single;
use shakedown::nginx::tree::Tree;
use shakedown::nginx::upstream::{plain_upstreams, upstreams};
use shakedown::nginx::variable::Variables;
use shakedown::observation::{Observation, Untried};
use shakedown::report::{Format, Look, Report, ReportKind, ReportOptions};
use shakedown::run::TargetReport;
use shakedown::targets::from_nginx::{Premises, startup, targets};
use shakedown::targets::options::Options;
use shakedown::targets::{Host, Target, TargetKind};
use time::OffsetDateTime;

/// How long each row is measured.
const ROW: Duration = Duration::from_millis(1500);

const MAIN: &str = "/etc/nginx/nginx.conf";

fn main() -> Result<(), Box<dyn Error>> {
    certificate()?;
    for (name, text) in [("configuration", configuration()), ("misspelt", misspelt())] {
        row(&format!("{name}, read"), || {
            black_box(Tree::read(&Single { path: MAIN, text: text.as_bytes() }, MAIN));
        });
        row(&format!("{name}, to targets and findings"), || judge_configuration(text.as_bytes()));
    }
    Ok(())
}

fn row(name: &str, mut work: impl FnMut()) {
    work();
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < ROW {
        work();
        count += 1;
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    println!("{name:40} {:>9}/s", rate as u64);
}

fn certificate() -> Result<(), Box<dyn Error>> {
    let now = OffsetDateTime::now_utc();
    let root = Authority::root("bench root", now)?;
    let der = root.issue(&["a.test"])?.certificate;
    let (store, _) =
        TrustStore::from_certificates("root".to_owned(), vec![root.certificate.clone()], false);
    let store = Arc::new(store);
    row("certificate, parsed", || drop(black_box(Certificate::parse(&der))));
    row("certificate, both verdicts", || {
        let Ok(certificate) = Certificate::parse(&der) else { return };
        let chains = file::chains("a.pem", &[certificate], None);
        let assessor = Assessor::new(Arc::clone(&store), now);
        black_box(chains.iter().map(|file| assessor.assess(&file.chain)).collect::<Vec<_>>());
    });
    let judged = || {
        let (certificates, _) = file::read(&der);
        let parsed: Vec<_> =
            certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        let assessor = Assessor::new(Arc::clone(&store), now);
        let chains = file::chains("a.pem", &parsed, None);
        chains.iter().map(|file| judge(file, &assessor, now)).collect::<Vec<_>>()
    };
    row("certificate, to findings", || drop(black_box(judged())));
    let report = Report {
        started_at: now,
        finished_at: now,
        targets: judged(),
        interrupted: false,
        kind: ReportKind::Files,
        options: ReportOptions::default(),
    };
    let look = Look { width: 80, colour: false, show_chain: false };
    for format in Format::value_variants() {
        row(&format!("certificate, its report as {}", format.name()), || {
            let mut out = Vec::new();
            let _ = report.render(*format, look, &mut out);
            black_box(out);
        });
    }
    Ok(())
}

fn judge(file: &FileChain, assessor: &Assessor, now: OffsetDateTime) -> TargetReport {
    let kind = TargetKind::File { host: Host::Name("a.test".to_owned()) };
    let target: Target = Options::default().target_of(kind, file.path.clone(), None);
    let target = Arc::new(target);
    let judgement: Judgement = judge_file(&target, file, Standard { assessor, policy: None, now });
    let observation = Observation::not_tried(Untried::TextOnly);
    TargetReport::new(target, observation, judgement, Severity::Error)
}

fn judge_configuration(text: &[u8]) {
    let tree = Tree::read(&Single { path: MAIN, text }, MAIN);
    let variables = Variables::new();
    let (sockets, passes) = (listeners(&tree), upstreams(&tree, &variables));
    let plain = plain_upstreams(&tree, &variables);
    let mut found = facts(&tree, &sockets, &passes, None);
    let options = Options::default();
    let premises = Premises {
        options: &options,
        identity: None,
        connect: None,
        root: None,
        request: true,
        version: None,
        library: None,
        apart: HashSet::new(),
        sockets: Vec::new(),
        rehearsed: false,
    };
    found.extend(startup::facts(&tree, &passes, &premises, (false, true)));
    black_box(targets(&sockets, &passes, &plain, &premises));
    black_box(judge_settings(&found));
}

/// Sixty lines, as operators write them.
fn configuration() -> String {
    let mut text = "worker_processes auto;\nevents { worker_connections 1024; }\nhttp {\n\
        \x20 include mime.types;\n  server_tokens off;\n  ssl_protocols TLSv1.2 TLSv1.3;\n\
        \x20 ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;\n\
        \x20 ssl_session_cache shared:SSL:10m;\n  log_format main '$remote_addr $request';\n\
        \x20 map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"
        .to_owned();
    for name in ["a", "b", "c"] {
        let _ = write!(
            text,
            "  upstream {name}_backend {{\n    server 10.0.0.1:8443 weight=2;\n    server {name}2.internal:8443 backup;\n    keepalive 16;\n  }}\n\
             \x20 server {{\n    listen 443 ssl;\n    server_name {name}.test www.{name}.test;\n\
             \x20   ssl_certificate /etc/ssl/{name}.pem;\n    ssl_certificate_key /etc/ssl/{name}.key;\n\
             \x20   location / {{\n      proxy_pass https://{name}_backend;\n      proxy_set_header Host $host;\n\
             \x20     proxy_ssl_server_name on;\n      proxy_ssl_name {name}.internal;\n    }}\n  }}\n"
        );
    }
    text + "}\n"
}

/// The same with one letter of every directive's name changed.
fn misspelt() -> String {
    let change = |line: &str| {
        let word = line.trim_start();
        let at = line.len() - word.len() + 2;
        match line.get(at..=at) {
            Some(letter) if !line.contains(['{', '}']) && letter != " " => {
                format!("{}q{}\n", &line[..at], &line[at + 1..])
            }
            _ => format!("{line}\n"),
        }
    };
    configuration().lines().map(change).collect()
}
