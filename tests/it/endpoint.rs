//! Findings for an endpoint as a whole: names and versions together, resumption, STARTTLS, connection ends, exit
//! statuses.

use std::net::SocketAddr;

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, probe, shakedown, shakedown_with, text};
use crate::support::script;
use crate::support::server::{Nginx, OpenSsl, free_port, says};

/// The enabled versions, and what a proxy finds missing.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("TLSv1.2 TLSv1.3", &[]),
    ("TLSv1.2", &["note tls13-unsupported"]),
    ("TLSv1.3", &["warning tls12-unsupported"]),
];

const REJECTING: &str =
    "server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }";

fn block(files: &Files, more: &str) -> String {
    format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; {more} }}",
        files.certificate.display(),
        files.key.display()
    )
}

fn audit(pki: &Pki, port: u16, more: &[&str]) -> Audit {
    let (target, ca_file) = (format!("a.test:443:127.0.0.1:{port}"), pki.ca_file());
    probe(&[&[&*target, "--ca-file", &ca_file], more].concat())
}

const UPSTREAM: &[&str] = &["--role", "upstream"];

#[test]
fn a_healthy_server_is_clean_in_every_version_with_either_kind_of_key() {
    for pki in [Pki::new(), Pki::rsa()] {
        let files = pki.server("a", &["a.test"]);
        for (versions, missing) in VERSIONS {
            let servers = format!("ssl_protocols {versions}; {}", block(&files, ""));
            let nginx = Nginx::start(&servers);
            audit(&pki, nginx.port, UPSTREAM).check(missing).ends(0, "pass");
        }
        let (certificate, key) =
            (files.certificate.display().to_string(), files.key.display().to_string());
        let issuers = files.issuers.unwrap().display().to_string();
        let fixed = ["-cert", &certificate, "-key", &key, "-cert_chain", &issuers];
        let server = OpenSsl::start(&fixed);
        audit(&pki, server.port, UPSTREAM).check(&[]).ends(0, "pass");
        let server = OpenSsl::start(&[&fixed[..], &["-no_ticket", "-no_cache"]].concat());
        audit(&pki, server.port, &[]).check(&["note session-resumption-unsupported"]);
    }
}

#[test]
fn a_name_is_required_in_every_version_with_either_kind_of_key() {
    for pki in [Pki::new(), Pki::rsa()] {
        let own = block(&pki.server("a", &["a.test"]), "server_name a.test;");
        for (versions, missing) in VERSIONS {
            let nginx = Nginx::start(&format!("ssl_protocols {versions}; {REJECTING} {own}"));
            let audit = audit(&pki, nginx.port, UPSTREAM);
            audit.check(&[&["error sni-required"], missing].concat()).ends(1, "fail");
            // The evidence is a version that works with the name: another one fails in both cases.
            let evidence = audit.findings().next().unwrap()["evidence"].to_string();
            assert!(evidence.contains("alert 112 (unrecognized_name)"), "{evidence}");
            assert!(nginx.logs("handshake rejected while SSL handshaking"));
        }
    }
}

#[test]
fn the_name_to_send_comes_from_the_certificate() {
    let pki = Pki::new();
    let own = block(&pki.server("a", &["api.internal.test"]), "server_name a.test;");
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let nginx = Nginx::start(&format!("{both} {REJECTING} {own}"));
    let audit = audit(&pki, nginx.port, UPSTREAM);
    audit.check(&["error hostname-mismatch", "error sni-required"]);
    let finding = audit.findings().find(|finding| finding["rule"] == "sni-required").unwrap();
    assert_eq!(finding["fix"]["directives"][1]["value"], "api.internal.test");
}

#[test]
fn a_server_can_refuse_one_name_and_serve_the_rest() {
    let pki = Pki::new();
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let default = block(&pki.server("b", &["b.test"]), "server_name b.test;")
        .replace("PORT ssl", "PORT ssl default_server");
    let rejects =
        "server { listen 127.0.0.1:PORT ssl; server_name a.test; ssl_reject_handshake on; }";
    let nginx = Nginx::start(&format!("{both} {default} {rejects}"));
    let audit = audit(&pki, nginx.port, UPSTREAM);
    audit.check(&["error sni-name-rejected"]).ends(1, "fail");
    let directive = &audit.findings().next().unwrap()["fix"]["directives"][0];
    assert_eq!((text(&directive["name"]), text(&directive["value"])), ("proxy_ssl_name", "b.test"));
}

