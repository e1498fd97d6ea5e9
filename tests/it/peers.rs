//! Peers that are not TLS servers, or are malicious: each is recognized, in limited time and memory.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::program::{Audit, probe, text};
use crate::support::server::{says, scripted};

/// Longer than any timeout of these tests.
const PATIENCE: Duration = Duration::from_secs(30);

fn audit(address: SocketAddr, more: &[&str]) -> Audit {
    let target = format!("a.test:443:{address}");
    let args: Vec<&str> =
        [&*target, "--trust", "mozilla", "--timeout", "1s"].iter().chain(more).copied().collect();
    let started = Instant::now();
    let audit = probe(&args);
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
    audit
}

#[test]
fn plain_protocols_are_recognised_by_their_greeting() {
    for (words, evidence) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        (b"220 mail.test ESMTP\r\n", "greets in plain text"),
        (b"\0\0\0\0", "first bytes"),
    ] {
        let audit = audit(says(words), &[]);
        audit.check(&["error not-tls"]).ends(1, "fail");
        assert!(text(&audit.findings().next().unwrap()["evidence"][0]).contains(evidence));
    }
}

#[test]
fn a_peer_that_never_answers_could_not_be_tested() {
    let silent = scripted(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    audit(silent, &[]).check(&["warning handshake-timeout"]).ends(3, "untested");
}

#[test]
fn a_byte_a_second_does_not_stretch_the_deadline() {
    let drip = scripted(|mut stream| {
        let record: Vec<u8> = [22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0]
            .into_iter()
            .chain(std::iter::repeat_n(0, 50))
            .collect();
        for byte in record {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(500));
        }
    });
    audit(drip, &[]).check(&["warning handshake-timeout"]).ends(3, "untested");
}

#[test]
fn floods_are_cut_off() {
    let junk = scripted(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    audit(junk, &[]).check(&["error not-tls"]).ends(1, "fail");
    let warnings = scripted(|mut stream| {
        let warning = [21, 3, 3, 0, 2, 1, 90].repeat(1000);
        while stream.write_all(&warning).is_ok() {}
    });
    audit(warnings, &[]).check(&["error protocol-error"]).ends(1, "fail");
}

#[test]
fn a_peer_that_hangs_up_fails_every_client() {
    audit(says(b""), &[]).check(&["error connection-closed"]).ends(1, "fail");
}

#[test]
fn starttls_that_is_refused_says_the_servers_words() {
    let mail = scripted(|mut stream| {
        for words in [&b"220 mail\r\n"[..], b"250 mail\r\n", b"454 TLS not available \x1b[31m\r\n"]
        {
            let _ = stream.write_all(words);
            let _ = stream.read(&mut [0; 512]);
        }
    });
    let audit = audit(mail, &["--starttls", "smtp"]);
    audit.check(&["error starttls-refused"]).ends(1, "fail");
    assert!(
        text(&audit.findings().next().unwrap()["evidence"][0]).contains("454 TLS not available")
    );
}
