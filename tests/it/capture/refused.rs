//! Certificates that real peers refused: what was wrong with them at the time of the capture is said.

use rcgen::ExtendedKeyUsagePurpose;
use shakedown::certificate::issue::Authority;
use time::Duration;

use super::packets::plain_pcap_from;
use super::*;
use crate::support::pki::pem;
use crate::support::server::OpenSsl;

/// What `capture` says of the failures in a capture that began then: the first cause and the evidence of each.
fn judged(
    connections: &[Vec<Happened>],
    began: time::OffsetDateTime,
    options: &[&str],
) -> Vec<(String, String)> {
    let frames = frames(&all_packets(connections), Link::Ethernet, false);
    let began = u64::try_from(began.unix_timestamp()).unwrap();
    let (report, _) = report(&plain_pcap_from(began, &frames, Link::Ethernet), options);
    let handshakes = report["handshakes"].as_array().unwrap().iter();
    let failures = handshakes.map(|it| &it["failure"]);
    let text = |it: &Value| it["causes"][0].as_str().unwrap_or_default().to_owned();
    failures.map(|it| (text(it), it["evidence"].to_string())).collect()
}

#[test]
fn it_is_said_what_a_client_found_wrong_with_the_servers_chain() {
    let pki = Pki::new();
    let ca = pki.ca_file();
    let now = pki.now;
    let past = pki.changed("past", &["a.test"], |params| {
        (params.not_before, params.not_after) = (now - Duration::days(90), now - Duration::days(2));
    });
    let healthy = pki.server("healthy", &["a.test"]);
    let leaf = pki.intermediate.issue(&["a.test"]).unwrap();
    let alone = pki.write("alone", &leaf, std::slice::from_ref(&leaf.certificate));
    let usual = ["-tls1_2", "-verify_return_error", "-CAfile", &ca, "-servername"];
    let cases: [(&Files, &[&str], &str, &str); 4] = [
        (&past, &["a.test"], "client-rejects-our-cert", "had expired on"),
        (
            &healthy,
            &["b.test", "-verify_hostname", "b.test"],
            "client-rejects-our-cert",
            "does not cover b.test: it is for a.test",
        ),
        (
            &alone,
            &["a.test"],
            "client-unknown-ca",
            "the chain is incomplete: it lacks the certificate of CN=it intermediate",
        ),
        (
            &healthy,
            &["a.test", "-verify_depth", "0"],
            "client-unknown-ca",
            "the chain itself is in order: names, dates, keys and roots",
        ),
    ];
    for (files, options, cause, evidence) in cases {
        let nginx = listener(files, "ssl_protocols TLSv1.2;");
        let recorder = Recorder::before(nginx.port);
        s_client(recorder.port, &[&usual, options].concat());
        let connections = recorder.connections(1);
        let found = judged(&connections, now, &["--ca-file", &ca]);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.contains(evidence), "{evidence}: {found:?}");
        if evidence.contains("in order") {
            // A year later the same chain would have been expired.
            let later = judged(&connections, now + Duration::days(400), &["--ca-file", &ca]);
            assert!(later[0].1.contains("had expired on"), "{later:?}");
        } else {
            assert_eq!(found[0].0, cause, "{found:?}");
            assert!(!found[0].1.contains("in order"), "{found:?}");
        }
    }
    let foreign = Authority::root("another root", now).unwrap();
    let other = pki.path("other.pem");
    fs::write(&other, pem(&[foreign.certificate])).unwrap();
    let other = other.display().to_string();
    let nginx = listener(&healthy, "ssl_protocols TLSv1.2;");
    let recorder = Recorder::before(nginx.port);
    curl(recorder.port, &["--cacert", &other]);
    let found = judged(&recorder.connections(1), now, &["--ca-file", &other]);
    assert_eq!(found[0].0, "client-unknown-ca", "{found:?}");
    assert!(found[0].1.contains("is not among"), "{found:?}");
}

#[test]
fn it_is_said_what_a_server_found_wrong_with_the_clients_certificate() {
    let pki = Pki::new();
    let (ca, now) = (pki.ca_file(), pki.now);
    let files = pki.server("a", &["a.test"]);
    let [certificate, key] = [&files.certificate, &files.key].map(|it| it.display().to_string());
    let client = |name: &str, purpose: ExtendedKeyUsagePurpose, days: i64| {
        pki.changed(name, &["client"], |params| {
            params.extended_key_usages = vec![purpose];
            (params.not_before, params.not_after) =
                (now - Duration::days(90), now + Duration::days(days));
        })
    };
    let past = client("past", ExtendedKeyUsagePurpose::ClientAuth, -2);
    let server = client("server", ExtendedKeyUsagePurpose::ServerAuth, 90);
    let stranger = Authority::root("another root", now)
        .unwrap()
        .intermediate("another intermediate")
        .unwrap()
        .issue_with(&["stranger"], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
        .unwrap();
    let stranger = pki.write("stranger", &stranger, &stranger.chain());
    let cases: [(Option<&Files>, &str, &str); 4] = [
        (Some(&past), "client-cert-expired", "had expired on"),
        (Some(&server), "client-cert-purpose", "lacks the purpose clientAuth"),
        (
            Some(&stranger),
            "client-cert-untrusted",
            "which is none of the authorities that the server names: CN=it root",
        ),
        (
            None,
            "client-mtls-no-cert-http400",
            "the server asked for a client certificate of CN=it root, and the client sent none",
        ),
    ];
    for (version, with_keys) in [("1.2", false), ("1.3", true)] {
        let verify = ["-Verify", "3", "-verify_return_error", "-CAfile", &ca];
        let server = ["-cert", &certificate, "-key", &key];
        let server = OpenSsl::start(&[&server, verify.as_slice()].concat());
        for (files, cause, evidence) in &cases {
            let recorder = Recorder::before(server.port);
            let keys = pki.path("keys.log").display().to_string();
            let mut options: Vec<String> = vec!["-keylogfile".to_owned(), keys.clone()];
            options.push(format!("-tls{}", version.replace('.', "_")));
            if let Some(files) = files {
                let chain = files.issuers.as_ref().unwrap().display().to_string();
                options.extend(["-cert".to_owned(), files.certificate.display().to_string()]);
                options.extend(["-key".to_owned(), files.key.display().to_string()]);
                options.extend(["-cert_chain".to_owned(), chain]);
            }
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            s_client(recorder.port, &options);
            let more: &[&str] = if with_keys { &["--keylog", &keys] } else { &[] };
            let found = judged(&recorder.connections(1), now, more);
            assert_eq!(found[0].0, *cause, "{version} {found:?}");
            assert!(found[0].1.contains(evidence), "{version} {evidence}: {found:?}");
        }
    }
}
