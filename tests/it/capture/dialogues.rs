//! What comes before TLS, and what TLS 1.3 hides: dialogues, PROXY headers, encrypted alerts of two stacks.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::support::script;
use crate::support::server::OpenSsl;

#[test]
fn tls_that_comes_after_a_dialogue_is_found() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "");
    for (protocol, front) in
        [("smtp", script::smtp(nginx.port)), ("mysql", script::mysql(nginx.port))]
    {
        let recorder = Recorder::before(front.port());
        s_client(recorder.port, &["-starttls", protocol, "-servername", "a.test"]);
        let (report, status) = report_of(&recorder.connections(1));
        let handshake = &report["handshakes"][0];
        assert_eq!((status, handshake["preface"].as_str()), (0, Some(protocol)), "{report:#}");
        assert_eq!(handshake["hello"]["server_name"], "a.test", "{report:#}");
    }
}

#[test]
fn a_proxy_header_names_the_client() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl proxy_protocol; ssl_certificate {}; ssl_certificate_key {}; }}",
        files.certificate.display(),
        files.key.display()
    ));
    let recorder = Recorder::before(nginx.port);
    curl(recorder.port, &["--haproxy-protocol", "--cacert", &pki.ca_file()]);
    curl(recorder.port, &["--cacert", &pki.ca_file()]);
    assert!(nginx.logs("broken header"), "{}", nginx.error_log());
    let (report, _) = report_of(&recorder.connections(2));
    let with = &report["handshakes"][0];
    assert_eq!(
        (&with["result"], &with["preface"]),
        (&"established".into(), &"proxy-protocol".into())
    );
    let named = with["proxied_client"].as_str().unwrap_or_default();
    assert!(named.starts_with("127.0.0.1:"), "{report:#}");
    let without = &report["handshakes"][1]["failure"];
    assert_eq!(without["causes"][0], "client-proxy-protocol-mismatch", "{report:#}");
}

#[test]
fn a_client_that_refuses_in_an_encrypted_alert_is_inferred_to() {
    let pki = Pki::new();
    let nginx = listener(&pki.server("a", &["a.test"]), "ssl_protocols TLSv1.3;");
    let recorder = Recorder::before(nginx.port);
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = "a.test".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", recorder.port)).unwrap();
    while client.is_handshaking() {
        if client.complete_io(&mut stream).is_err() {
            // The alert still waits.
            let _ = client.write_tls(&mut stream);
            break;
        }
    }
    drop(stream);
    assert!(nginx.logs("unknown ca"), "{}", nginx.error_log());
    let (report, status) = report_of(&recorder.connections(1));
    let failure = &report["handshakes"][0]["failure"];
    assert_eq!((status, &failure["inferred"], &failure["by"]), (1, &true.into(), &"client".into()));
    assert_eq!(failure["class"], "alert-encrypted", "{report:#}");
    assert!(failure["causes"].to_string().contains("client-unknown-ca"), "{report:#}");
}

#[test]
fn a_server_that_refuses_the_client_in_an_encrypted_alert_is_inferred_to() {
    refuses_in_an_encrypted_alert(&["a.test"], &[]);
}

#[test]
fn the_alert_is_found_after_a_flight_of_many_records() {
    let names: Vec<String> = (0..400).map(|number| format!("h{number}.a.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    refuses_in_an_encrypted_alert(&names, &["-max_send_frag", "512"]);
}

#[track_caller]
fn refuses_in_an_encrypted_alert(names: &[&str], options: &[&str]) {
    let pki = Pki::new();
    let files = pki.server("a", names);
    let (certificate, key) =
        (files.certificate.display().to_string(), files.key.display().to_string());
    let ca = pki.ca_file();
    let verify = ["-Verify", "3", "-verify_return_error", "-CAfile", &ca];
    let server = OpenSsl::start(
        &[&["-cert", &certificate, "-key", &key], verify.as_slice(), options].concat(),
    );
    let recorder = Recorder::before(server.port);
    let foreign = Pki::new();
    let stranger = foreign.client("stranger");
    let own =
        |files: &Files| [&files.certificate, &files.key].map(|path| path.display().to_string());
    let (client, stranger) = (own(&pki.client("client")), own(&stranger));
    let usual = ["-k", "--tlsv1.3"];
    curl(recorder.port, &usual);
    curl(recorder.port, &[&usual, ["--cert", &client[0], "--key", &client[1]].as_slice()].concat());
    curl(
        recorder.port,
        &[&usual, ["--cert", &stranger[0], "--key", &stranger[1]].as_slice()].concat(),
    );
    let (report, _) = report_of(&recorder.connections(3));
    let endings = endings(&report);
    let ending = |at: usize| (&*endings[at].0, &*endings[at].1, &*endings[at].2);
    assert_eq!(
        ending(0),
        ("failed", "alert-encrypted", "client-mtls-no-cert-http400"),
        "{report:#}"
    );
    assert_eq!(ending(1), ("established", "", ""), "{report:#}");
    assert_eq!(ending(2), ("failed", "alert-encrypted", "client-cert-untrusted"), "{report:#}");
}
