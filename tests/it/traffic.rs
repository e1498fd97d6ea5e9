//! The number of connections of a run, compared with the page about it.

use crate::support::pki::Pki;
use crate::support::program::{Audit, audit, shakedown};
use crate::support::script;
use crate::support::server::Nginx;

/// The number on the page for a run, in code font in its row.
fn promised(run: &str) -> u64 {
    let row = include_str!("../../docs/traffic.md")
        .lines()
        .find(|line| line.starts_with(&format!("| `{run}`")))
        .unwrap_or_else(|| panic!("no row for {run}"));
    let digits: String =
        row.rsplit('|').nth(1).unwrap().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn connections(audit: &Audit) -> u64 {
    audit.target["connections"].as_u64().unwrap()
}

#[test]
fn a_run_opens_the_connections_that_the_page_promises() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test", "127.0.0.1"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let ca_file = pki.ca_file();
    let named = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let address = format!("127.0.0.1:{}", nginx.port);
    let run = |command: &str, args: &[&str]| {
        connections(&audit(command, &[args, &["--ca-file", &ca_file]].concat()))
    };
    assert_eq!(run("probe", &[&named]), promised("probe NAME"));
    assert_eq!(run("probe", &[&address]), promised("probe ADDRESS"));
    let args = ["probe", "--verbose", &named, "--ca-file", &ca_file];
    let verbose = shakedown(&args).stderr;
    let opened = promised("probe NAME");
    assert_eq!(
        verbose,
        format!(
            "shakedown: pass a.test:443 ({opened} connections)\nshakedown: connections opened: {opened}\n"
        )
    );
    assert!(run("scan", &[&named]) <= promised("scan NAME"));
    assert!(run("scan", &["--clients", "all", &named]) <= promised("scan --clients all NAME"));
}

#[test]
fn a_database_that_counts_errors_sees_logins_and_no_scan() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let tls = script::tls(issued.chain(), issued.private_key());
    let database = script::mysql(tls.port());
    let target = format!("a.test:3306:127.0.0.1:{}", database.port());
    let ca_file = pki.ca_file();
    let probed = audit("probe", &[&target, "--ca-file", &ca_file]);
    assert_eq!(probed.status, 0, "{:#}", probed.target);
    assert_eq!(connections(&probed), promised("probe --starttls mysql NAME"));
    let scanned = audit("scan", &[&target, "--ca-file", &ca_file]);
    scanned.check(&["warning scan-withheld"]).ends(3, "untested");
    assert_eq!(connections(&scanned), connections(&probed));
}
