//! A test provokes every class of the table, or the reason why none does is listed.

use shakedown::log::table::{Sign, mechanisms};

/// Classes of the table that no test provokes here, and what would be needed.
const NOT_PROVOKED: &[(&str, &str)] = &[
    (
        "cipher-mismatch",
        "an upstream whose key exchange uses a curve that was not offered: a TLS 1.2 server with a key of its own",
    ),
    ("compression-off", "nginx 1.29.1 or later with an OpenSSL that cannot compress"),
    ("configuration", "a fault of a library that no other row names"),
    ("deprecated", "a release that still knows what it deprecates"),
    ("directive-ignored", "a library that lacks what a directive asks for"),
    ("handshake-unexplained", "a line that somebody shortened"),
    ("late-data", "a peer that writes behind its close_notify"),
    (
        "late-refusal",
        "a race between what nginx sends and the upstream's refusal: lines of it stand in programs.tsv",
    ),
    ("legacy-signature", "a library that signs with MD5 and SHA-1 on one side alone"),
    ("library-fault", "a broken library"),
    ("listen-options", "two servers whose listen directives differ, in a release that warns"),
    ("misdirected", "words of another server than nginx"),
    ("no-server-name", "words of people, not of nginx"),
    ("not-h2", "the gRPC module, which the smallest package lacks"),
    ("not-resolved", "a resolver"),
    ("ocsp-responder", "a responder named in the certificate"),
    ("peer-signature", "a TLS 1.2 server that signs with an algorithm that was not offered"),
    ("protocol-is-shutdown", "a write behind a close, which newer releases do not make"),
    ("server-name-callback", "another server than nginx"),
    ("session-cache-full", "thousands of sessions"),
    ("session-context", "a session cache that two settings share"),
    ("shutdown", "a peer that breaks the close"),
    ("shutdown-in-handshake", "a close within the handshake, which newer releases do not make"),
    ("stale-error", "a module that leaves errors behind"),
    ("tls-error", "a reason that no other row names"),
    ("unexpected-eof", "nginx before 1.21.2 with OpenSSL 3"),
    ("unknown-protocol", "OpenSSL 1.0"),
    ("verify-chain-too-long", "OpenSSL 1.1"),
    ("verify-crl-expired", "a list of revoked certificates"),
    ("verify-no-crl", "a list of revoked certificates"),
    ("verify-revoked", "a list of revoked certificates"),
    ("verify-other", "a result that no other row names"),
    ("verify-too-weak", "a chain below the security level, which the test's library does not make"),
    ("version-too-high", "a library that is older than its peer"),
];

/// The text of these tests, which is searched for each class.
const SOURCES: &[&str] = &[
    include_str!("alerts.rs"),
    include_str!("client.rs"),
    include_str!("command.rs"),
    include_str!("configuration.rs"),
    include_str!("coverage.rs"),
    include_str!("explain.rs"),
    include_str!("mod.rs"),
    include_str!("programs.rs"),
    include_str!("upstream.rs"),
    include_str!("wire.rs"),
];

#[test]
fn every_class_is_provoked_or_it_is_said_what_that_would_take() {
    let tests = SOURCES.concat();
    let mut missing: Vec<&str> = mechanisms()
        .iter()
        .filter(|row| row.about_nginx() && !matches!(row.sign, Sign::Alert(_)))
        .map(|row| row.class)
        .filter(|class| !tests.contains(&format!("\"{class}\"")))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "{missing:#?}");
    for (class, what) in NOT_PROVOKED {
        let mentions = tests.matches(&format!("\"{class}\"")).count();
        let known = mechanisms().iter().any(|row| row.class == *class);
        assert!(known && mentions == 1 && !what.is_empty(), "{class} is provoked, or unknown");
    }
}
