//! Words that a shell would expand, or that zsh would read as a pattern.

use super::commands;
use super::scene::{Shown, Sign, shells};
use crate::support::pki::Pki;
use crate::support::program::{audit, text};
use crate::support::server::Nginx;

const HOSTILE: [&str; 13] = [
    "a b",
    "it's",
    "$(touch x)",
    "`touch x`",
    "*.[a-z]?",
    "~root",
    "=ls",
    "a;b|c&d>e",
    "!!",
    "\\n%s",
    "{a,b}",
    "#x^y",
    "a\nb",
];

/// The words that a shell passes to a command's openssl.
fn words(shell: &str, command: &str) -> String {
    let script = format!("openssl() {{ printf '<%s>' \"$@\"; }}; {command}");
    Shown::by(shell, &script, Sign::Fails.patience()).text
}

#[test]
fn every_shell_reads_each_word_as_it_was_meant() {
    let pki = Pki::new();
    let files = pki.server("api", &["api.test"]);
    let nginx = Nginx::start(&super::scene::block(&files, ""));
    let address = format!("127.0.0.1:{}", nginx.port);
    for hostile in HOSTILE {
        let trusted = pki.path(hostile);
        std::fs::copy(pki.ca_file(), &trusted).unwrap();
        let trusted = trusted.display().to_string();
        let audited = audit(
            "probe",
            &[
                "--as-nginx",
                "--nginx-version",
                "1.22.1",
                "--trust",
                "mozilla",
                "--proxy-ssl-verify",
                "on",
                "--proxy-ssl-trusted-certificate",
                &trusted,
                "--proxy-ssl-name",
                hostile,
                &address,
            ],
        );
        let mut findings = audited.findings();
        let finding = findings.find(|finding| text(&finding["rule"]) == "upstream-name-mismatch");
        let finding = finding.unwrap_or_else(|| panic!("{hostile:?}: {:#}", audited.target));
        for (shell, command) in shells().iter().zip(commands(finding).iter().cycle()) {
            let words = words(shell, command);
            let meant = [format!("<-verify_hostname><{hostile}>"), format!("<-CAfile><{trusted}>")];
            assert!(meant.iter().all(|meant| words.contains(meant)), "{shell} {command}: {words}");
        }
    }
}