#[test]
fn a_default_certificate_that_covers_the_name_is_not_a_fault() {
    let pki = Pki::new();
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let default = block(&pki.server("default", &["default.test", "a.test"]), "");
    let own = block(&pki.server("a", &["a.test"]), "server_name a.test;");
    let nginx = Nginx::start(&format!("{both} {default} {own}"));
    audit(&pki, nginx.port, UPSTREAM).check(&[]).ends(0, "pass");
}

#[test]
fn sessions_are_resumed_from_tickets_or_from_a_cache() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let unsupported = &["note session-resumption-unsupported"][..];
    for (settings, expected) in [
        ("ssl_session_cache off; ssl_session_tickets off;", unsupported),
        ("ssl_session_cache none; ssl_session_tickets off;", unsupported),
        ("ssl_session_cache shared:s:1m; ssl_session_tickets off;", &[]),
        ("ssl_session_cache off; ssl_session_tickets on;", &[]),
    ] {
        for (versions, missing) in VERSIONS {
            let servers = format!("ssl_protocols {versions}; {settings} {}", block(&files, ""));
            let nginx = Nginx::start(&servers);
            audit(&pki, nginx.port, UPSTREAM).check(&[expected, missing].concat());
        }
    }
}

#[test]
fn an_ecdsa_server_of_old_suites_only_is_old_and_not_broken() {
    let pki = Pki::new();
    let old = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA;";
    let nginx = Nginx::start(&block(&pki.server("a", &["a.test"]), old));
    audit(&pki, nginx.port, &[]).check(&["warning legacy-cipher-only"]).ends(3, "untested");
}

#[test]
fn further_names_must_be_covered() {
    let pki = Pki::new();
    let nginx = Nginx::start(&block(
        &pki.server("a", &["a.test", "b.test"]),
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ));
    let config = pki.path("targets.toml");
    let check = |name: &str, expected: &[&str]| {
        let text = format!(
            "[[target]]\naddress = 'a.test:443:127.0.0.1:{}'\nca_file = 'ca.pem'\nextra_names = ['{name}']\n",
            nginx.port
        );
        std::fs::write(&config, text).unwrap();
        probe(&["--config", &config.display().to_string()]).check(expected);
    };
    check("b.test", &[]);
    check("c.test", &["error hostname-mismatch"]);
}

