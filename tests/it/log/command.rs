//! The `log` subcommand.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::wire::*;
use super::*;
use crate::support::pki::Pki;
use crate::support::program::{shakedown, shakedown_with, text};
use crate::support::server::Nginx;

#[test]
fn access_lines_of_real_nginx_are_read_by_their_format() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let plain = "$remote_addr [$time_local] \"$request\" $status $ssl_protocol $ssl_cipher $ssl_session_reused \"$upstream_addr\" $upstream_connect_time";
    let json = r#"{"status":"$status","ssl_protocol":"$ssl_protocol","ssl_session_reused":"$ssl_session_reused","time":"$time_iso8601"}"#;
    let nginx = Nginx::start_with(|port| {
        format!(
            "http {{ log_format plain '{plain}'; log_format json escape=json '{json}';
             server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;
             access_log {folder}/plain.log plain; access_log {folder}/json.log json; return 200 hello; }} }}",
            file(&files.certificate),
            file(&files.key),
            folder = file(pki.path("x").parent().unwrap())
        )
    });
    for version in ["-tls1_2", "-tls1_2", "-tls1_3", "-tls1_3"] {
        s_client(&nginx, &["-quiet", "-ign_eof", version]);
    }
    let (plain_log, json_log) = (pki.path("plain.log"), pki.path("json.log"));
    for arguments in [
        vec!["log", "--format", "json", "--log-format", plain, plain_log.to_str().unwrap()],
        vec!["log", "--format", "json", "--log-format", json, json_log.to_str().unwrap()],
        vec!["log", "--format", "json", json_log.to_str().unwrap()],
    ] {
        let run = shakedown(&[&arguments[..], &["--what-if", "TLSv1.3"]].concat());
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["unreadable"], 0, "{report:#}");
        let access = &report["access"];
        assert_eq!(
            (access["requests"].as_u64(), access["tls_requests"].as_u64()),
            (Some(4), Some(4))
        );
        assert_eq!(access["versions"][0]["share"], 0.5, "{report:#}");
        assert_eq!(access["session_reuse"]["low"], true);
        assert_eq!(report["what_if"]["refused_requests"], 2);
        assert_eq!(report["what_if"]["exact"], true);
    }
}

#[test]
fn a_failed_handshake_and_the_502_that_it_gave_are_joined() {
    let upstream = answers(alert(40).to_vec());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let format =
        "$remote_addr [$time_local] $status $upstream_addr $upstream_status $upstream_connect_time";
    let nginx = Nginx::start_with(|port| {
        format!(
            "http {{ log_format f '{format}'; server {{ listen 127.0.0.1:{port}; access_log {} f;
             location / {{ proxy_pass https://127.0.0.1:{}; }} }} }}",
            file(&path),
            upstream.port()
        )
    });
    ask(&nginx);
    ask(&nginx);
    assert!(nginx.logs("alert number 40"));
    let access = std::fs::read_to_string(&path).unwrap();
    let report = log_json(&(access + &nginx.error_log()), &["--log-format", format]);
    let access = &report["access"];
    assert_eq!(access["bad_gateway"], 2, "{report:#}");
    assert_eq!(access["bad_gateway_not_connected"], 2);
    assert_eq!(access["bad_gateway_with_handshake_failure"], 2);
}

#[test]
fn upstreams_that_failed_are_probed_and_the_fix_is_tried() {
    let pki = Pki::new();
    let named = pki.server("a", &["front.test"]);
    let upstream = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name front.test; ssl_certificate {}; ssl_certificate_key {}; }}",
        file(&named.certificate),
        file(&named.key)
    ));
    let nginx = proxy(upstream.port, "");
    ask(&nginx);
    assert!(nginx.logs("alert number 112"));
    let log = pki.path("error.log");
    std::fs::write(&log, nginx.error_log()).unwrap();
    let configuration = pki.path("nginx.conf");
    let written = format!(
        "events {{}} http {{ log_format own '$status $ssl_protocol'; server {{ listen 127.0.0.1:1;
         location / {{ proxy_pass https://127.0.0.1:{}; }} }} }}",
        upstream.port
    );
    std::fs::write(&configuration, written).unwrap();
    let (log, configuration, ca) = (file(&log), file(&configuration), pki.ca_file());
    let usual = ["log", "--format", "json", "--probe", "--ca-file", &ca, &log];
    for options in [&usual[..], &[&usual[..], &["--nginx", &configuration]].concat()] {
        let run = shakedown(options);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let audit = &report["upstreams"][0]["audits"][0];
        let finding = &audit["findings"][0];
        assert_eq!((run.status, text(&audit["status"])), (1, "fail"), "{report:#}");
        assert_eq!(finding["severity"], "error", "{report:#}");
    }
    let table = shakedown(&["log", "--probe", "--ca-file", &ca, &log]).stdout;
    assert!(table.contains("Tried: the handshake works with this."), "{table}");
    let healthy = "2026/01/31 10:00:00 200 TLSv1.3\n200 TLSv1.3\n";
    let run = shakedown_with(&["log", "--format", "json", "--nginx", &configuration, "-"], healthy);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["access"]["tls_requests"], 1, "{report:#}");
}

