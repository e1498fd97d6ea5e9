//! `shakedown nginx --rehearse --against`: which clients a change loses and gains, before it is in service.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Run, shakedown, text};
use crate::support::server::{Nginx, nginx_binary};

/// A configuration with these settings.
fn written(pki: &Pki, name: &str, listen: &str, settings: &str) -> String {
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let main = pki.path(name);
    let block = server(
        listen,
        &format!("ssl_certificate {certificate}; ssl_certificate_key {key}; {settings}"),
    );
    fs::write(&main, format!("events {{}}\n{block}\n")).unwrap();
    main.display().to_string()
}

fn server(listen: &str, settings: &str) -> String {
    format!(
        "http {{ access_log off; server {{ listen {listen} ssl; server_name a.test; {settings} }} }}"
    )
}

fn rehearse(pki: &Pki, new: &str, old: &str, more: &[&str]) -> (Run, Value) {
    let (ca_file, binary) = (pki.ca_file(), nginx_binary().display().to_string());
    let fixed = ["nginx", new, "--rehearse", "--against", old, "--ca-file", &ca_file];
    let form = ["--nginx-binary", &binary, "--format", "json"];
    let run = shakedown(&[&fixed[..], &form, more].concat());
    let report = serde_json::from_str(&run.stdout).unwrap_or(Value::Null);
    (run, report)
}

/// The finding about lost clients.
fn lost(report: &Value) -> Option<&Value> {
    let targets = report["targets"].as_array()?;
    let mut findings = targets.iter().flat_map(|one| one["findings"].as_array().unwrap());
    findings.find(|one| one["rule"] == "clients-lost")
}

const BOTH: &str = "ssl_protocols TLSv1.2 TLSv1.3;";
const NEWEST: &str = "ssl_protocols TLSv1.3;";

#[test]
fn named_clients_that_a_change_loses_fail_the_run_and_gained_ones_do_not() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "127.0.0.1:8443", BOTH);
    let new = written(&pki, "new.conf", "127.0.0.1:8443", NEWEST);
    let clients = ["--clients", "java-8,openssl-1.0.2,chrome"];
    let (run, report) = rehearse(&pki, &new, &old, &clients);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let finding = lost(&report).unwrap();
    assert_eq!(finding["severity"], "error");
    assert!(text(&finding["message"]).contains("OpenSSL 1.0.2"), "{finding:#}");
    assert!(!text(&finding["message"]).contains("Chrome"), "{finding:#}");
    assert!(text(&finding["evidence"][0]).contains("no common version"), "{finding:#}");
    assert_eq!(finding["fix"]["verified"], true, "{finding:#}");
    let (run, report) = rehearse(&pki, &old, &new, &clients);
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
    assert!(lost(&report).is_none(), "{report:#}");
    let clients_now = report["targets"].as_array().unwrap().last().unwrap()["clients"].clone();
    let gained = |one: &&Value| one["outcome"] == "established" && one["connected_before"] == false;
    let gained: Vec<_> = clients_now.as_array().unwrap().iter().filter(gained).collect();
    assert!(gained.iter().any(|one| one["name"] == "openssl-1.0.2"), "{clients_now:#}");
    assert!(!gained.iter().any(|one| one["name"] == "chrome"), "{clients_now:#}");
    let (run, report) = rehearse(&pki, &new, &new, &clients);
    assert!(lost(&report).is_none(), "{}", run.stderr);
}

#[test]
fn clients_of_a_group_are_a_warning_whatever_the_old_state_comes_from() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "127.0.0.1:8443", BOTH);
    let new = written(&pki, "new.conf", "127.0.0.1:8443", NEWEST);
    let saved = pki.path("old.json").display().to_string();
    let output = format!("json={saved}");
    rehearse(&pki, &old, &old, &["--clients", "all", "--output", &output]);
    for from in [&old, &saved] {
        let (run, report) = rehearse(&pki, &new, from, &["--clients", "all"]);
        let finding =
            lost(&report).unwrap_or_else(|| panic!("{from}: {}{}", run.stdout, run.stderr));
        assert_eq!(finding["severity"], "warning", "{finding:#}");
    }
}

