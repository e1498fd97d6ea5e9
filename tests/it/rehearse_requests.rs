//! `shakedown nginx --rehearse --access-log`: how many requests a change loses, from logs that a real nginx has written.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, text};
use crate::support::server::{Nginx, nginx_binary};

/// Options of `openssl s_client`, a user agent, and the number of its requests.
type Client = (&'static [&'static str], &'static str, usize);

/// A modern client; one with a single suite; one that prefers it, and has another; one with TLS 1.0 only.
const CLIENTS: [Client; 4] = [
    (&["-tls1_3"], "Modern/1", 5),
    (&["-tls1_2", "-cipher", "AES128-SHA"], "Old/1", 3),
    (&["-tls1_2", "-cipher", "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256"], "Willing/1", 2),
    (&["-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"], "Java/1.7.0_80", 1),
];

const OLD: &str = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;";
const NEW: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;";
const TLS13: &str = "ssl_protocols TLSv1.3;";

const WHOLE: &str = "$remote_addr [$time_local] $status \"$http_user_agent\" $ssl_protocol $ssl_cipher $ssl_curve $ssl_ciphers $ssl_curves";

/// Sends a request; returns whether it was answered.
fn request(port: u16, name: &str, options: &[&str], agent: &str) -> bool {
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-ign_eof", "-servername", name, "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(options)
        .env("OPENSSL_CONF", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the openssl command is needed: install the package openssl");
    let hello = format!("GET / HTTP/1.0\r\nHost: {name}\r\nUser-Agent: {agent}\r\n\r\n");
    // A client that is refused does not read it.
    let _ = client.stdin.take().unwrap().write_all(hello.as_bytes());
    let output = client.wait_with_output().unwrap();
    output.stdout.starts_with(b"HTTP/")
}

fn server(files: &Files, listen: &str, name: &str, settings: &str) -> String {
    format!(
        "server {{ listen {listen} ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {}; {settings} location / {{ return 204; }} }}",
        files.certificate.display(),
        files.key.display()
    )
}

/// Runs the old configuration, lets the clients come to each name, and returns the log.
fn logged(pki: &Pki, files: &Files, format: &str, names: &[&str]) -> PathBuf {
    let path = pki.path("access.log");
    let log = path.display();
    let nginx = Nginx::start_with(|port| {
        let listen = format!("127.0.0.1:{port}");
        let servers: Vec<String> =
            names.iter().map(|name| server(files, &listen, name, OLD)).collect();
        let last = server(files, &listen, "last.test", "access_log off;");
        format!(
            "http {{ log_format own '{format}'; access_log {log} own; {} {last} }}",
            servers.concat()
        )
    });
    for (options, agent, count) in CLIENTS {
        for name in names {
            for _ in 0..count {
                assert!(request(nginx.port, name, options, agent), "{options:?}");
            }
        }
    }
    // nginx has one process, so whatever came before this request is in the log when it is answered.
    assert!(request(nginx.port, "last.test", &[], "Last/1"));
    path
}

/// Writes a configuration with these servers.
fn written(pki: &Pki, name: &str, format: &str, servers: &[String]) -> String {
    let path = pki.path(name);
    let log = format!("log_format own '{format}'; access_log off;");
    fs::write(&path, format!("events {{}}\nhttp {{ {log} {} }}\n", servers.concat())).unwrap();
    path.display().to_string()
}

fn rehearse(pki: &Pki, new: &str, log: &Path, more: &[&str]) -> (Run, Value) {
    let (ca_file, binary) = (pki.ca_file(), nginx_binary().display().to_string());
    let log = log.display().to_string();
    let fixed = ["nginx", new, "--rehearse", "--access-log", &log, "--ca-file", &ca_file];
    let form = ["--nginx-binary", &binary, "--format", "json"];
    let run = shakedown(&[&fixed[..], &form, more].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
    (run, report)
}

/// The target of that name.
fn target<'r>(report: &'r Value, name: &str) -> &'r Value {
    let all = report["targets"].as_array().unwrap();
    all.iter().find(|one| one["server_name"] == name).unwrap_or_else(|| panic!("{report:#}"))
}

fn lost(target: &Value) -> Option<&Value> {
    target["findings"].as_array()?.iter().find(|one| one["rule"] == "clients-lost")
}

