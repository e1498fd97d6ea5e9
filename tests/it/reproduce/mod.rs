//! The printed commands show the fault with the faulty server, and none with a healthy one, in each shell.

mod certificate;
mod chain;
mod client;
mod protocol;
mod quoting;
mod reachability;
mod scene;
mod session;
mod upstream;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::program::text;
use scene::{Scene, Shown, shells};

/// A rule whose findings contain commands, and two servers: one with its fault, one without.
type Row = (&'static str, fn() -> Scene);

/// Rules whose fault cannot be provoked on loopback, and what would be needed.
const OUT_OF_REACH: [(&str, &str); 10] = [
    ("addresses-untested", "a name with more addresses than are tested"),
    ("certificate-differs-by-address", "a name with two addresses"),
    ("connect-timeout", "a network that drops what is sent"),
    ("http3-not-advertised", "a server of QUIC beside one of TCP"),
    ("http3-refused", "s_client -quic, of OpenSSL 3.2"),
    ("network-unreachable", "a network without a route"),
    ("not-tested", "a machine without a free socket"),
    ("quic-certificate-differs", "s_client -quic, of OpenSSL 3.2"),
    ("quic-unreachable", "s_client -quic, of OpenSSL 3.2"),
    ("served-settings-stale", "a configuration that a running nginx has not loaded"),
];

/// Checks for each rule that its fault is found only with the faulty server, and that its commands show it only there.
#[track_caller]
fn check(rows: &[Row]) {
    let wrong =
        rows.iter().filter_map(|(rule, scene)| Some(format!("{rule}: {}", wrong(rule, &scene())?)));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The failed checks for one rule.
fn wrong(rule: &str, scene: &Scene) -> Option<String> {
    let printed = scene.printed(rule);
    if printed.is_empty() || !printed.iter().all(|command| scene.at_fault(command)) {
        return Some(format!("no command for it: {printed:?}"));
    }
    let harmless: Vec<String> = printed.iter().map(|command| scene.at_health(command)).collect();
    for shell in shells() {
        let shown = |command: &String| Shown::by(shell, command, scene.sign.patience());
        let faulty: Vec<Shown> = printed.iter().map(shown).collect();
        if !scene.sign.shows(&faulty) {
            return Some(format!("{shell} does not show it: {faulty:#?}"));
        }
        let healthy: Vec<Shown> = harmless.iter().map(shown).collect();
        if scene.sign.shows(&healthy) {
            return Some(format!("{shell} shows it at a healthy server: {healthy:#?}"));
        }
    }
    let healthy = scene.audit(&scene.healthy, &scene.healthy_args);
    let mut findings = healthy["findings"].as_array().unwrap().iter();
    let found = findings.any(|finding| text(&finding["rule"]) == rule);
    found.then(|| format!("found at a healthy server: {healthy:#}"))
}

#[test]
fn what_is_printed_of_a_certificate_shows_its_fault_and_no_other() {
    check(certificate::ROWS);
}

#[test]
fn what_is_printed_of_a_chain_shows_its_fault_and_no_other() {
    check(chain::ROWS);
}

#[test]
fn what_is_printed_of_client_certificates_shows_the_fault_and_no_other() {
    check(client::ROWS);
}

#[test]
fn what_is_printed_of_versions_suites_and_names_shows_the_fault_and_no_other() {
    check(protocol::ROWS);
}

#[test]
fn what_is_printed_of_an_end_shows_it_and_no_other() {
    check(reachability::ROWS);
}

#[test]
fn what_is_printed_of_sessions_shows_the_fault_and_no_other() {
    check(session::ROWS);
}

#[test]
fn what_is_printed_of_an_upstream_shows_its_fault_and_no_other() {
    check(upstream::ROWS);
}

/// The ids of the rules that print a command that asks a server, or for one.
fn rules_with_commands() -> BTreeSet<String> {
    let specimens = fs::read_to_string("testdata/findings.txt").unwrap();
    let asks = |line: &str| line.starts_with("  $ ") && !line.contains("-certfile a.pem");
    let with = specimens.split("\n\n").filter(|text| text.lines().any(asks));
    with.map(|text| text.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_that_prints_a_command_is_tried() {
    let tables = [
        certificate::ROWS,
        chain::ROWS,
        client::ROWS,
        protocol::ROWS,
        reachability::ROWS,
        session::ROWS,
        upstream::ROWS,
    ];
    let tried = tables.concat().into_iter().map(|(rule, _)| rule.to_owned());
    let excused = OUT_OF_REACH.iter().map(|(rule, _)| (*rule).to_owned());
    let tried: BTreeSet<String> = tried.chain(excused).collect();
    let with = rules_with_commands();
    let (more, less): (Vec<_>, Vec<_>) =
        (tried.difference(&with).collect(), with.difference(&tried).collect());
    assert!(
        more.is_empty() && less.is_empty(),
        "without a command: {more:?}, without a row: {less:?}"
    );
}

/// The commands of a finding.
fn commands(finding: &Value) -> Vec<String> {
    finding["reproduce"].as_array().unwrap().iter().map(|it| text(it).to_owned()).collect()
}
