//! Other upstream servers behind a real nginx: what they refuse late, in HTTP, or during a handshake, and which
//! directives make nginx's requests work.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ServerConfig, ServerConnection, SignatureAlgorithm, SignatureScheme};
use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{audit, text};
use crate::support::script;
use crate::support::server::{Apache, Nginx, scripted};

/// What the real nginx did, and what was reported about it.
struct Met {
    status: u16,
    log: String,
    target: Value,
}

/// nginx in front of an upstream, and the audit of its configuration.
fn meet(pki: &Pki, upstream: u16, location: &str, directives: &str, options: &[&str]) -> Met {
    let block = |port: &str| {
        format!(
            "upstream backend {{ server 127.0.0.1:{upstream}; }}
             server {{ listen 127.0.0.1:{port}; server_name www.test;
               location {location} {{ proxy_pass https://backend; proxy_ssl_session_reuse off; {directives} }} }}"
        )
    };
    let nginx = Nginx::start_proxy(&block("PORT"));
    let status = get(nginx.port, location);
    let main = pki.path("nginx.conf");
    let http = block(&nginx.port.to_string());
    std::fs::write(&main, format!("events {{}}\nhttp {{ {http} }}\n")).unwrap();
    let ca_file = pki.ca_file();
    let fixed = ["--ca-file", &ca_file, "--nginx-version", "1.22.1", "--openssl-version", "3.0"];
    let main = main.display().to_string();
    let options: Vec<&str> = fixed.iter().chain(options).copied().chain([&*main]).collect();
    let target = audit("nginx", &options).target;
    Met { status, log: nginx.error_log(), target }
}

fn get(port: u16, path: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path}index HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0)
}

impl Met {
    #[track_caller]
    fn finding(&self, rule: &str) -> &Value {
        let mut findings = self.target["findings"].as_array().unwrap().iter();
        findings.find(|one| one["rule"] == rule).unwrap_or_else(|| panic!("{:#}", self.target))
    }

    #[track_caller]
    fn is(&self, status: u16, verdict: &str) -> &Self {
        assert_eq!(
            (self.status, text(&self.target["nginx"]["as_configured"])),
            (status, verdict),
            "{:#}",
            self.target
        );
        self
    }

    /// The predicted line, as far as the real one contains it.
    #[track_caller]
    fn logged_as_predicted(&self) {
        let line = text(&self.target["nginx"]["error_log_line"]);
        let line = line.split(", upstream: ").next().unwrap();
        assert!(!line.is_empty() && self.log.contains(line), "{line}\n{}", self.log);
    }
}

/// The directives of a fix, as written.
fn directives(finding: &Value) -> String {
    let lines = finding["fix"]["directives"].as_array().unwrap().iter();
    let lines = lines.flat_map(|one| [text(&one["name"]), " ", text(&one["value"]), "; "]);
    lines.collect()
}

fn hosts(pki: &Pki, more: &str) -> Apache {
    let files = pki.server("apache", &["a.test", "b.test"]);
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let host = |name: &str, more: &str| {
        format!(
            "<VirtualHost ADDRESS>\nServerName {name}\nSSLEngine on\nSSLCertificateFile {certificate}\n\
             SSLCertificateKeyFile {key}\nSSLCACertificateFile {}\n{more}\n</VirtualHost>\n",
            pki.ca_file()
        )
    };
    // Apache accepts a request for another host if both have the same TLS settings.
    let other = format!("SSLProtocol -all +TLSv1.2 +TLSv1.3\n{more}");
    Apache::start(&(host("a.test", "") + &host("b.test", &other)))
}

#[test]
fn an_http_refusal_because_of_a_missing_name_is_not_a_pass_and_the_name_is_the_fix() {
    let pki = Pki::rsa();
    let apache = hosts(&pki, "");
    let met = meet(&pki, apache.port, "/", "proxy_set_header Host b.test;", &[]);
    let finding = met.is(421, "fail").finding("upstream-sni-missing");
    assert_eq!(finding["fix"]["verified"], true, "{finding:#}");
    let fix = format!("{}proxy_set_header Host b.test;", directives(finding));
    assert_eq!(meet(&pki, apache.port, "/", &fix, &[]).is(200, "pass").status, 200, "{fix}");
    let unasked = meet(&pki, apache.port, "/", "proxy_set_header Host b.test;", &["--no-request"]);
    assert_eq!(unasked.target["nginx"]["as_configured"], "pass");
}

#[test]
fn a_fix_changes_the_request_where_the_name_alone_is_answered_worse() {
    let pki = Pki::rsa();
    let apache = hosts(&pki, "");
    // Both names are wrong: the hello's is known, and the request's is that of the other host.
    let directives_now =
        "proxy_ssl_server_name on; proxy_ssl_name b.test; proxy_set_header Host a.test;";
    let met = meet(&pki, apache.port, "/", directives_now, &[]);
    let finding = met.is(421, "fail").finding("upstream-name-mismatch");
    assert_eq!(finding["fix"]["verified"], true, "{finding:#}");
}

#[test]
fn verification_is_not_proposed_with_a_name_that_the_request_does_not_go_with() {
    let pki = Pki::rsa();
    let apache = hosts(&pki, "");
    let met = meet(&pki, apache.port, "/", "", &[]);
    let finding = met.is(200, "pass").finding("upstream-verify-off");
    if finding["fix"]["verified"] == true {
        let fix = directives(finding);
        assert_eq!(meet(&pki, apache.port, "/", &fix, &[]).status, 200, "{fix}");
    }
}

#[test]
fn a_client_certificate_that_is_asked_for_behind_the_request_is_seen() {
    let pki = Pki::rsa();
    let apache =
        hosts(&pki, "<Location /private>\nSSLVerifyClient require\nSSLVerifyDepth 5\n</Location>");
    let names = "proxy_ssl_server_name on; proxy_ssl_name b.test; proxy_set_header Host b.test;";
    let older = format!("{names} proxy_ssl_protocols TLSv1.2;");
    let met = meet(&pki, apache.port, "/private/", &older, &[]);
    met.is(502, "fail").logged_as_predicted();
    met.finding("upstream-client-certificate");
    assert_eq!(meet(&pki, apache.port, "/", &older, &[]).is(200, "pass").status, 200);
    let newer = format!("{names} proxy_ssl_protocols TLSv1.2 TLSv1.3;");
    let met = meet(&pki, apache.port, "/private/", &newer, &[]);
    let finding = met.is(403, "fail").finding("upstream-client-certificate");
    assert_eq!(directives(finding), "proxy_ssl_protocols TLSv1.2; ");
}

/// A key whose signatures have a wrong last byte.
#[derive(Debug)]
struct WrongKey(Arc<dyn SigningKey>);

#[derive(Debug)]
struct WrongSigner(Box<dyn Signer>);

impl SigningKey for WrongKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(WrongSigner(self.0.choose_scheme(offered)?)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Signer for WrongSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut signature = self.0.sign(message)?;
        *signature.last_mut().unwrap() ^= 1;
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// The fault of a scripted upstream.
#[derive(Clone, Copy)]
enum Broken {
    /// Its signatures are wrong.
    Signature,
    /// It cannot read what follows the client's last flight, and sends an alert.
    LastFlight,
}

/// A faulty upstream with one certificate and no name.
fn broken(files: &Files, how: Broken) -> SocketAddr {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(&files.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let key: Arc<dyn SigningKey> = match how {
        Broken::Signature => Arc::new(WrongKey(key)),
        Broken::LastFlight => key,
    };
    let certified = CertifiedKey::new(chain, key);
    let mut names = ResolvesServerCertUsingSni::new();
    names.add("a.test", certified).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    let config = Arc::new(config);
    scripted(move |stream| serve(stream, ServerConnection::new(Arc::clone(&config)).unwrap(), how))
}

/// Sends and receives TLS records until either side ends the connection.
fn serve(mut stream: TcpStream, mut tls: ServerConnection, how: Broken) {
    let mut changed = false;
    loop {
        while tls.wants_write() {
            if tls.write_tls(&mut stream).is_err() {
                return;
            }
        }
        let mut record = vec![0; 5];
        if stream.read_exact(&mut record).is_err() {
            return;
        }
        let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
        record.resize(5 + length, 0);
        if stream.read_exact(&mut record[5..]).is_err() {
            return;
        }
        if matches!(how, Broken::LastFlight) && changed {
            *record.last_mut().unwrap() ^= 1;
        }
        changed |= record[0] == 20;
        let mut bytes = &record[..];
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes).unwrap();
            if tls.process_new_packets().is_err() {
                let _ = tls.write_tls(&mut stream);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // Continues to read, so that a reset does not hide the alert.
                let _ = stream.read_to_end(&mut Vec::new());
                return;
            }
        }
    }
}

const NAMED: &str = "proxy_ssl_server_name on; proxy_ssl_name a.test;";

#[test]
fn a_wrong_signature_ends_the_handshake_without_verification_too() {
    let pki = Pki::new();
    let upstream = broken(&pki.server("a", &["a.test"]), Broken::Signature);
    for version in ["TLSv1.2", "TLSv1.3"] {
        let directives = format!("{NAMED} proxy_ssl_protocols {version};");
        let met = meet(&pki, upstream.port(), "/", &directives, &[]);
        met.is(502, "fail").logged_as_predicted();
    }
}

#[test]
fn a_refusal_behind_the_client_s_last_flight_is_seen() {
    let pki = Pki::new();
    let upstream = broken(&pki.server("a", &["a.test"]), Broken::LastFlight);
    let older = format!("{NAMED} proxy_ssl_protocols TLSv1.2;");
    let met = meet(&pki, upstream.port(), "/", &older, &[]);
    met.is(502, "fail").logged_as_predicted();
    let newer = format!("{NAMED} proxy_ssl_protocols TLSv1.3;");
    meet(&pki, upstream.port(), "/", &newer, &[]).is(502, "fail");
}

#[test]
fn a_refusal_behind_the_client_s_last_flight_is_seen_with_an_assumed_request_too() {
    let pki = Pki::new();
    let upstream = broken(&pki.server("a", &["a.test"]), Broken::LastFlight);
    let named = ["--proxy-ssl-server-name", "on", "--proxy-ssl-name", "a.test"];
    for version in ["TLSv1.2", "TLSv1.3"] {
        let (address, ca_file) = (upstream.to_string(), pki.ca_file());
        let fixed =
            ["--as-nginx", "--ca-file", &ca_file, "--proxy-ssl-protocols", version, &address];
        let target = audit("probe", &[&fixed, &named[..]].concat()).target;
        assert_eq!(target["nginx"]["as_configured"], "fail", "{version}: {target:#}");
    }
}

#[test]
fn a_certificate_that_openssl_cannot_read_ends_the_handshake_without_verification_too() {
    let pki = Pki::rsa();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let mut chain = issued.chain();
    chain.push(CertificateDer::from(vec![0x30, 3, 1, 2, 3]));
    let server = script::tls(chain, issued.private_key());
    let met = meet(&pki, server.port(), "/", "", &[]);
    met.is(502, "fail").finding("certificate-unreadable");
    assert!(met.target["nginx"]["error_log_line"].is_null(), "{:#}", met.target);
    assert!(met.log.contains("SSL_do_handshake() failed (SSL: error:"), "{}", met.log);
}

#[test]
fn each_path_of_an_upstream_is_requested() {
    let pki = Pki::rsa();
    let apache =
        hosts(&pki, "<Location /private>\nSSLVerifyClient require\nSSLVerifyDepth 5\n</Location>");
    let pass = format!(
        "proxy_pass https://127.0.0.1:{}; proxy_ssl_server_name on; proxy_ssl_name b.test;
         proxy_set_header Host b.test; proxy_ssl_protocols TLSv1.2;",
        apache.port
    );
    let main = pki.path("nginx.conf");
    let judged = |locations: &[&str]| {
        let blocks = locations.iter().map(|path| format!("location {path} {{ {pass} }}\n"));
        let locations = blocks.collect::<Vec<_>>().concat();
        let http = format!("server {{ listen 127.0.0.1:81; {locations} }}");
        std::fs::write(&main, format!("events {{}}\nhttp {{ {http} }}\n")).unwrap();
        let main = main.to_str().unwrap();
        audit("nginx", &["--ca-file", &pki.ca_file(), "--openssl-version", "3.0", main]).target
    };
    let open = judged(&["/", "/index/"]);
    assert_eq!(open["nginx"]["as_configured"], "pass", "{open:#}");
    let private = judged(&["/", "/private/"]);
    assert_eq!(private["nginx"]["as_configured"], "fail", "{private:#}");
    assert!(private["findings"].to_string().contains("a request for /private/"), "{private:#}");
}
