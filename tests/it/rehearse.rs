//! `shakedown nginx --rehearse`: what a private nginx shows is what the configuration shows live, and nothing else is
//! touched.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{CertificateParams, CustomExtension};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, text};
use crate::support::server::{Nginx, free_port, nginx_binary};

/// The directives for a certificate.
pub(crate) fn pair(files: &Files) -> String {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

/// Audits a configuration; the report.
fn audit(main: &Path, ca_file: &str, more: &[&str]) -> Value {
    let (main, binary) = (main.display().to_string(), nginx_binary().display().to_string());
    let fixed = ["nginx", &main, "--ca-file", ca_file, "--nginx-binary", &binary];
    let form = ["--format", "json", "--omit-times"];
    let run = shakedown(&[&fixed[..], &form, more].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr))
}

/// The targets without what is proposed: live, no change to a listener is tried.
fn without_fixes(report: &Value) -> Vec<Value> {
    let mut targets = report["targets"].as_array().unwrap().clone();
    for finding in targets.iter_mut().flat_map(|one| one["findings"].as_array_mut().unwrap()) {
        finding["fix"] = Value::Null;
    }
    targets
}

/// Holds that a rehearsal finds what an audit of the same configuration finds that runs as it is.
#[track_caller]
fn check_same(pki: &Pki, blocks: &str, targets: usize) {
    let main = pki.path("whole.conf");
    let _live = Nginx::start_with(|port| {
        let mut blocks = blocks.replace("PORT", &port.to_string());
        for name in ["SECOND", "THIRD"] {
            blocks = blocks.replace(name, &free_port().to_string());
        }
        let modules = ["mail", "stream"].map(|name| {
            let file = format!("/usr/lib/nginx/modules/ngx_{name}_module.so");
            let needed = blocks.starts_with(&format!("{name} {{")) && Path::new(&file).exists();
            if needed { format!("load_module {file};\n") } else { String::new() }
        });
        fs::write(&main, format!("{}events {{}}\n{blocks}\n", modules.concat())).unwrap();
        blocks
    });
    let more = ["--scan", "--clients", "all"];
    let live = audit(&main, &pki.ca_file(), &more);
    let rehearsed = audit(&main, &pki.ca_file(), &[&more[..], &["--rehearse"]].concat());
    let endpoints = live["targets"].as_array().unwrap().iter();
    let endpoints = endpoints.filter(|one| one["kind"] == "endpoint").count();
    assert_eq!(endpoints, targets, "{live:#}");
    let (there, here) = (without_fixes(&live), without_fixes(&rehearsed));
    for (there, here) in there.iter().zip(&here) {
        assert_eq!(here["findings"], there["findings"]);
        assert_eq!(here["clients"], there["clients"]);
        assert!(here == there, "{}", here["name"]);
    }
    assert!(text(&rehearsed["rehearsal"]["nginx"]).starts_with("1."), "{rehearsed:#}");
    assert_eq!(live["rehearsal"], Value::Null);
}

#[test]
fn servers_of_http_show_what_they_show_live() {
    let pki = Pki::new();
    let (a, b) = (pair(&pki.server("a", &["a.test"])), pair(&pki.server("b", &["b.test"])));
    let ca_file = pki.ca_file();
    check_same(
        &pki,
        &format!(
            "http {{ access_log off;
             server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {a} ssl_protocols TLSv1.2; location / {{ return 200 ok; }} }}
             server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
             server {{ listen SECOND ssl http2; server_name b.test; {b} ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; }}
             server {{ listen 127.0.0.1:THIRD ssl; server_name b.test; {b} ssl_client_certificate {ca_file}; ssl_verify_client on; }} }}"
        ),
        3,
    );
}

#[test]
fn a_socket_for_all_addresses_is_tested_where_no_other_socket_is() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.test"]), pki.server("b", &["b.test"]));
    let blocks = format!(
        "http {{ server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {} return 200; }}
         server {{ listen PORT ssl; server_name b.test; {} return 200; }} }}",
        pair(&a),
        pair(&b),
    );
    check_same(&pki, &blocks, 2);
    let report = audit(&pki.path("whole.conf"), &pki.ca_file(), &["--rehearse"]);
    assert!(of_rule(&report, "hostname-mismatch").is_empty(), "{report:#}");
}

