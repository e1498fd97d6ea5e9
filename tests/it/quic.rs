//! QUIC sockets: a server of another implementation (quinn), with nginx on TCP at the same port.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Run, shakedown, text};
use crate::support::server::Nginx;

/// What a QUIC server does.
#[derive(Clone, Copy)]
struct Behaviour {
    alpn: &'static str,
    /// Whether clients must prove their address first.
    retries: bool,
    /// Whether it wants a client certificate.
    asks: bool,
}

const USUAL: Behaviour = Behaviour { alpn: "h3", retries: false, asks: false };

/// A QUIC server until it is dropped.
struct QuicServer(Option<Runtime>);

impl Drop for QuicServer {
    fn drop(&mut self) {
        // Then the port is free again.
        self.0.take().unwrap().shutdown_timeout(Duration::from_secs(30));
    }
}

impl QuicServer {
    fn start(port: u16, files: &Files, pki: &Pki, behaviour: Behaviour) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = config(files, pki, behaviour);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let endpoint = runtime.block_on(async { Endpoint::server(config, address) }).unwrap();
        runtime.spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                if behaviour.retries && !incoming.remote_address_validated() {
                    incoming.retry().unwrap();
                    continue;
                }
                tokio::spawn(async move {
                    if let Ok(connection) = incoming.await {
                        connection.closed().await;
                    }
                });
            }
        });
        Self(Some(runtime))
    }
}

fn config(files: &Files, pki: &Pki, behaviour: Behaviour) -> ServerConfig {
    let chain: Vec<CertificateDer<'_>> =
        CertificateDer::pem_file_iter(&files.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let provider = Arc::new(default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let builder = if behaviour.asks {
        let mut roots = RootCertStore::empty();
        roots.add(pki.root.certificate.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let mut tls = builder.with_single_cert(chain, key).unwrap();
    tls.alpn_protocols = vec![behaviour.alpn.as_bytes().to_vec()];
    ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()))
}

/// nginx on TCP, which advertises HTTP/3.
fn nginx(files: &Files, header: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {}; \
         ssl_certificate_key {}; {header} location / {{ return 200; }} }}",
        files.certificate.display(),
        files.key.display()
    ))
}

const ADVERTISED: &str = "add_header Alt-Svc 'h3=\":443\"; ma=60';";

/// The QUIC target of a report, and the run.
fn audit(port: u16, pki: &Pki, more: &[&str]) -> (Value, Run) {
    let (target, ca_file) = (format!("a.test:{port}:127.0.0.1:{port}"), pki.ca_file());
    let fixed = ["probe", "--quic", &target, "--ca-file", &ca_file, "--format", "json"];
    let run = shakedown(&[&fixed[..], more].concat());
    let report: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2, "{report:#}");
    assert_eq!(targets[1]["name"], format!("a.test:{port} (QUIC)"));
    assert!(targets[0].get("quic").is_none());
    (targets[1].clone(), run)
}

fn findings(target: &Value) -> Vec<String> {
    let findings = target["findings"].as_array().unwrap().iter();
    findings.map(|one| format!("{} {}", text(&one["severity"]), text(&one["rule"]))).collect()
}

#[test]
fn a_healthy_socket_passes_with_and_without_a_name() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = nginx(&files, ADVERTISED);
    for retries in [false, true] {
        let behaviour = Behaviour { retries, ..USUAL };
        let _server = QuicServer::start(nginx.port, &files, &pki, behaviour);
        let (target, run) = audit(nginx.port, &pki, &[]);
        assert_eq!((run.status, &target["status"]), (0, &"pass".into()), "{target:#}");
        assert_eq!(findings(&target), [""; 0], "{target:#}");
        let handshakes = target["handshakes"].as_array().unwrap();
        let names: Vec<&Value> = handshakes.iter().map(|one| &one["sni"]).collect();
        assert_eq!(names, [&Value::Null, &"a.test".into()]);
        for one in handshakes {
            assert_eq!((&one["outcome"], &one["alpn"]), (&"established".into(), &"h3".into()));
            assert_eq!(one["version"], "TLSv1.3");
            assert!(text(&one["cipher_suite"]).starts_with("TLS_"), "{one:#}");
            assert!(one["group"].is_string(), "{one:#}");
        }
        let beside = &target["quic"][0];
        assert_eq!(beside["retry"], retries);
        assert_eq!(beside["tcp"]["outcome"], "established");
        assert_eq!(beside["tcp"]["chain"], handshakes[0]["chain"]);
        assert_eq!(beside["alt_svc"], "h3=\":443\"; ma=60");
    }
}

#[test]
fn what_fails_over_quic_and_works_over_tcp_is_told() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let nginx = nginx(&files, ADVERTISED);
    let check = |expected: &[&str], status| {
        let (target, run) = audit(nginx.port, &pki, &[]);
        assert_eq!(findings(&target), expected, "{target:#}");
        assert_eq!(run.status, status, "{target:#}");
    };
    check(&["error quic-unreachable"], 1);

    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, nginx.port)).unwrap();
    let (target, run) = audit(nginx.port, &pki, &["--timeout", "1s"]);
    assert_eq!(findings(&target), ["warning quic-unreachable"], "{target:#}");
    assert_eq!((run.status, &target["status"]), (3, &"untested".into()));
    drop(silent);

    let server = QuicServer::start(nginx.port, &files, &pki, Behaviour { alpn: "hq", ..USUAL });
    check(&["error http3-refused"], 1);
    drop(server);
}

#[test]
fn another_certificate_over_quic_is_told() {
    let pki = Pki::new();
    let (files, other) = (pki.server("a", &["a.test"]), pki.server("b", &["a.test"]));
    let nginx = nginx(&files, "");
    let _server = QuicServer::start(nginx.port, &other, &pki, USUAL);
    let (target, _) = audit(nginx.port, &pki, &[]);
    let expected = ["warning quic-certificate-differs", "note http3-not-advertised"];
    assert_eq!(findings(&target), expected, "{target:#}");
}

#[test]
fn a_wanted_client_certificate_is_told() {
    let pki = Pki::new();
    let (files, client) = (pki.server("a", &["a.test"]), pki.client("client"));
    let nginx = nginx(&files, ADVERTISED);
    let _server = QuicServer::start(nginx.port, &files, &pki, Behaviour { asks: true, ..USUAL });
    let (target, _) = audit(nginx.port, &pki, &[]);
    assert_eq!(findings(&target), ["error client-certificate-required"], "{target:#}");
    let certificate = client.certificate.display().to_string();
    let key = client.key.display().to_string();
    let (target, _) =
        audit(nginx.port, &pki, &["--client-cert", &certificate, "--client-key", &key]);
    let handshakes = target["handshakes"].as_array().unwrap();
    assert!(handshakes.iter().all(|one| one["outcome"] == "established"), "{target:#}");
    assert_ne!(target["status"], "fail", "{target:#}");
}
