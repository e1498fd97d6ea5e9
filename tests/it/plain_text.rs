//! nginx without TLS in front of an upstream: ports that expect TLS are recognized, and `https://` is the fix if nginx
//! then gets an answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Audit, audit, shakedown, text};
use crate::support::server::{Apache, Nginx, OpenSsl, free_port, scripted};

/// A location of one proxy, and its upstream.
fn block(port: &str, location: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port}; server_name www.test; proxy_set_header Host a.test; location / {{ {location} }} }}"
    )
}

/// The status that the real nginx returns, its log, and the findings for its configuration.
struct Met {
    status: u16,
    nginx: Nginx,
    audit: Audit,
}

fn meet(pki: &Pki, location: &str, options: &[&str]) -> Met {
    let nginx = Nginx::start_proxy(&block("PORT", location));
    let status = get(nginx.port);
    let main = pki.path("nginx.conf");
    let http = block(&nginx.port.to_string(), location);
    std::fs::write(&main, format!("events {{}}\nhttp {{ {http} }}\n")).unwrap();
    let main = main.display().to_string();
    let fixed = ["--nginx-version", "1.22.1", "--openssl-version", "3.0", "--timeout", "4s"];
    let options: Vec<&str> = fixed.iter().chain(options).copied().chain([&*main]).collect();
    Met { status, audit: audit("nginx", &options), nginx }
}

fn get(port: u16) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

impl Met {
    /// The only finding; the predicted line must be in the log.
    #[track_caller]
    fn mismatch(&self) -> &Value {
        self.audit.check(&["error upstream-scheme-mismatch"]).ends(1, "fail");
        let nginx = &self.audit.target["nginx"];
        assert_eq!(nginx["as_configured"], "fail");
        if let Some(line) = nginx["error_log_line"].as_str() {
            let line = line.split(", upstream: ").next().unwrap();
            assert!(self.nginx.logs(line), "{line}\n{}", self.nginx.error_log());
        } else {
            let log = self.nginx.error_log();
            assert!(!log.contains("from upstream"), "{log}");
        }
        self.audit.findings().next().unwrap()
    }
}

/// The lines of a verified fix.
#[track_caller]
fn fix(finding: &Value) -> String {
    assert_eq!(finding["fix"]["verified"], true, "{finding:#}");
    let lines = finding["fix"]["directives"].as_array().unwrap().iter();
    lines.flat_map(|one| [text(&one["name"]), " ", text(&one["value"]), "; "]).collect()
}

fn pair(pki: &Pki) -> String {
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
}

#[test]
fn http_to_a_tls_port_is_found_and_https_is_the_fix() {
    let pki = Pki::rsa();
    let server = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; {} return 200; }}",
        pair(&pki)
    ));
    let met = meet(&pki, &format!("proxy_pass http://127.0.0.1:{};", server.port), &[]);
    assert_eq!(met.status, 400);
    let command = text(&met.mismatch()["reproduce"][0]);
    let shown = Command::new("sh").args(["-c", command]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("plain HTTP request was sent to HTTPS port"), "{command}\n{shown}");
    let fixed = meet(&pki, &fix(met.mismatch()), &[]);
    assert_eq!((fixed.status, fixed.audit.status), (200, 0), "{:#}", fixed.audit.target);
}

#[test]
fn what_https_takes_besides_is_part_of_the_fix() {
    let pki = Pki::rsa();
    let server = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }}
         server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {} return 200; }}",
        pair(&pki)
    ));
    let met = meet(&pki, &format!("proxy_pass http://127.0.0.1:{};", server.port), &[]);
    let lines = fix(met.mismatch());
    assert!(lines.contains("proxy_ssl_server_name on"), "{lines}");
    assert_eq!(meet(&pki, &lines, &[]).status, 200);
}

#[test]
fn other_servers_that_expect_tls_are_told_by_their_own_ways() {
    let pki = Pki::rsa();
    let files = pki.server("b", &["a.test"]);
    let (certificate, key) =
        (files.certificate.display().to_string(), files.key.display().to_string());
    let apache = Apache::start(&format!(
        "<VirtualHost ADDRESS>\nServerName a.test\nSSLEngine on\nSSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}\n</VirtualHost>\n"
    ));
    let openssl = OpenSsl::start(&["-cert", &certificate, "-key", &key]);
    for port in [apache.port, openssl.port] {
        let met = meet(&pki, &format!("proxy_pass http://127.0.0.1:{port};"), &[]);
        assert_ne!(met.status, 200);
        let fixed = meet(&pki, &fix(met.mismatch()), &[]);
        assert_eq!(
            fixed.audit.target["nginx"]["as_configured"], "pass",
            "{:#}",
            fixed.audit.target
        );
    }
}