#[test]
fn a_plain_socket_takes_its_address_from_a_socket_for_all_addresses() {
    let pki = Pki::new();
    let b = pki.server("b", &["b.test"]);
    let blocks = format!(
        "http {{ server {{ listen 127.0.0.1:PORT; return 200; }}
         server {{ listen PORT ssl; server_name b.test; {} return 200; }} }}",
        pair(&b),
    );
    check_same(&pki, &blocks, 1);
    let report = audit(&pki.path("whole.conf"), &pki.ca_file(), &["--rehearse"]);
    assert!(of_rule(&report, "not-tls").is_empty(), "{report:#}");
}

#[test]
fn servers_of_stream_and_mail_show_what_they_show_live() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let ca_file = pki.ca_file();
    check_same(
        &pki,
        &format!(
            "stream {{ {a}
             server {{ listen 127.0.0.1:PORT ssl; return ok; }}
             server {{ listen 127.0.0.1:SECOND ssl; ssl_client_certificate {ca_file}; ssl_verify_client on; return ok; }} }}"
        ),
        2,
    );
    check_same(
        &pki,
        &format!(
            "mail {{ server_name a.test; auth_http 127.0.0.1:1/; {a}
             server {{ listen 127.0.0.1:PORT; protocol smtp; starttls on; smtp_auth none; }}
             server {{ listen 127.0.0.1:SECOND ssl; protocol imap; }} }}"
        ),
        2,
    );
}

#[test]
fn a_refusal_is_a_finding_at_its_own_line_of_its_own_file() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let (main, site) = (pki.path("nginx.conf"), pki.path("sites/a.conf"));
    fs::create_dir(pki.path("sites")).unwrap();
    fs::write(&main, "events {}\nhttp {\n    include sites/*.conf;\n}\n").unwrap();
    let check = |line: u32, words: &str, server: &str| {
        fs::write(&site, server).unwrap();
        let run = rehearse(&main, &pki, &["--format", "json"]);
        assert_eq!(run.status, 1, "{server}\n{}{}", run.stdout, run.stderr);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let findings = report["targets"][0]["findings"].as_array().unwrap();
        let place = format!("at {}:{line}", site.display());
        let says =
            |one: &Value| text(&one["message"]).contains(words) && one["evidence"][0] == *place;
        assert!(findings.iter().any(says), "{words} {place}\n{report:#}");
    };
    check(
        5,
        "a duplicate default server for 0.0.0.0:443",
        &format!(
            "server {{ listen 443 ssl default_server; {a} }}\nserver {{\n\n listen\n 443 ssl default_server; {a} }}"
        ),
    );
    check(
        3,
        "\"ssl_ciphers\" directive is duplicate",
        &format!("server {{ listen 443 ssl; {a} ssl_ciphers\nALL\n; ssl_ciphers ALL; }}"),
    );
    check(
        2,
        "SSL_CTX_set_cipher_list(\"NONE\") failed",
        &format!("server {{ listen 443 ssl; {a}\n ssl_ciphers NONE; }}"),
    );
    check(
        2,
        "unknown directive \"who_knows_this\"",
        &format!("server {{ listen 443 ssl; {a}\n who_knows_this off; }}"),
    );
    check(3, "unexpected \"}\"", &format!("server {{ listen 443 ssl; {a}\n return 204\n }}"));
    check(1, "unexpected \"}\"", "}");
    check(
        2,
        "cannot load certificate",
        "server { listen 443 ssl;\n ssl_certificate none.pem; ssl_certificate_key none.key; }",
    );
}

