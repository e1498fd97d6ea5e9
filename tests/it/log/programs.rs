//! Messages of other programs about a faulty server: each installed program is run, and its message must be classified
//! as about that server, with the right cause among the first.

use std::process::{Command, Stdio};

use shakedown::log::json::parse_any;
use shakedown::log::program::ProgramRole;

use super::*;
use crate::support::pki::Pki;
use crate::support::server::says;

/// The commands that connect to a URL with this port, by program.
fn commands(port: u16, ca: &str) -> Vec<Command> {
    let url = format!("https://localhost:{port}/");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "5", "--cacert", ca, &url]);
    let mut wget = Command::new("wget");
    wget.args(["-nv", "-t", "1", "-T", "5", "-O", "/dev/null"])
        .arg(format!("--ca-certificate={ca}"))
        .arg(&url);
    let mut python = Command::new("python3");
    let script = format!(
        "import ssl,urllib.request as r\nr.urlopen('{url}', context=ssl.create_default_context(cafile='{ca}'), timeout=5)"
    );
    python.args(["-c", &script]);
    let mut node = Command::new("node");
    let script = format!(
        "require('https').get('{url}', {{ca: require('fs').readFileSync('{ca}')}}, () => process.exit(0)).on('error', e => {{ console.error(e); process.exit(1) }})"
    );
    node.args(["-e", &script]);
    let mut gnutls = Command::new("gnutls-cli");
    gnutls.args(["--x509cafile", ca, "-p", &port.to_string(), "localhost"]);
    let mut openssl = Command::new("openssl");
    openssl.args([
        "s_client",
        "-connect",
        &format!("localhost:{port}"),
        "-CAfile",
        ca,
        "-verify_hostname",
        "localhost",
    ]);
    vec![curl, wget, python, node, gnutls, openssl]
}

/// Runs every installed program, and checks that one of these causes is among the first three for its line.
#[track_caller]
fn all_say(port: u16, ca: &str, expected: &[&str]) {
    let mut ran = 0;
    // Without a locale, wget writes other quotes.
    let locales = ["C", "C.UTF-8"];
    let all = locales.iter().flat_map(|locale| {
        let commands = commands(port, ca).into_iter();
        commands.map(move |mut command| {
            command.env("LC_ALL", locale);
            command
        })
    });
    for mut command in all {
        let name = command.get_program().to_string_lossy().into_owned();
        let Ok(output) = command.stdin(Stdio::null()).output() else { continue };
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(127) {
            continue;
        }
        let causes = text.lines().filter_map(|line| {
            let mut buffer = Vec::new();
            let parsed = parse_any(line.as_bytes(), &mut buffer);
            let diagnosis = classify(&parsed);
            let client =
                diagnosis.program.is_none_or(|program| program.role == ProgramRole::Client);
            diagnosis.mechanism.map(|_| {
                assert!(client, "{line}");
                diagnosis.causes().iter().take(3).map(|(cause, _)| cause.id).collect::<Vec<_>>()
            })
        });
        let causes: Vec<_> = causes.collect();
        let right = causes.iter().flatten().any(|cause| expected.contains(cause));
        assert!(right, "{name} leads to {causes:?}, not {expected:?}:\n{text}");
        ran += 1;
    }
    assert!(ran >= 2, "too few of the programs are installed");
}

#[test]
fn a_server_of_an_unknown_authority() {
    let pki = Pki::new();
    let server =
        s_server(&stranger(&pki, "stranger", ExtendedKeyUsagePurpose::ServerAuth), &["-www"]);
    all_say(server.port, &pki.ca_file(), &["client-unknown-ca", "upstream-untrusted-ca"]);
}

#[test]
fn a_server_under_another_name() {
    let pki = Pki::new();
    let server = s_server(&pki.server("a", &["other.test"]), &["-www"]);
    all_say(server.port, &pki.ca_file(), &["client-rejects-our-cert", "upstream-name-mismatch"]);
}

#[test]
fn a_server_whose_certificate_has_expired() {
    let pki = Pki::new();
    let (from, to) = (pki.now - time::Duration::days(60), pki.now - time::Duration::days(1));
    let expired = pki.changed("expired", &["localhost"], |params| {
        (params.not_before, params.not_after) = (from, to);
    });
    let server = s_server(&expired, &["-www"]);
    all_say(server.port, &pki.ca_file(), &["upstream-certificate-expired"]);
}

#[test]
fn a_server_without_tls() {
    let plain = says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    let pki = Pki::new();
    all_say(plain.port(), &pki.ca_file(), &["client-tls-to-plain-port", "upstream-plain-http"]);
}