#[test]
fn an_alert_to_plain_text_is_an_answer_in_tls() {
    let pki = Pki::rsa();
    // As in Java: an alert, and the end of the connection.
    let java = scripted(|mut stream| {
        let mut first = [0; 1024];
        let count = stream.read(&mut first).unwrap_or(0);
        let alert: u8 = if first[..count].starts_with(&[22]) { 40 } else { 10 };
        let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]);
    });
    let met = meet(&pki, &format!("proxy_pass http://{java};"), &[]);
    let finding = met.mismatch();
    // The port certainly uses TLS, but no directive that was tried gets an answer.
    assert_ne!(finding["fix"]["verified"], true);
    assert_eq!(finding["fix"]["directives"][0]["value"], format!("https://{java}"));
}

#[test]
fn a_plain_port_is_left_alone() {
    let pki = Pki::rsa();
    for answer in ["return 200;", "return 404;", "return 400;"] {
        let server = Nginx::start(&format!("server {{ listen 127.0.0.1:PORT; {answer} }}"));
        let met = meet(&pki, &format!("proxy_pass http://127.0.0.1:{};", server.port), &[]);
        met.audit.check(&[]).ends(0, "pass");
        assert_eq!(met.audit.target["nginx"]["as_configured"], "pass");
    }
}

#[test]
fn without_a_request_or_an_answer_it_is_not_known() {
    let pki = Pki::rsa();
    let server = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; {} return 200; }}",
        pair(&pki)
    ));
    let pass = format!("proxy_pass http://127.0.0.1:{};", server.port);
    meet(&pki, &pass, &["--no-request"]).audit.check(&[]).ends(3, "untested");
    let met = meet(&pki, &format!("proxy_pass http://127.0.0.1:{};", free_port()), &[]);
    met.audit.check(&[]).ends(3, "untested");
    let line = text(&met.audit.target["nginx"]["error_log_line"]);
    assert!(line.starts_with("connect() failed (111: Connection refused)"), "{line}");
}

#[test]
fn grpc_and_uwsgi_to_a_tls_port_are_found_as_well() {
    let pki = Pki::rsa();
    let server = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl http2; {} return 200; }}",
        pair(&pki)
    ));
    let port = server.port;
    for (pass, fixed) in [
        (
            format!("grpc_pass grpc://127.0.0.1:{port};"),
            format!("grpc_pass grpcs://127.0.0.1:{port}; "),
        ),
        (format!("grpc_pass 127.0.0.1:{port};"), format!("grpc_pass grpcs://127.0.0.1:{port}; ")),
        (
            format!("uwsgi_pass 127.0.0.1:{port};"),
            format!("uwsgi_pass suwsgi://127.0.0.1:{port}; "),
        ),
    ] {
        let met = meet(&pki, &pass, &[]);
        assert_eq!(fix(met.mismatch()), fixed);
    }
    let plain = Nginx::start("server { listen 127.0.0.1:PORT http2; return 200; }");
    let met = meet(&pki, &format!("grpc_pass 127.0.0.1:{};", plain.port), &[]);
    met.audit.check(&[]).ends(0, "pass");
}

#[test]
fn the_fix_is_written_where_the_url_stands() {
    let pki = Pki::rsa();
    let server = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; {} return 200; }}",
        pair(&pki)
    ));
    let main = pki.path("nginx.conf");
    let http = format!(
        "upstream backend {{ server 127.0.0.1:{}; }}
         server {{ listen 127.0.0.1:81; location /a/ {{ proxy_pass http://backend/x/; }}
           location /b/ {{ proxy_pass http://backend$request_uri; }} }}",
        server.port
    );
    std::fs::write(&main, format!("events {{}}\nhttp {{ {http} }}\n")).unwrap();
    let run = shakedown(&["nginx", "--diff", main.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stdout.contains("proxy_pass https://backend/x/;"), "{}", run.stdout);
    assert!(run.stdout.contains("proxy_pass https://backend$request_uri;"), "{}", run.stdout);
}

#[test]
fn a_plain_upstream_that_is_down_does_not_fail_a_configuration_with_tls() {
    let pki = Pki::rsa();
    let server = |port: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; server_name a.test; {} location / {{ proxy_pass http://127.0.0.1:{}; }} }}",
            pair(&pki),
            free_port()
        )
    };
    let nginx = Nginx::start(&server("PORT"));
    let main = pki.path("nginx.conf");
    let http = server(&nginx.port.to_string());
    std::fs::write(&main, format!("events {{}}\nhttp {{ {http} }}\n")).unwrap();
    let run = shakedown(&[
        "nginx",
        "--format",
        "json",
        "--ca-file",
        &pki.ca_file(),
        &main.display().to_string(),
    ]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let [listener, upstream] = report["targets"].as_array().unwrap().as_slice() else {
        panic!("{report:#}")
    };
    assert_eq!((listener["status"].as_str(), run.status), (Some("pass"), 0), "{report:#}");
    assert_eq!(upstream["status"], "untested");
    assert_eq!(upstream["untested"][0]["excuse"]["kind"], "no-tls", "{upstream:#}");
}
