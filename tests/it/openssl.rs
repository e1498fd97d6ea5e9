//! Findings for `openssl s_server`: old, strict or unusual servers.

use crate::support::pki::{Files, Pki, openssl_req};
use crate::support::program::{Audit, probe, text};
use crate::support::server::OpenSsl;

fn serve(files: &Files, options: &[&str]) -> OpenSsl {
    let (certificate, key) =
        (files.certificate.display().to_string(), files.key.display().to_string());
    let mut all = vec!["-cert", &certificate, "-key", &key];
    let issuers = files.issuers.as_ref().map(|path| path.display().to_string());
    if let Some(issuers) = &issuers {
        all.extend(["-cert_chain", issuers]);
    }
    OpenSsl::start(&[&all, options].concat())
}

fn audit(ca_file: &str, server: &OpenSsl, more: &[&str]) -> Audit {
    let target = format!("a.test:443:127.0.0.1:{}", server.port);
    let args: Vec<&str> = [&*target, "--ca-file", ca_file].iter().chain(more).copied().collect();
    probe(&args)
}

#[test]
fn a_server_of_old_versions_only_is_old_and_not_broken() {
    let pki = Pki::rsa();
    let server = serve(&pki.server("a", &["a.test"]), &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]);
    let audit = audit(&pki.ca_file(), &server, &[]);
    audit.check(&["error legacy-protocol-only"]).ends(1, "fail");
    let finding = audit.findings().next().unwrap();
    assert!(text(&finding["message"]).contains("TLSv1 and nothing newer"), "{finding:#}");
}

#[test]
fn an_old_version_beside_new_ones_shows_where_versions_are_expected() {
    let pki = Pki::rsa();
    let options = ["-min_protocol", "TLSv1", "-cipher", "ALL:@SECLEVEL=0"];
    let server = serve(&pki.server("a", &["a.test"]), &options);
    let config = pki.path("targets.toml");
    let target = format!("a.test:443:127.0.0.1:{}", server.port);
    let expect = "expect = { protocols = ['TLSv1.2', 'TLSv1.3'] }";
    std::fs::write(
        &config,
        format!("[[target]]\naddress = '{target}'\nca_file = 'ca.pem'\n{expect}\n"),
    )
    .unwrap();
    let audit = probe(&["--config", &config.display().to_string()]);
    audit.check(&["error legacy-protocol-accepted"]).ends(1, "fail");
}

#[test]
fn a_server_of_old_suites_only_is_old_and_not_broken() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    for suite in ["AES128-SHA", "ECDHE-RSA-AES256-SHA384", "AES256-GCM-SHA384"] {
        let server = serve(&files, &["-tls1_2", "-cipher", suite]);
        let audit = audit(&pki.ca_file(), &server, &[]);
        audit.check(&["warning legacy-cipher-only"]).ends(3, "untested");
    }
    let server = serve(&files, &["-cipher", "AES128-SHA"]);
    audit(&pki.ca_file(), &server, &[]).check(&["warning legacy-cipher-only"]).ends(0, "pass");
}

#[test]
fn a_server_of_rare_groups_only_is_odd_and_not_broken() {
    let pki = Pki::rsa();
    let server = serve(&pki.server("a", &["a.test"]), &["-tls1_3", "-groups", "P-521"]);
    let audit = audit(&pki.ca_file(), &server, &[]);
    audit.check(&["warning cipher-mismatch"]).ends(3, "untested");
    assert!(text(&audit.findings().next().unwrap()["evidence"][0]).contains("secp521r1"));
}

#[test]
fn a_client_certificate_is_demanded_in_the_handshake_or_after_it() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let client = pki.client("client");
    let (certificate, key) =
        (client.certificate.display().to_string(), client.key.display().to_string());
    let ca_file = pki.ca_file();
    for (version, note) in
        [("-tls1_2", "note tls13-unsupported"), ("-tls1_3", "note tls12-unsupported")]
    {
        let server =
            serve(&files, &["-Verify", "3", "-verify_return_error", "-CAfile", &ca_file, version]);
        let refused = audit(&ca_file, &server, &[]);
        refused.check(&["error client-certificate-required", note]).ends(1, "fail");
        let presented = ["--client-cert", &certificate, "--client-key", &key];
        let served = audit(&ca_file, &server, &presented);
        let rules: Vec<_> =
            served.findings().map(|finding| text(&finding["rule"]).to_owned()).collect();
        assert!(rules.contains(&note.trim_start_matches("note ").to_owned()), "{rules:?}");
        assert!(!rules.iter().any(|rule| rule.starts_with("client-certificate-re")), "{rules:?}");
    }
}

#[test]
fn the_refusal_after_a_tls13_handshake_is_alert_116() {
    let pki = Pki::new();
    let server =
        serve(&pki.server("a", &["a.test"]), &["-Verify", "1", "-verify_return_error", "-tls1_3"]);
    let audit = audit(&pki.ca_file(), &server, &[]);
    let late = audit.handshakes().iter().filter(|cell| {
        cell["alert"]["number"] == 116
            && text(&cell["stage"]) == "post-handshake"
            && text(&cell["version"]) == "TLSv1.3"
    });
    assert_eq!(late.count(), 2, "{:#}", audit.target);
}

#[test]
fn weak_keys_and_signatures_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let short = openssl_req(folder.path(), "short", &["-newkey", "rsa:1024"]);
    let server = serve(&short, &["-cipher", "DEFAULT:@SECLEVEL=0"]);
    audit(&short.certificate.display().to_string(), &server, &[])
        .check(&["error weak-key"])
        .ends(1, "fail");
}

#[test]
fn a_self_signed_certificate_is_untrusted_unless_it_is_the_anchor() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let own = openssl_req(folder.path(), "own", &["-newkey", "rsa:2048"]);
    let server = serve(&own, &[]);
    audit(&pki.ca_file(), &server, &[]).check(&["error self-signed"]);
    audit(&own.certificate.display().to_string(), &server, &[]).check(&[]).ends(0, "pass");
}