#[test]
fn smtp_is_upgraded_and_audited() {
    let pki = Pki::new();
    let nginx =
        Nginx::start(&block(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;"));
    let mail = script::smtp(nginx.port);
    let upgraded = audit(&pki, mail.port(), &["--starttls", "smtp"]);
    upgraded.check(&[]).ends(0, "pass");
    assert_eq!(upgraded.handshakes().len(), 4);
    let in_tls_at_once = ["--starttls", "smtp", "--timeout", "500ms"];
    audit(&pki, nginx.port, &in_tls_at_once)
        .check(&["warning handshake-timeout"])
        .ends(3, "untested");
}

#[test]
fn ends_without_a_handshake_are_distinguished() {
    let check = |address: SocketAddr, expected: &str| {
        probe(&[&format!("a.test:443:{address}"), "--trust", "mozilla"])
            .check(&[expected])
            .ends(1, "fail");
    };
    check(script::resets(), "error connection-reset");
    check(script::resets_at_once(), "error connection-reset");
    check(says(&[21, 3, 3, 0, 2, 2, 40]), "error handshake-refused");
    check(says(&[21, 3, 3, 0, 2, 2, 80]), "error handshake-refused");
}

#[test]
fn a_limit_on_connections_is_respected_and_reported() {
    let pki = Pki::new();
    let nginx =
        Nginx::start(&block(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;"));
    for most in [1, 2] {
        let limited = script::gate(nginx.port, move |_, open| open < most);
        let audit = audit(&pki, limited.port(), &[]);
        audit.check(&["note connections-limited"]).ends(0, "pass");
    }
}

#[test]
fn answers_that_differ_between_equal_connections_are_unsteady() {
    let pki = Pki::new();
    let nginx =
        Nginx::start(&block(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;"));
    let taking_turns = script::gate(nginx.port, |before, _| before % 2 == 0);
    let audit_of = |port: u16| audit(&pki, port, &[]);
    let audit = audit_of(taking_turns.port());
    audit.check(&["warning unsteady-answers"]).ends(3, "untested");
    // Bans by a firewall or fail2ban.
    let banning = script::gate(nginx.port, |before, _| before < 3);
    let audit = audit_of(banning.port());
    audit.check(&["warning turned-away"]).ends(3, "untested");
}

/// A healthy probe makes seven connections; the server stops after each number of them.
#[test]
fn a_server_that_dies_amid_the_run_is_never_untested_without_a_reason() {
    let pki = Pki::new();
    let nginx =
        Nginx::start(&block(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.2 TLSv1.3;"));
    let (ca_file, json) = (pki.ca_file(), pki.path("report.json"));
    let also_json = format!("json={}", json.display());
    let mut ends = Vec::new();
    for connections in 0..=8 {
        let address = script::gone_after(nginx.port, connections);
        let target = format!("a.test:443:{address}");
        let run = shakedown(&["probe", &target, "--ca-file", &ca_file, "--output", &also_json]);
        let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        let target = &report["targets"][0];
        let shown = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let untested = target["untested"].as_array().unwrap();
        assert_eq!(untested.is_empty(), text(&target["status"]) == "pass", "{target:#}");
        for one in untested {
            let reason = text(&one["reason"]);
            assert!(!reason.is_empty() && shown.contains(reason), "{one} is not in {shown}");
        }
        ends.push((run.status, text(&target["status"]).to_owned()));
    }
    let untested = (3, "untested".to_owned());
    assert_eq!(ends[0], untested);
    assert!(ends[1..7].contains(&untested), "{ends:?}");
    assert_eq!(ends[8], (0, "pass".to_owned()));
}

#[test]
fn a_ban_on_one_name_is_still_the_servers_answer() {
    let pki = Pki::new();
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let nginx = Nginx::start(&block(&pki.server("b", &["b.test"]), both));
    let hates_the_name = script::refuses_name(nginx.port, "a.test");
    audit(&pki, hates_the_name.port(), UPSTREAM).check(&["error sni-name-rejected"]);
}

#[test]
fn an_alert_behind_the_handshake_is_a_refusal() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let refusing = script::alerts_after_the_handshake(issued.chain(), issued.private_key(), 40);
    let audit = audit(&pki, refusing.port(), &[]);
    audit.check(&["error handshake-refused", "note tls12-unsupported"]).ends(1, "fail");
    let late = audit.handshakes().iter().filter(|cell| text(&cell["stage"]) == "post-handshake");
    assert_eq!(late.count(), 2, "{:#}", audit.target);
}

#[test]
fn the_exit_status_is_the_worst_that_was_found() {
    let pki = Pki::new();
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let expired = pki.changed("expired", &["a.test"], |params| {
        params.not_after = pki.now - time::Duration::days(1);
    });
    let healthy = Nginx::start(&block(&pki.server("a", &["a.test"]), both));
    let expired = Nginx::start(&block(&expired, both));
    let [healthy, expired, closed] = [healthy.port, expired.port, free_port()]
        .map(|port| format!("a.test:443:127.0.0.1:{port}"));
    for (targets, fail_on, expected) in [
        (&[&healthy][..], "error", 0),
        (&[&expired], "error", 1),
        (&[&closed], "error", 3),
        (&[&healthy, &expired], "error", 1),
        (&[&healthy, &closed], "error", 3),
        (&[&closed, &expired, &healthy], "error", 1),
        (&[&expired], "never", 0),
        (&[&closed], "never", 3),
        (&[&closed], "warning", 1),
    ] {
        let targets: Vec<&str> = targets.iter().map(|target| target.as_str()).collect();
        let ca_file = pki.ca_file();
        let options = ["probe", "--format", "json", "--fail-on", fail_on, "--ca-file", &ca_file];
        let run = shakedown(&[&options, &targets[..]].concat());
        assert_eq!(run.status, expected, "{targets:?} {fail_on}: {}", run.stdout);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let audited = report["targets"].as_array().unwrap().iter();
        assert!(audited.into_iter().all(|target| !target["handshakes"][0].is_null()));
    }
}

#[test]
fn a_list_is_audited_in_its_order() {
    let pki = Pki::new();
    let both = "ssl_protocols TLSv1.2 TLSv1.3;";
    let nginx = Nginx::start(&block(&pki.server("a", &["a.test", "b.test"]), both));
    let line = |name: &str| format!("{name}:443:127.0.0.1:{}", nginx.port);
    let list = format!("# two names\n{}\n\n{}  # the second\n", line("b.test"), line("a.test"));
    let ca_file = pki.ca_file();
    let run = shakedown_with(&["probe", "-", "--format", "json", "--ca-file", &ca_file], &list);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let targets = report["targets"].as_array().unwrap().iter();
    let found: Vec<_> =
        targets.map(|target| (text(&target["host"]), target["origin"]["line"].as_u64())).collect();
    assert_eq!(found, [("b.test", Some(2)), ("a.test", Some(4))]);
}