/// A line about an upstream with this name.
fn failed_at(upstream: &str) -> String {
    format!(
        "2026/01/31 10:00:00 [error] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://{upstream}/\", host: \"a.test\"\n"
    )
}

#[test]
fn upstreams_that_cannot_be_probed_are_reported_and_count_as_untested() {
    let log = failed_at("unix:/run/x.sock:") + &failed_at("backend");
    let run = shakedown_with(&["log", "--format", "json", "--probe", "-"], &log);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.status, 3, "{report:#}");
    for upstream in report["upstreams"].as_array().unwrap() {
        let audit = &upstream["audits"][0];
        assert_eq!(audit["status"], "untested", "{report:#}");
        let known = [("backend", "no address"), ("unix:/run/x.sock", "unix socket")];
        let address = text(&upstream["address"]);
        let (_, reason) = known.iter().find(|(known, _)| *known == address).unwrap();
        assert!(text(&audit["reason"]).contains(reason), "{report:#}");
    }
    let many: String = (1..=34).map(|at| failed_at(&format!("127.0.0.{at}:1"))).collect();
    let usual = ["log", "--format", "json", "--probe", "--timeout", "1s", "-"];
    let report: Value = serde_json::from_str(&shakedown_with(&usual, &many).stdout).unwrap();
    let upstreams = report["upstreams"].as_array().unwrap();
    let audited = |upstream: &&Value| !upstream["audits"].as_array().unwrap().is_empty();
    assert_eq!(upstreams.iter().filter(audited).count(), upstreams.len());
    let left_out = "only the 32 upstreams with the most lines are audited";
    let surplus = upstreams.iter().filter(|one| one["audits"][0]["reason"] == left_out);
    assert_eq!(surplus.count(), upstreams.len() - 32);
}