/// Rehearses a configuration.
pub(crate) fn rehearse(main: &Path, pki: &Pki, more: &[&str]) -> Run {
    let (main, ca_file) = (main.display().to_string(), pki.ca_file());
    let binary = nginx_binary().display().to_string();
    let fixed = ["nginx", &main, "--rehearse", "--ca-file", &ca_file, "--nginx-binary", &binary];
    shakedown(&[&fixed, more].concat())
}

/// Processes whose command line names this folder.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&folder)).collect()
}

/// The program with a folder of its own for what is temporary.
fn command(main: &Path, pki: &Pki, temporary: &TempDir) -> Command {
    command_of(Path::new(env!("CARGO_BIN_EXE_shakedown")), main, pki, temporary)
}

fn command_of(program: &Path, main: &Path, pki: &Pki, temporary: &TempDir) -> Command {
    let mut command = Command::new(program);
    command.arg("nginx").arg(main).arg("--rehearse").arg("--nginx-binary").arg(nginx_binary());
    command.args(["--ca-file", &pki.ca_file(), "--format", "json"]);
    command.env_clear().env("TMPDIR", temporary.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Holds that nothing of a rehearsal is there any more, at the latest after a moment.
#[track_caller]
fn nothing_is_left(temporary: &TempDir) {
    let begun = Instant::now();
    let left = || {
        let files = fs::read_dir(temporary.path()).unwrap().count();
        (files, processes(temporary.path()))
    };
    while left() != (0, Vec::new()) && begun.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(20));
    }
    assert_eq!(left(), (0, Vec::new()));
}

#[test]
fn nothing_is_left_behind_however_it_ends() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let main = pki.path("nginx.conf");
    let text = format!(
        "events {{}}\nhttp {{ server {{ listen 443 ssl; server_name a.test; {a} }}\n server {{ listen 444 ssl proxy_protocol; {a} }} }}\n"
    );
    fs::write(&main, text).unwrap();
    for end in [None, Some(Signal::SIGINT), Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let temporary = tempfile::tempdir().unwrap();
        let mut program = command(&main, &pki, &temporary);
        if end.is_some() {
            // One connection a second keeps it busy.
            program.args(["--scan", "--rate", "1"]);
        }
        let mut child = program.spawn().unwrap();
        if let Some(signal) = end {
            let begun = Instant::now();
            let nginx = || processes(temporary.path()).iter().any(|line| line.contains("nginx -c"));
            while !nginx() && begun.elapsed() < Duration::from_secs(20) {
                sleep(Duration::from_millis(5));
            }
            assert!(nginx(), "nginx runs");
            sleep(Duration::from_millis(200));
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        }
        child.wait().unwrap();
        nothing_is_left(&temporary);
    }
}

/// Runs a command as someone without rights, where the test has more.
fn unprivileged(command: &mut Command) -> Output {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    command.output().unwrap()
}

/// Makes a folder and all in it readable for everyone.
fn open(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn whoever_may_read_the_keys_can_rehearse_and_nobody_else() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let a = pair(&files);
    let main = pki.path("nginx.conf");
    let text = format!(
        "user nobody;\nevents {{}}\nhttp {{ server {{ listen 443 ssl; server_name a.test; {a} }} }}\n"
    );
    fs::write(&main, text).unwrap();
    open(pki.folder.path());
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o777)).unwrap();
    // The checkout may be in a home folder that only its owner can enter.
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = home.path().join("shakedown");
    fs::copy(env!("CARGO_BIN_EXE_shakedown"), &program).unwrap();
    let run = || {
        let mut command = command_of(&program, &main, &pki, &temporary);
        unprivileged(command.current_dir("/"))
    };
    let first = run();
    let report: Value = serde_json::from_slice(&first.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&first.stderr)));
    assert_eq!((first.status.code(), &report["targets"][0]["status"]), (Some(0), &"pass".into()));

    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o000)).unwrap();
    let second = run();
    let report: Value = serde_json::from_slice(&second.stdout).unwrap();
    let target = &report["targets"][0];
    assert_eq!(target["status"], "untested", "{target:#}");
    let key = files.key.display().to_string();
    let said = target["findings"].to_string();
    assert!(said.contains(&key) && said.contains("Permission denied"), "{target:#}");
    assert_ne!(second.status.code(), Some(0));
    nothing_is_left(&temporary);
}

