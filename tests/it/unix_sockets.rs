//! Live unix sockets: named on the command line, in a targets file, and by nginx's configuration, on both sides of nginx.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{probe, shakedown, text};
use crate::support::server::Nginx;

/// A server on a unix socket, and a proxy in front of it.
struct Scene {
    nginx: Nginx,
    pki: Pki,
    socket: PathBuf,
    configuration: String,
}

impl Scene {
    /// `settings` are the server's, `upstream` those of the proxy.
    fn start(settings: &str, upstream: &str) -> Self {
        let pki = Pki::new();
        let Files { certificate, key, .. } = pki.server("a", &["a.test"]);
        let socket = pki.path("a.sock");
        let pair = format!(
            "ssl_certificate {}; ssl_certificate_key {};",
            certificate.display(),
            key.display()
        );
        let path = socket.display();
        let http = format!(
            "server {{ listen unix:{path} ssl; server_name a.test; {pair} {settings} return 200; }}\n\
             server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass https://unix:{path}; {upstream} }} }}\n"
        );
        let nginx = Nginx::start(&http);
        let http = http.replace("PORT", &nginx.port.to_string());
        let configuration = format!("events {{}}\nhttp {{\n{http}}}\n");
        Self { nginx, pki, socket, configuration }
    }

    fn address(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// The targets of the configuration.
    fn configured(&self) -> Vec<Value> {
        let main = self.pki.path("nginx.conf");
        fs::write(&main, &self.configuration).unwrap();
        let (main, ca_file) = (main.display().to_string(), self.pki.ca_file());
        let run = shakedown(&["nginx", &main, "--ca-file", &ca_file, "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
        report["targets"].as_array().unwrap().clone()
    }
}

#[test]
fn a_unix_socket_is_audited_as_any_other() {
    let scene = Scene::start("ssl_protocols TLSv1.2 TLSv1.3;", "");
    let (address, ca_file) = (scene.address(), scene.pki.ca_file());
    let named = format!("a.test:443:{address}");
    for args in [&[&*address, "--server-name", "a.test"][..], &[&*named]] {
        let audit = probe(&[&["--ca-file", &ca_file], args].concat());
        audit.check(&[]);
        assert_eq!(audit.target["server_name"], "a.test", "{:#}", audit.target);
    }
    // Without a name none is sent, and none is expected.
    let audit = probe(&["--ca-file", &ca_file, &address]);
    audit.check(&[]);
    assert_eq!(audit.target["server_name"], Value::Null, "{:#}", audit.target);
    let wrong = probe(&["--ca-file", &ca_file, &address, "--server-name", "b.test"]);
    wrong.check(&["error hostname-mismatch"]);
    let command = text(&wrong.findings().next().unwrap()["reproduce"][0]);
    assert!(command.contains(&format!("-unix {}", scene.socket.display())), "{command}");
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("DNS:a.test"), "{command}");
}

#[test]
fn a_scan_sees_what_a_unix_socket_accepts() {
    let scene = Scene::start("ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM;", "");
    let (address, ca_file) = (scene.address(), scene.pki.ca_file());
    let args = ["scan", &*address, "--server-name", "a.test", "--ca-file", &ca_file];
    let run = shakedown(&[&args[..], &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let target = &report["targets"][0];
    assert!(target.to_string().contains("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), "{target:#}");
    assert_eq!(text(&target["findings"][0]["rule"]), "tls13-unsupported", "{target:#}");
}

#[test]
fn a_targets_file_names_unix_sockets() {
    let scene = Scene::start("ssl_protocols TLSv1.2 TLSv1.3;", "");
    let path = scene.pki.path("targets.toml");
    let text = format!(
        "[defaults]\nca_file = '{}'\n[[target]]\naddress = '{}'\nserver_name = 'a.test'\n",
        scene.pki.ca_file(),
        scene.address()
    );
    fs::write(&path, text).unwrap();
    probe(&["--config", path.to_str().unwrap()]).check(&[]);
}

#[test]
fn nothing_behind_the_path_is_a_refused_connection() {
    let pki = Pki::new();
    let missing = format!("unix:{}", pki.path("none.sock").display());
    probe(&[&missing]).check(&["warning connection-refused"]);
    let file = pki.path("file");
    fs::write(&file, "").unwrap();
    probe(&[&format!("unix:{}", file.display())]).check(&["warning connection-refused"]);
    let run = shakedown(&["probe", "unix:relative.sock"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    assert!(run.stderr.contains("expected unix:/PATH"), "{}", run.stderr);
}

#[test]
fn both_sides_of_nginx_are_audited_where_they_are() {
    let scene = Scene::start("", "");
    let targets = scene.configured();
    let found: Vec<(&str, &str)> =
        targets.iter().map(|one| (text(&one["name"]), text(&one["status"]))).collect();
    let path = scene.socket.display();
    let (listener, upstream) =
        (format!("a.test (unix:{path})"), format!("https://unix:{path} (unix:{path})"));
    assert!(found.contains(&(&listener, "pass")), "{found:?}");
    assert!(
        found.iter().any(|(name, status)| *name == upstream && *status != "untested"),
        "{found:?}"
    );
}

#[test]
fn the_line_that_nginx_logs_of_an_upstream_on_a_unix_socket_is_predicted() {
    let scene = Scene::start("ssl_protocols TLSv1.2;", "proxy_ssl_protocols TLSv1.3;");
    let targets = scene.configured();
    let upstream = targets.iter().find(|one| one["nginx"]["as_configured"] == "fail").unwrap();
    let predicted = text(&upstream["nginx"]["error_log_line"]);
    let mut stream = TcpStream::connect(("127.0.0.1", scene.nginx.port)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let ends = |part: &str| scene.nginx.logs(part);
    let (message, upstream) = predicted.split_once(", upstream: ").unwrap();
    assert!(ends(message), "{predicted}\n{}", scene.nginx.error_log());
    assert!(ends(upstream), "{predicted}\n{}", scene.nginx.error_log());
}
