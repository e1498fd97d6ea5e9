//! A missing intermediate with its URL in the certificate.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, CustomExtension};
use serde_json::Value;

use crate::support::pki::Pki;
use crate::support::program::{Audit, probe, shakedown, text};
use crate::support::server::{Nginx, scripted};

/// An authority information access extension that names one URL for the issuer (RFC 5280 section 4.2.2.1).
pub(crate) fn access(url: &str) -> CustomExtension {
    let tagged = |tag: u8, body: &[u8]| [&[tag, u8::try_from(body.len()).unwrap()], body].concat();
    let method = tagged(0x06, &[0x2b, 6, 1, 5, 5, 7, 0x30, 2]);
    let description = tagged(0x30, &[method, tagged(0x86, url.as_bytes())].concat());
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], tagged(0x30, &description))
}

pub(crate) fn library(document: Vec<u8>) -> SocketAddr {
    scripted(move |stream| answer(stream, &document))
}

fn answer(mut stream: TcpStream, document: &[u8]) {
    let _ = stream.read(&mut [0; 1024]);
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: application/pkix-cert\r\n\r\n");
    let _ = stream.write_all(document);
}

/// Audits a server that sends only its leaf, whose issuer is at that URL.
fn audit(pki: &Pki, library: SocketAddr, options: &[&str]) -> Audit {
    let extension = access(&format!("http://{library}/issuer.der"));
    let change = |params: &mut CertificateParams| params.custom_extensions = vec![extension];
    let issued = pki.intermediate.issue_with(&["a.test"], change).unwrap();
    let files = pki.write("alone", &issued, std::slice::from_ref(&issued.certificate));
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
    let ca_file = pki.ca_file();
    probe(&[&[&*target, "--ca-file", &ca_file], options].concat())
}

#[track_caller]
fn check(audit: &Audit, verified: bool, evidence: &str) {
    audit.check(&["error chain-incomplete"]).ends(1, "fail");
    let finding = audit.findings().next().unwrap();
    assert_eq!(finding["fix"]["verified"] == true, verified, "{finding:#}");
    let facts = finding["evidence"].as_array().unwrap();
    assert!(facts.iter().any(|fact| text(fact).contains(evidence)), "{finding:#}");
}

#[test]
fn a_fetched_issuer_is_tried() {
    let pki = Pki::new();
    let library = library(pki.intermediate.certificate.to_vec());
    check(&audit(&pki, library, &[]), false, "it can be fetched from http://127.0.0.1");
    check(&audit(&pki, library, &["--fetch-issuers"]), false, "127.0.0.1 is not a public address");
    check(&audit(&pki, library, &["--fetch-issuers=anywhere"]), true, "the chain is complete");
}

#[test]
fn what_does_not_help_is_said() {
    let pki = Pki::new();
    let stranger = library(Pki::new().intermediate.certificate.to_vec());
    check(&audit(&pki, stranger, &["--fetch-issuers=anywhere"]), false, "still incomplete");
    let junk = library(b"<html>".to_vec());
    check(&audit(&pki, junk, &["--fetch-issuers=anywhere"]), false, "is not a certificate");
}

#[test]
fn a_replay_has_what_was_fetched() {
    let pki = Pki::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let document = pki.intermediate.certificate.to_vec();
    let library = {
        let asked = Arc::clone(&asked);
        scripted(move |stream| {
            asked.fetch_add(1, Ordering::SeqCst);
            answer(stream, &document);
        })
    };
    let saved = pki.path("seen.jsonl").display().to_string();
    let options = ["--fetch-issuers=anywhere", "--save-observations", &saved];
    let recorded = audit(&pki, library, &options);
    check(&recorded, true, "the chain is complete");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let run = shakedown(&["replay", &saved, "--format", "json"]);
    let replayed: Value = serde_json::from_str(&run.stdout).unwrap();
    let again: Vec<&Value> =
        replayed["targets"][0]["findings"].as_array().unwrap().iter().collect();
    assert_eq!(again, recorded.findings().collect::<Vec<_>>());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a replay asks nobody");
}