#[test]
fn nothing_is_written_outside_and_nothing_is_run() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let outside = tempfile::tempdir().unwrap();
    let there = outside.path().display();
    let main = pki.path("nginx.conf");
    let configuration = format!(
        "pid {there}/pid; lock_file {there}/lock; error_log {there}/error.log debug; working_directory {there};
events {{}}
rtmp {{ server {{ listen 1935; exec_static touch {there}/ran; }} }}
http {{
    access_log {there}/access.log; log_format x $host; client_body_temp_path {there}/body;
    proxy_cache_path {there}/cache keys_zone=c:1m; proxy_temp_path {there}/temp;
    init_worker_by_lua_block {{ os.execute('touch {there}/lua') }}
    perl_set $p 'sub {{ `touch {there}/perl` }}';
    js_set $j main.run;
    server {{ listen 443 ssl; server_name a.test; {a} access_log {there}/$host.log x; error_log {there}/e.log;
        ssl_stapling on; resolver dns.invalid;
        location / {{ content_by_lua 'x'; proxy_pass http://nowhere.invalid:1/; }}
        location /p {{ add_header X \"$p$j\"; perl main::run; }} }}
}}
"
    );
    fs::write(&main, configuration).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let target = report["targets"].as_array().unwrap().last().unwrap();
    assert_eq!(target["name"], "a.test:443", "{report:#}");
    assert_eq!(target["status"], "pass", "{report:#}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let left_out: Vec<&str> =
        report["rehearsal"]["left_out"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(
        left_out,
        [
            "OCSP stapling",
            "upstreams and other servers that nginx connects to",
            "scripts (Lua, njs, Perl)",
            "blocks of modules that are not part of nginx"
        ]
    );
}

#[test]
fn many_servers_are_rehearsed_at_once() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["*.a.test"]));
    let servers = (0..60).map(|number| {
        format!("server {{ listen {} ssl; server_name n{number}.a.test; }}\n", 8000 + number % 20)
    });
    let main = pki.path("nginx.conf");
    let text = format!("events {{}}\nhttp {{ {a}\n{} }}\n", servers.collect::<String>());
    fs::write(&main, text).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let report: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let summary = &report["summary"];
    assert_eq!((&summary["targets"], &summary["passed"]), (&60.into(), &60.into()), "{summary:#}");
}

/// The findings of a rule in a report, with whether their fix was tried.
pub(crate) fn of_rule(report: &Value, rule: &str) -> Vec<Value> {
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|target| target["findings"].as_array().unwrap());
    let own = findings.filter(|finding| finding["rule"] == rule);
    own.map(|finding| finding["fix"]["verified"].clone()).collect()
}

#[test]
fn a_verified_fix_was_tried_and_fixes_the_configuration() {
    let pki = Pki::rsa();
    let a = pair(&pki.server("a", &["a.test"]));
    let (main, fixed) = (pki.path("nginx.conf"), pki.path("fixed"));
    let text = format!(
        "events {{}}
http {{
    {a}
    server {{
        listen 8443 ssl;
        server_name a.test;
        ssl_protocols TLSv1 TLSv1.1 TLSv1.2;
        ssl_ciphers ALL:@SECLEVEL=0;
    }}
    server {{
        listen 8444 ssl;
        server_name a.test;
        ssl_protocols TLSv1.2;
        ssl_ciphers AES128-GCM-SHA256;
    }}
}}
"
    );
    fs::write(&main, &text).unwrap();
    let folder = fixed.display().to_string();
    let more = ["--scan", "--format", "json", "--write", &folder];
    let run = rehearse(&main, &pki, &more);
    let before: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(of_rule(&before, "legacy-protocol-accepted"), [Value::Bool(true)], "{before:#}");
    assert_eq!(of_rule(&before, "no-forward-secrecy"), [Value::Bool(true)], "{before:#}");
    assert_eq!(fs::read_to_string(&main).unwrap(), text, "the original stays as it is");

    let copy = fixed.join(main.display().to_string().trim_start_matches('/'));
    let run = rehearse(&copy, &pki, &["--scan", "--format", "json"]);
    let after: Value = serde_json::from_str(&run.stdout).unwrap();
    for rule in ["legacy-protocol-accepted", "no-forward-secrecy", "legacy-cipher-only"] {
        assert_eq!(of_rule(&after, rule), [Value::Null; 0], "{rule}: {after:#}");
    }
}

#[test]
fn a_chain_in_the_wrong_order_is_put_in_order_and_tried() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let mut chain = issued.chain();
    chain.push(pki.root.certificate.clone());
    chain.swap(1, 2);
    let a = pair(&pki.write("a", &issued, &chain));
    let main = pki.path("nginx.conf");
    let text =
        format!("events {{}}\nhttp {{ server {{ listen 8443 ssl; server_name a.test; {a} }} }}\n");
    fs::write(&main, text).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let target = &report["targets"][0];
    let tried = target["findings"].as_array().unwrap().iter().filter(|finding| {
        text_of(finding).starts_with("chain-") && finding["fix"]["verified"] == true
    });
    assert!(tried.count() > 0, "{target:#}");
}

fn text_of(finding: &Value) -> &str {
    text(&finding["rule"])
}

#[test]
fn a_certificate_that_a_script_chooses_is_not_judged() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let main = pki.path("nginx.conf");
    let text = format!(
        "events {{}}\nhttp {{ server {{ listen 443 ssl; server_name b.test; {a} ssl_certificate_by_lua_block {{ x() }} }} }}\n"
    );
    fs::write(&main, text).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let target = report["targets"].as_array().unwrap().last().unwrap();
    assert_eq!(target["status"], "untested", "{report:#}");
    assert_eq!(target["findings"], Value::Array(Vec::new()), "{report:#}");
}

#[test]
fn what_a_change_costs_shows_in_two_rehearsals() {
    let pki = Pki::rsa();
    let a = pair(&pki.server("a", &["a.test"]));
    let report = |name: &str, settings: &str| {
        let (main, report) = (pki.path(name), pki.path(&format!("{name}.json")));
        let text = format!(
            "events {{}}\nhttp {{ server {{ listen 443 ssl; server_name a.test; {a} {settings} }} }}\n"
        );
        fs::write(&main, text).unwrap();
        let output = format!("json={}", report.display());
        rehearse(&main, &pki, &["--clients", "modern", "--output", &output]);
        report.display().to_string()
    };
    let before = report("before.conf", "");
    let after = report("after.conf", "ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384;");
    assert_eq!(shakedown(&["diff", &before, &before]).stdout, "");
    let diff = shakedown(&["diff", &before, &after]);
    assert_eq!(diff.status, 1, "{}", diff.stdout);
    assert!(diff.stdout.contains("worse: lost client: Java 21 ("), "{}", diff.stdout);
    assert!(diff.stdout.contains("worse: new warning[legacy-cipher-only]"), "{}", diff.stdout);
}

#[test]
fn a_certificate_that_demands_a_staple_cannot_be_judged_without_one() {
    let pki = Pki::new();
    let must_staple = |params: &mut CertificateParams| {
        let feature = CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 24],
            vec![0x30, 3, 2, 1, 5],
        );
        params.custom_extensions = vec![feature];
    };
    let a = pair(&pki.changed("a", &["a.test"], must_staple));
    let main = pki.path("nginx.conf");
    for (stapling, status) in [("on", "untested"), ("off", "pass")] {
        let text = format!(
            "events {{}}\nhttp {{ server {{ listen 8443 ssl; server_name a.test; {a} ssl_stapling {stapling}; }} }}\n"
        );
        fs::write(&main, text).unwrap();
        let run = rehearse(&main, &pki, &["--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let targets = report["targets"].as_array().unwrap();
        assert_eq!(targets.last().unwrap()["status"], status, "{report:#}");
    }
}