#[test]
fn an_incomplete_configuration_is_reported_and_its_names_are_looked_up() {
    let pki = Pki::new();
    let files = pki.server("a", &["localhost"]);
    let upstream = listener(&files, "");
    let configuration = pki.path("nginx.conf");
    let written = format!(
        "events {{}} http {{ include /no/such/file.conf; server {{ listen 127.0.0.1:1;
         location / {{ proxy_pass https://localhost:{}; }} }} }}",
        upstream.port
    );
    std::fs::write(&configuration, written).unwrap();
    let (configuration, ca) = (file(&configuration), pki.ca_file());
    let log = failed_at(&format!("127.0.0.1:{}", upstream.port));
    let usual = ["log", "--probe", "--ca-file", &ca, "--nginx", &configuration, "-"];
    let run = shakedown_with(&usual, &log);
    assert!(run.stderr.contains("/no/such/file.conf"), "{}", run.stderr);
    assert!(run.stdout.contains("as nginx makes it"), "{}", run.stdout);
    assert_eq!(run.status, 0, "{}", run.stdout);
    let run = shakedown_with(&["log", "--probe", "--ca-file", &ca, "-"], &log);
    assert!(run.stdout.contains("the failure could not be repeated"), "{}", run.stdout);
    assert!(!run.stdout.contains("works now"), "{}", run.stdout);
    assert_eq!(run.status, 3, "{}", run.stdout);
}

#[test]
fn the_release_of_nginx_decides_what_a_repetition_shows() {
    let pki = Pki::new();
    let upstream = listener(&pki.server("a", &["localhost"]), "ssl_protocols TLSv1.3;");
    let configuration = pki.path("nginx.conf");
    let written = format!(
        "events {{}} http {{ server {{ listen 127.0.0.1:1; location / {{ proxy_pass https://127.0.0.1:{}; }} }} }}",
        upstream.port
    );
    std::fs::write(&configuration, written).unwrap();
    let log = failed_at(&format!("127.0.0.1:{}", upstream.port));
    let configuration = file(&configuration);
    let probed = |options: &[&str]| {
        let usual = ["log", "--format", "json", "--probe", "--nginx", &configuration, "-"];
        shakedown_with(&[&usual[..], options].concat(), &log).status
    };
    assert_eq!(probed(&["--nginx-version", "1.22.1"]), 1, "1.22 offers no TLS 1.3 to upstreams");
    assert_eq!(probed(&["--nginx-version", "1.28.0"]), 0);
}

#[test]
fn a_scan_is_set_aside_by_what_it_does() {
    let lines = [
        "SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol)",
        "SSL_do_handshake() failed (SSL: error:0A0000C1:SSL routines::no shared cipher)",
        "SSL_do_handshake() failed (SSL: error:0A000065:SSL routines::no suitable key share)",
        "SSL_do_handshake() failed (SSL: error:0A000076:SSL routines::no suitable signature algorithm)",
        "peer closed connection in SSL handshake",
    ];
    let written = |client: &dyn Fn(usize) -> String| -> String {
        let line = |at: usize| {
            let text = lines[at % lines.len()];
            format!(
                "2026/01/31 10:00:{:02} [info] 7#7: *{at} {text} while SSL handshaking, client: {}, server: 0.0.0.0:443\n",
                at / 10,
                client(at)
            )
        };
        (0..100).map(line).collect()
    };
    let concerns = |log: &str| -> Vec<String> {
        let report = log_json(log, &[]);
        let failures = report["failures"].as_array().unwrap();
        failures.iter().map(|failure| text(&failure["concern"]).to_owned()).collect()
    };
    let scan = concerns(&written(&|_| "192.0.2.9".to_owned()));
    assert_eq!(scan, ["ignore"; 5]);
    let users = concerns(&written(&|at| format!("192.0.2.{}", at % lines.len())));
    assert!(users.contains(&"act".to_owned()), "{users:?}");
}

#[test]
fn what_is_mostly_no_log_is_not_tested() {
    let junk = "{\"a\":1}\n".repeat(9);
    let run = shakedown_with(&["log", "--since", "1d", "-"], &junk);
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert!(run.stdout.contains("could not be read"), "{}", run.stdout);
    assert_eq!(shakedown_with(&["log", "--since", "1d", "-"], "").status, 0);
}

#[test]
fn the_forms_of_the_report_agree() {
    let log = "2026/01/31 10:00:00 [error] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET /\u{1b}[31m HTTP/1.1\", upstream: \"https://192.0.2.2:443/\", host: \"a.test\"\njunk\u{7}\n";
    let report = log_json(log, &[]);
    assert_eq!((report["lines"].as_u64(), report["unreadable"].as_u64()), (Some(2), Some(1)));
    assert_eq!(report["client_failures_hidden"], true);
    let prometheus = shakedown_with(&["log", "--format", "prometheus", "-"], log).stdout;
    let sample = "shakedown_log_failures_total{class=\"alert-unrecognized-name\",direction=\"upstream\",alert=\"112\",concern=\"act\"} 1";
    assert!(prometheus.contains(sample), "{prometheus}");
    let table = shakedown_with(&["log", "-"], log).stdout;
    assert!(
        table.contains("alert-unrecognized-name (112)") && !table.contains('\u{1b}'),
        "{table}"
    );
    assert!(table.contains("proxy_ssl_server_name on"), "{table}");
}

#[test]
fn a_log_is_followed_through_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("error.log"), folder.path().join("error.log.1"));
    let failure = |number: u32| {
        format!(
            "2026/01/31 10:00:00 [info] 7#7: *{number} client closed connection while SSL handshaking, client: 192.0.2.{number}, server: 0.0.0.0:443\n"
        )
    };
    std::fs::write(&path, failure(1)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shakedown"))
        .args(["log", "--follow", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    // Lines from before the program starts are not reported, so lines are added until some are.
    let (told, stop) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut written = 1;
    let mut line = String::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            output.read_line(&mut line).unwrap();
            told.store(1, Ordering::SeqCst);
            stop.store(1, Ordering::SeqCst);
        });
        while stop.load(Ordering::SeqCst) == 0 {
            written += 1;
            append(&failure(written));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(line.contains("client-left") && line.contains("client-abort"), "{line}");
    std::fs::rename(&path, &old).unwrap();
    append(&failure(200));
    std::thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let mut report = String::new();
    output.read_to_string(&mut report).unwrap();
    assert!(child.wait().unwrap().success(), "{report}");
    assert!(report.contains(&format!("{} TLS failures", written + 1)), "{written}: {report}");
}

#[test]
fn whatever_a_file_holds_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let good = "2026/01/31 10:00:00 [info] 7#7: *1 client closed connection while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443\n";
    let mut bytes: Vec<u8> = (0..=255).collect();
    let long = "x".repeat(3_000_000);
    bytes.extend(format!("\n{good}{long}\n{good}").into_bytes());
    let (plain, cut) = (folder.path().join("plain.log"), folder.path().join("cut.log.gz"));
    std::fs::write(&plain, &bytes).unwrap();
    let packed = Command::new("gzip").arg("-c").arg(&plain).output().unwrap().stdout;
    std::fs::write(&cut, &packed[..packed.len() - 20]).unwrap();
    let (plain, cut) = (file(&plain), file(&cut));
    let run = shakedown(&["log", "--format", "json", &plain, &cut]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(report["files"][0]["unreadable"], 3, "{report:#}");
    assert_eq!(report["files"][0]["error"], Value::Null);
    assert_eq!(report["files"][1]["error"], "the gzip stream is truncated", "{report:#}");
    assert!(report["failures"][0]["count"].as_u64().unwrap() >= 2, "{report:#}");
}

#[test]
fn usage_errors_are_reported() {
    for (arguments, words) in [
        (vec!["log", "/no/such/file"], "cannot read /no/such/file"),
        (vec!["log", "-", "--since", "soon"], "--since"),
        (vec!["log", "-", "--what-if", "TLS1.3"], "--what-if"),
        (vec!["log", "-", "--log-format", "$a$b"], "there is nothing between"),
        (vec!["log", "-", "--follow", "--format", "json"], "--output FILE"),
        (vec!["log", "-", "--follow", "--format", "prometheus"], "--output FILE"),
        (vec!["log"], "required"),
    ] {
        let run = shakedown(&arguments);
        assert_eq!(run.status, 2, "{arguments:?}");
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}