#[test]
fn the_requests_that_are_lost_are_those_of_the_clients_that_nginx_then_refuses() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let log = logged(&pki, &files, WHOLE, &["a.test"]);
    let after = Nginx::start_with(|port| {
        let listen = format!("127.0.0.1:{port}");
        format!("http {{ access_log off; {} }}", server(&files, &listen, "a.test", NEW))
    });
    let refused = CLIENTS
        .into_iter()
        .filter(|(options, agent, _)| !request(after.port, "a.test", options, agent));
    let refused: usize = refused.map(|(_, _, count)| count).sum();
    assert_eq!(refused, 4, "what is to be predicted");
    let new = written(&pki, "new.conf", WHOLE, &[server(&files, "127.0.0.1:8443", "a.test", NEW)]);
    let old = written(&pki, "old.conf", WHOLE, &[server(&files, "127.0.0.1:8443", "a.test", OLD)]);
    let packed = pki.path("access.log.1.gz");
    let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
    encoder.write_all(&fs::read(&log).unwrap()).unwrap();
    encoder.finish().unwrap();
    for (file, more) in [(&log, &[][..]), (&packed, &["--against", &old])] {
        let (run, report) = rehearse(&pki, &new, file, more);
        let target = target(&report, "a.test");
        let requests = &target["requests"];
        assert_eq!(
            (&requests["total"], &requests["lost"]),
            (&11.into(), &refused.into()),
            "{requests:#}{}",
            run.stderr
        );
        assert_eq!((&requests["may_be_lost"], &requests["untold"]), (&0.into(), &0.into()));
        let by: Vec<&str> = requests["derived_from"].as_array().unwrap().iter().map(text).collect();
        assert_eq!(
            by,
            ["$ssl_protocol", "$ssl_cipher", "$ssl_curve", "$ssl_ciphers", "$ssl_curves"]
        );
        let finding = lost(target).unwrap_or_else(|| panic!("{target:#}"));
        assert!(text(&finding["message"]).contains("4 of 11 requests (36.4 %)"), "{finding:#}");
        let evidence = finding["evidence"].to_string();
        assert!(evidence.contains("Old/1") && evidence.contains("Java/1.7.0_80"), "{evidence}");
        assert!(!evidence.contains("Willing/1") && !evidence.contains("Modern/1"), "{evidence}");
    }
    let (run, report) = rehearse(&pki, &old, &log, &["--against", &old]);
    let target = target(&report, "a.test");
    assert_eq!((&target["requests"]["lost"], lost(target)), (&0.into(), None), "{}", run.stderr);
}

#[test]
fn what_a_log_does_not_tell_is_said_to_be_unknown() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let cases: [(&str, &str, [u64; 3]); 4] = [
        // TLS 1.3 alone: whoever used something older, and could have used 1.3 before, is lost.
        ("$ssl_protocol $status", TLS13, [6, 0, 5]),
        // The suites that are gone are seen, but not what else the clients offer.
        ("$ssl_protocol $ssl_cipher", NEW, [1, 5, 0]),
        // The user agents of one of the clients is known.
        ("$remote_addr \"$http_user_agent\"", TLS13, [1, 0, 10]),
        ("{\"ua\":\"$http_user_agent\",\"p\":\"$ssl_protocol\"}", TLS13, [6, 0, 5]),
    ];
    for (format, settings, expected) in cases {
        let log = logged(&pki, &files, format, &["a.test"]);
        let new = written(
            &pki,
            "new.conf",
            format,
            &[server(&files, "127.0.0.1:8443", "a.test", settings)],
        );
        let old =
            written(&pki, "old.conf", format, &[server(&files, "127.0.0.1:8443", "a.test", OLD)]);
        let (run, report) = rehearse(&pki, &new, &log, &["--against", &old]);
        let requests = &target(&report, "a.test")["requests"];
        let found = ["lost", "may_be_lost", "untold"].map(|key| requests[key].as_u64().unwrap());
        assert_eq!(found, expected, "{format}: {requests:#}{}", run.stderr);
        fs::remove_file(log).unwrap();
    }
}

#[test]
fn a_log_that_tells_nothing_of_clients_is_refused_with_advice() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let format = "$remote_addr $status";
    let log = logged(&pki, &files, format, &["a.test"]);
    let new = written(&pki, "new.conf", format, &[server(&files, "127.0.0.1:8443", "a.test", NEW)]);
    let (run, _) = rehearse(&pki, &new, &log, &[]);
    assert_eq!(run.status, 2, "{}", run.stdout);
    assert!(run.stderr.contains("does not tell which clients came"), "{}", run.stderr);
    assert!(run.stderr.contains("$ssl_protocol"), "{}", run.stderr);
    let (run, _) = rehearse(&pki, &new, &pki.path("none.log"), &[]);
    assert_eq!(run.status, 2, "{}", run.stdout);
}

#[test]
fn requests_count_for_the_name_that_they_were_for() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test", "b.test"]);
    let format = "$ssl_server_name $ssl_protocol $ssl_cipher $ssl_ciphers";
    let log = logged(&pki, &files, format, &["a.test", "b.test"]);
    let listen = "127.0.0.1:8443";
    // Both have the versions of the default server.
    let servers = [
        server(&files, listen, "a.test", "ssl_protocols TLSv1.2 TLSv1.3;"),
        server(&files, listen, "b.test", NEW),
    ];
    let new = written(&pki, "new.conf", format, &servers);
    let (run, report) = rehearse(&pki, &new, &log, &[]);
    let requests = |name| &target(&report, name)["requests"];
    let found = ["a.test", "b.test"].map(|name| {
        ["total", "lost", "may_be_lost"].map(|key| requests(name)[key].as_u64().unwrap())
    });
    // The client with TLS 1.0 may know TLS 1.2, where a.test has a suite for it.
    assert_eq!(found, [[11, 0, 1], [11, 4, 0]], "{report:#}{}", run.stderr);
}
