//! What nginx says of a configuration beside what shakedown says itself: each fault is reported once, at its own line.

use std::fs;

use serde_json::Value;

use crate::rehearse::{pair, rehearse};
use crate::support::pki::Pki;
use crate::support::program::{shakedown, shakedown_with, text};
use crate::support::server::nginx_binary;

/// The findings of a report, each with its rule and its place.
fn findings(report: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).unwrap_or_else(|_| panic!("{report}"));
    let targets = report["targets"].as_array().unwrap().iter();
    let findings = targets.flat_map(|one| one["findings"].as_array().unwrap());
    let of = |finding: &Value| {
        let place = finding["evidence"].as_array().unwrap().iter().map(text);
        let place = place.filter_map(|one| one.rsplit_once(':')).map(|(_, line)| line.to_owned());
        (text(&finding["rule"]).to_owned(), place.take(1).collect())
    };
    findings.map(of).collect()
}

/// A configuration with a certificate and a key, each on its own line.
fn configuration(certificate: &str, key: &str) -> String {
    format!(
        "events {{}}
http {{
    server {{
        listen 127.0.0.1:9 ssl; server_name a.test; return 200;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
    }}
}}
"
    )
}

#[test]
fn a_fault_of_a_file_is_reported_once_at_its_directive() {
    let pki = Pki::new();
    let (a, b) = (pki.server("a", &["a.test"]), pki.server("b", &["a.test"]));
    let broken = pki.path("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
    let [a_pem, a_key, b_key] =
        [&a.certificate, &a.key, &b.key].map(|path| path.display().to_string());
    let (main, none) = (pki.path("nginx.conf"), pki.path("none.key").display().to_string());
    let binary = nginx_binary().display().to_string();
    let ca_file = pki.ca_file();
    for (certificate, key, rule, line) in [
        (a_pem.as_str(), b_key.as_str(), "nginx-test-failed", "6"),
        ("broken.pem", &a_key, "file-refused", "5"),
        (&a_pem, &none, "file-refused", "6"),
    ] {
        fs::write(&main, configuration(certificate, key)).unwrap();
        let run = rehearse(&main, &pki, &["--format", "json"]);
        assert_eq!(findings(&run.stdout), [(rule.to_owned(), line.to_owned())], "{}", run.stdout);
        assert_eq!(run.status, 1);
    }
    // Without a rehearsal the sockets are audited, with the keys.
    fs::write(&main, configuration(&a_pem, &b_key)).unwrap();
    let main = main.display().to_string();
    let fixed = ["nginx", &main, "--ca-file", &ca_file, "--nginx-binary", &binary];
    let run = shakedown(&[&fixed[..], &["--format", "json"]].concat());
    let rules: Vec<String> = findings(&run.stdout).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["key-mismatch", "connection-refused"], "{}", run.stdout);
}

#[test]
fn a_dump_of_another_machine_is_not_refused_for_files_that_are_there() {
    let there = configuration("/srv/of/another/a.pem", "/srv/of/another/a.key");
    let dump = format!("# configuration file /etc/nginx/nginx.conf:\n{there}");
    let binary = nginx_binary().display().to_string();
    let run = shakedown_with(
        &["nginx", "-", "--rehearse", "--nginx-binary", &binary, "--format", "json"],
        &dump,
    );
    let rules: Vec<String> = findings(&run.stdout).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["configuration-untested", "configuration-untested"], "{}", run.stdout);
    assert_eq!(run.status, 3, "{}", run.stdout);
}

#[test]
fn what_the_copy_switches_off_is_still_checked() {
    let pki = Pki::new();
    let a = pair(&pki.server("a", &["a.test"]));
    let main = pki.path("nginx.conf");
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let load =
        if fs::exists(module).unwrap() { format!("load_module {module};") } else { String::new() };
    let text = format!(
        "{load}\nevents {{}}\nstream {{ server {{ listen 127.0.0.1:9 ssl; {a}\nproxy_pass 127.0.0.1:1; proxy_ssl on;\n\
         proxy_ssl_certificate none.pem;\nproxy_ssl_certificate_key none.key; }} }}\n"
    );
    fs::write(&main, text).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let refused: Vec<_> =
        findings(&run.stdout).into_iter().filter(|(rule, _)| rule == "file-refused").collect();
    let lines: Vec<&str> = refused.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["5", "6"], "{}", run.stdout);
    assert_eq!(run.status, 1);
}

#[test]
fn every_socket_is_tested_whatever_addresses_the_others_have() {
    let pki = Pki::new();
    let (a, b) = (pair(&pki.server("a", &["a.test"])), pair(&pki.server("b", &["b.test"])));
    let main = pki.path("nginx.conf");
    let text = format!(
        "events {{}}\nhttp {{ access_log off;
         server {{ listen [::1]:9443 ssl; server_name a.test; {a} return 200; }}
         server {{ listen [::]:9443 ssl; server_name b.test; {b} return 200; }} }}"
    );
    fs::write(&main, text).unwrap();
    let run = rehearse(&main, &pki, &["--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    // A handshake at the other's socket would show the other's certificate.
    let summary = &report["summary"];
    assert_eq!((&summary["targets"], &summary["passed"]), (&2.into(), &2.into()), "{report:#}");
}
