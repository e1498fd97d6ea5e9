//! Faults of certificates that need special tools: odd names, keys, hashes, versions, purposes, dates of issuers.

use std::net::SocketAddr;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use time::Duration;

use crate::support::pki::{Files, OpenSslAuthority, Pki};
use crate::support::program::{Audit, probe, shakedown};
use crate::support::script;
use crate::support::server::{Nginx, OpenSsl};

fn serve(files: &Files) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ))
}

/// Audits what nginx sends with these files, under this name.
fn audit(pki: &Pki, files: &Files, name: &str, more: &[&str]) -> Audit {
    let nginx = serve(files);
    let (target, ca_file) = (format!("{name}:443:127.0.0.1:{}", nginx.port), pki.ca_file());
    probe(&[&[&*target, "--ca-file", &ca_file], more].concat())
}

#[test]
fn a_common_name_does_not_count() {
    let pki = Pki::new();
    let files = pki.changed("cn", &["a.test"], |params| params.subject_alt_names.clear());
    audit(&pki, &files, "a.test", &[]).check(&["error certificate-without-san"]).ends(1, "fail");
    // OpenSSL, and so nginx as its client, still checks the common name.
    audit(&pki, &files, "a.test", &["--role", "upstream"])
        .check(&["warning certificate-without-san"])
        .ends(0, "pass");
}

#[test]
fn names_that_nearly_match_do_not() {
    let pki = Pki::new();
    let mismatch = &["error hostname-mismatch"][..];
    for (name, covered, expected) in [
        ("A.Test", "a.test", &[][..]),
        ("wild.test", "*.wild.test", mismatch),
        ("bücher.test", "xn--bcher-kvb.test", mismatch),
        ("127.0.0.1", "127.0.0.2", mismatch),
        ("a.test", "127.0.0.1", mismatch),
    ] {
        audit(&pki, &pki.server("near", &[covered]), name, &[]).check(expected);
    }
}

#[test]
fn the_warning_before_expiry_goes_by_lifetime_or_by_the_operator() {
    for pki in [Pki::new(), Pki::rsa()] {
        let check = |from: i64, to: i64, more: &[&str], expected: &[&str]| {
            let dates = (pki.now + Duration::days(from), pki.now + Duration::days(to));
            let files = pki.changed("dated", &["a.test"], |params| {
                (params.not_before, params.not_after) = dates;
            });
            audit(&pki, &files, "a.test", more).check(expected);
        };
        let expiring = &["warning certificate-expiring"][..];
        check(-59, 31, &[], &[]);
        check(-61, 29, &[], expiring);
        check(-59, 31, &["--warning-days", "45"], expiring);
        check(-85, 5, &["--warning-days", "3"], &[]);
        // A certificate with a lifetime of six days is fine on its second day.
        check(-1, 5, &[], &[]);
        check(-5, 1, &[], expiring);
    }
}

#[test]
fn an_intermediate_has_dates_too() {
    let pki = Pki::new();
    for (days, expected) in
        [(-1, "error intermediate-expired"), (5, "warning intermediate-expiring")]
    {
        let end = pki.now + Duration::days(days);
        let change = |params: &mut CertificateParams| params.not_after = end;
        let issuer = pki.root.intermediate_with("it dated", change).unwrap();
        let issued = issuer.issue(&["a.test"]).unwrap();
        let files = pki.write("a", &issued, &issued.chain());
        audit(&pki, &files, "a.test", &[]).check(&[expected]);
    }
}

#[test]
fn a_foreign_intermediate_does_not_complete_a_chain() {
    let (pki, foreign) = (Pki::new(), Pki::new());
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let chain = [issued.certificate.clone(), foreign.intermediate.certificate.clone()];
    let files = pki.write("a", &issued, &chain);
    // It follows that it is unrelated, so that is not reported.
    audit(&pki, &files, "a.test", &[]).check(&["error chain-incomplete"]).ends(1, "fail");
}

#[test]
fn a_certificate_for_clients_is_none_for_servers() {
    let pki = Pki::new();
    let files = pki.changed("client", &["a.test"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    audit(&pki, &files, "a.test", &[]).check(&["error server-auth-missing"]).ends(1, "fail");
}

#[test]
fn the_words_of_a_certificate_do_not_reach_a_terminal() {
    let pki = Pki::new();
    let files = pki.changed("hostile", &["b.test"], |params| {
        params.distinguished_name.push(DnType::CommonName, "\u{1b}]0;owned\u{7}\u{202e}x");
    });
    let nginx = serve(&files);
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let run = shakedown(&["probe", &target, "--ca-file", &pki.ca_file()]);
    assert!(run.stdout.contains("owned"), "{}", run.stdout);
    assert!(!run.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", run.stdout);
}

/// Audits a certificate that rcgen refuses to make.
#[track_caller]
fn check_odd(key: &str, digest: &str, names: Option<&str>, expected: &[&str]) {
    let authority = OpenSslAuthority::new();
    let files = authority.issue(key, digest, names);
    let (certificate, key) =
        (files.certificate.display().to_string(), files.key.display().to_string());
    let options = ["-cert", &certificate, "-key", &key, "-cipher", "DEFAULT:@SECLEVEL=0"];
    let server = OpenSsl::start(&options);
    let target = format!("a.test:443:127.0.0.1:{}", server.port);
    probe(&[&target, "--ca-file", &authority.ca_file()]).check(expected);
}

#[test]
fn short_keys_and_broken_hashes_are_found() {
    let named = Some("DNS:a.test");
    check_odd("rsa:2048", "-sha256", named, &[]);
    check_odd("rsa:1024", "-sha256", named, &["error weak-key"]);
    check_odd("rsa:2048", "-sha1", named, &["error weak-signature"]);
    check_odd("rsa:2048", "-md5", named, &["error weak-signature"]);
}

/// Audits what a scripted TLS server sends.
fn audit_scripted(pki: &Pki, address: SocketAddr) -> Audit {
    probe(&[&format!("a.test:443:{address}"), "--ca-file", &pki.ca_file()])
}

#[test]
fn a_key_that_is_not_the_certificates_is_found() {
    for pki in [Pki::new(), Pki::rsa()] {
        let issued = pki.intermediate.issue(&["a.test"]).unwrap();
        let other = pki.intermediate.issue(&["a.test"]).unwrap();
        let healthy = script::tls(issued.chain(), issued.private_key());
        audit_scripted(&pki, healthy).check(&[]).ends(0, "pass");
        let server = script::tls(issued.chain(), other.private_key());
        audit_scripted(&pki, server).check(&["error handshake-signature-invalid"]).ends(1, "fail");
    }
}

#[test]
fn bytes_that_are_no_certificate_are_found() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let mut chain = issued.chain();
    chain.push(CertificateDer::from(vec![0x30, 3, 1, 2, 3]));
    let server = script::tls(chain, issued.private_key());
    audit_scripted(&pki, server).check(&["error certificate-unreadable"]).ends(1, "fail");
}

#[test]
fn a_certificate_of_version_1_is_refused_for_what_it_is() {
    // It cannot contain names. A finding that its key does not match would be wrong.
    let expected = ["error certificate-refused", "error certificate-without-san"];
    check_odd("rsa:2048", "-sha256", None, &expected);
}