#[test]
fn what_is_live_is_compared_with() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
    let new = pki.path("new.conf");
    let _live = Nginx::start_with(|port| {
        let listen = format!("127.0.0.1:{port}");
        let block = server(&listen, &format!("{pair} {NEWEST}"));
        fs::write(&new, format!("events {{}}\n{block}\n")).unwrap();
        server(&listen, &format!("{pair} {BOTH}"))
    });
    let new = new.display().to_string();
    let (run, report) = rehearse(&pki, &new, "live", &["--clients", "openssl-1.0.2"]);
    assert!(lost(&report).is_some(), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.status, 1);
}

#[test]
fn without_an_old_state_nothing_is_compared() {
    let pki = Pki::rsa();
    let new = written(&pki, "new.conf", "127.0.0.1:1", NEWEST);
    let (run, _) = rehearse(&pki, &new, "live", &[]);
    assert_eq!(run.status, 2, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no live socket"), "{}", run.stderr);
    let broken = written(&pki, "broken.conf", "127.0.0.1:8443", "ssl_protocols nonsense;");
    assert!(Path::new(&broken).exists());
    let (run, _) = rehearse(&pki, &new, &broken, &[]);
    assert_eq!(run.status, 2, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("nginx does not run"), "{}", run.stderr);
}

#[test]
fn clients_of_an_address_that_is_gone_are_compared_where_they_come_now() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let pair = format!("ssl_certificate {certificate}; ssl_certificate_key {key};");
    let old = pki.path("old.conf");
    let servers = [("127.0.0.1:8443", NEWEST), ("8443", BOTH)]
        .map(|(listen, settings)| server(listen, &format!("{pair} {settings}")));
    let [own, any] = servers;
    let (own, any) =
        (own.trim_end_matches(" }"), any.trim_start_matches("http { access_log off; "));
    fs::write(&old, format!("events {{}}\n{own} }} {any}\n")).unwrap();
    let new = written(&pki, "new.conf", "8443", NEWEST);
    let old = old.display().to_string();
    let (run, report) = rehearse(&pki, &new, &old, &["--clients", "openssl-1.0.2"]);
    assert!(lost(&report).is_some(), "{}{}", run.stdout, run.stderr);
    let (run, report) = rehearse(&pki, &old, &old, &["--clients", "openssl-1.0.2"]);
    assert!(lost(&report).is_none(), "{}{}", run.stdout, run.stderr);
}

#[test]
fn the_old_configuration_wrote_the_access_log_and_its_formats_count() {
    let pki = Pki::rsa();
    let old = written(&pki, "old.conf", "127.0.0.1:8443", BOTH);
    let with_format = fs::read_to_string(&old)
        .unwrap()
        .replace("http {", "http { log_format short '$status<$ssl_protocol<$ssl_cipher';");
    fs::write(&old, with_format).unwrap();
    let new = written(&pki, "new.conf", "127.0.0.1:8443", NEWEST);
    let log = pki.path("access.log");
    let lines = "200<TLSv1.2<ECDHE-RSA-AES128-GCM-SHA256\n200<TLSv1.3<TLS_AES_128_GCM_SHA256\n";
    fs::write(&log, lines).unwrap();
    let log = log.display().to_string();
    let (run, report) = rehearse(&pki, &new, &old, &["--access-log", &log]);
    let finding = lost(&report).unwrap_or_else(|| panic!("{}{}", run.stdout, run.stderr));
    assert!(text(&finding["message"]).contains("1 of 2 requests"), "{finding:#}");
    let (run, _) = rehearse(&pki, &new, "-", &["--access-log", "-"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("stdin is given twice"), "{}", run.stderr);
}
