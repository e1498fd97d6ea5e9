//! `shakedown nginx --rehearse` on unix sockets: they are audited under their own names, and not opened.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, text};
use crate::support::server::nginx_binary;

fn audited(pki: &Pki, main: &Path, more: &[&str]) -> (Run, Vec<Value>) {
    let (ca_file, main) = (pki.ca_file(), main.display().to_string());
    let fixed = ["nginx", &main, "--ca-file", &ca_file, "--format", "json"];
    let run = shakedown(&[&fixed[..], more].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
    let targets = report["targets"].as_array().cloned().unwrap_or_default();
    (run, targets)
}

/// Servers of http, stream and mail on unix sockets, with these settings.
fn written(pki: &Pki, name: &str, settings: &str) -> std::path::PathBuf {
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key}; {settings}");
    let folder = pki.path("sockets");
    let folder = folder.display();
    let modules = ["mail", "stream"].map(|name| {
        let file = format!("/usr/lib/nginx/modules/ngx_{name}_module.so");
        if Path::new(&file).exists() { format!("load_module {file};\n") } else { String::new() }
    });
    let modules = modules.concat();
    let text = format!(
        "{modules}events {{}}\nhttp {{ access_log off; {pair}\nserver {{ listen unix:{folder}/a ssl; server_name a.test; }}\nserver {{ listen unix:{folder}/b ssl; }} }}\nstream {{ server {{ listen unix:{folder}/c ssl; {pair} allow unix:; deny all; return ok; }} }}\nmail {{ server_name a.test; auth_http 127.0.0.1:1/; server {{ listen unix:{folder}/d; protocol imap; starttls on; {pair} }} }}\n"
    );
    let main = pki.path(name);
    fs::write(&main, text).unwrap();
    main
}

#[test]
fn unix_sockets_are_audited_under_their_own_names() {
    let pki = Pki::new();
    let main = written(&pki, "n.conf", "ssl_protocols TLSv1.2;");
    let binary = nginx_binary().display().to_string();
    let with = ["--nginx-binary", binary.as_str()];
    let rehearsed = [&with[..], &["--rehearse", "--clients", "chrome,java-8"]].concat();
    let (run, targets) = audited(&pki, &main, &rehearsed);
    let folder = pki.path("sockets").display().to_string();
    let found: Vec<(&str, &str)> =
        targets.iter().map(|one| (text(&one["name"]), text(&one["status"]))).collect();
    let (a, b, c, d) = (
        format!("a.test (unix:{folder}/a)"),
        format!("unix:{folder}/b (no name)"),
        format!("unix:{folder}/c (no name)"),
        format!("unix:{folder}/d (no name)"),
    );
    assert_eq!(found.len(), 4, "{}{}", run.stdout, run.stderr);
    for name in [&a, &b, &c, &d] {
        assert!(found.contains(&(name, "pass")), "{name}: {found:?} {}", run.stdout);
    }
    assert!(!pki.path("sockets").exists());
    for target in &targets {
        let clients = target["clients"].as_array().unwrap();
        assert!(clients.iter().all(|one| one["outcome"] == "established"), "{target:#}");
    }
    // Without a rehearsal the live sockets are tested, and there are none.
    let (_, targets) = audited(&pki, &main, &with);
    let refused = |one: &Value| one["findings"][0]["rule"] == "connection-refused";
    assert_eq!(targets.len(), 4, "{targets:#?}");
    assert!(targets.iter().all(refused), "{targets:#?}");
}

#[test]
fn a_change_behind_unix_sockets_is_compared_and_its_fix_is_tried() {
    let pki = Pki::new();
    let old = written(&pki, "old.conf", "ssl_protocols TLSv1.2 TLSv1.3;");
    let new = written(&pki, "new.conf", "ssl_protocols TLSv1.3;");
    let (old, binary) = (old.display().to_string(), nginx_binary().display().to_string());
    let fixed = ["--nginx-binary", &binary, "--rehearse", "--clients", "java-8"];
    let (run, targets) = audited(&pki, &new, &[&fixed[..], &["--against", &old]].concat());
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert_eq!(targets.len(), 4, "{targets:#?}");
    for target in &targets {
        let findings = target["findings"].as_array().unwrap();
        let lost = findings.iter().find(|one| one["rule"] == "clients-lost");
        let lost = lost.unwrap_or_else(|| panic!("{target:#}"));
        assert_eq!(lost["fix"]["verified"], true, "{lost:#}");
    }
    let report = pki.path("old.json");
    let output = format!("json={}", report.display());
    audited(&pki, Path::new(&old), &[&fixed[..], &["--output", &output]].concat());
    let report = report.display().to_string();
    let (_, targets) = audited(&pki, &new, &[&fixed[..], &["--against", &report]].concat());
    assert_eq!(targets.len(), 4, "{targets:#?}");
    assert!(targets.iter().all(|one| one["findings"].to_string().contains("clients-lost")));
}
