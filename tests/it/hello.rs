//! Hellos of real clients, and how real servers and middleboxes handle them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use rcgen::PKCS_ED25519;
use serde_json::Value;
use shakedown::openssl::release::OpensslRelease;
use shakedown::targets::nginx_client::NginxClient;
use shakedown::tls::codec::ByteReader;
use shakedown::tls::profile::select;
use shakedown::tls::record::split;
use shakedown::tls::scheme::SignatureScheme;
use shakedown::tls::suite::CipherSuite;
use shakedown::tls::version::ProtocolVersion;

use crate::support::pki::{Files, OpenSslAuthority, Pki};
use crate::support::program::{Audit, audit, text};
use crate::support::script;
use crate::support::server::{Nginx, OpenSsl};

/// Runs a subcommand on one server under the name a.test.
fn run(command: &str, ca_file: &str, port: u16, more: &[&str]) -> Audit {
    let target = format!("a.test:443:127.0.0.1:{port}");
    let args: Vec<&str> = [&*target, "--ca-file", ca_file].iter().chain(more).copied().collect();
    audit(command, &args)
}

fn serve(files: &Files, options: &[&str]) -> OpenSsl {
    let (certificate, key) =
        (files.certificate.display().to_string(), files.key.display().to_string());
    OpenSsl::start(&[&["-cert", &*certificate, "-key", &key], options].concat())
}

/// A server and the certificates that its chain needs.
fn serve_chain(files: &Files, options: &[&str]) -> OpenSsl {
    let issuers = files.issuers.as_ref().unwrap().display().to_string();
    serve(files, &[&["-cert_chain", &*issuers], options].concat())
}

fn finding<'a>(audit: &'a Audit, rule: &str) -> Option<&'a Value> {
    audit.findings().find(|finding| finding["rule"] == rule)
}

#[test]
fn a_box_that_closes_on_large_hellos_is_found_and_a_server_that_declines_the_group_is_healthy() {
    let pki = Pki::new();
    let server = serve_chain(&pki.server("a", &["a.test"]), &["-groups", "X25519:P-256"]);
    let healthy = run("probe", &pki.ca_file(), server.port, &[]);
    assert_eq!(finding(&healthy, "large-hello-fails"), None, "{:#}", healthy.target);
    assert_eq!(healthy.status, 0, "{:#}", healthy.target);
    let boxed = script::refuses_size(server.port, 1400);
    let broken = run("probe", &pki.ca_file(), boxed.port(), &[]);
    let found = finding(&broken, "large-hello-fails").expect("a finding");
    assert_eq!(found["severity"], "error");
    assert_eq!(broken.status, 1);
}

#[test]
fn a_certificate_that_no_browser_verifies_is_named_by_its_scheme() {
    for (key, digest, scheme) in
        [("ed448", "-sha256", "ed448"), ("rsa-pss", "-sha256", "rsa_pss_pss_sha")]
    {
        let authority = OpenSslAuthority::new();
        let server = serve(&authority.issue(key, digest, Some("DNS:a.test")), &[]);
        let audit = run("scan", &authority.ca_file(), server.port, &["--clients", "chrome"]);
        let found =
            finding(&audit, "cipher-mismatch").unwrap_or_else(|| panic!("{:#}", audit.target));
        assert!(text(&found["message"]).contains(scheme), "{found:#}");
        assert_eq!(found["fix"]["directives"].as_array().map(Vec::len), Some(0), "{found:#}");
        let chrome = finding(&audit, "client-profile-fails").unwrap();
        assert!(!chrome.to_string().contains("ssl_ciphers"), "{chrome:#}");
        assert!(chrome.to_string().contains("sign"), "{chrome:#}");
        assert_ne!(audit.target["clients"][0]["outcome"], "established");
    }
}

#[test]
fn a_signature_in_a_scheme_that_cannot_be_verified_is_not_called_verified() {
    let authority = OpenSslAuthority::new();
    let files = authority.issue("ed448", "-sha256", Some("DNS:a.test"));
    let server = serve(&files, &["-tls1_3"]);
    let audit = run("probe", &authority.ca_file(), server.port, &["--role", "upstream"]);
    let untested = audit.target["untested"].to_string();
    assert!(untested.contains("handshake-signature-invalid"), "{:#}", audit.target);
}

#[test]
fn a_signature_is_verified_although_the_library_does_not_read_the_certificate_or_use_the_key() {
    // Without names the certificate is of version 1.
    for (key, names) in
        [("rsa-pss", Some("DNS:a.test")), ("rsa:1024", Some("DNS:a.test")), ("rsa:2048", None)]
    {
        let authority = OpenSslAuthority::new();
        let files = authority.issue(key, "-sha256", names);
        let server = serve(&files, &["-cipher", "DEFAULT@SECLEVEL=0"]);
        let audit = run("probe", &authority.ca_file(), server.port, &["--role", "upstream"]);
        let target = audit.target.to_string();
        assert!(!target.contains("handshake-signature-invalid"), "{key}: {:#}", audit.target);
    }
}

#[test]
fn a_server_of_shared_keys_only_is_named_by_them() {
    let server =
        OpenSsl::start(&["-nocert", "-psk", "00112233445566778899aabbccddeeff", "-tls1_2"]);
    let pki = Pki::new();
    let audit = run("scan", &pki.ca_file(), server.port, &[]);
    let found = finding(&audit, "cipher-mismatch").unwrap_or_else(|| panic!("{:#}", audit.target));
    assert!(text(&found["message"]).contains("PSK"), "{found:#}");
}

#[test]
fn two_certificates_list_the_schemes_of_both() {
    let (rsa, ecdsa) = (Pki::rsa(), Pki::new());
    let directives = |files: &Files| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!("ssl_certificate {certificate}; ssl_certificate_key {key};")
    };
    let both =
        directives(&rsa.server("a", &["a.test"])) + &directives(&ecdsa.server("a", &["a.test"]));
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2; {both} }}"
    ));
    let audit = run("scan", &rsa.ca_file(), nginx.port, &["--add-ca-file", &ecdsa.ca_file()]);
    let versions = audit.target["scans"][0]["versions"].as_array().unwrap();
    let version = versions.iter().find(|version| version["version"] == "TLSv1.2").unwrap();
    let schemes = version["signature_schemes"].to_string();
    for scheme in ["rsa_pkcs1_sha256", "rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"] {
        assert!(schemes.contains(scheme), "{schemes}");
    }
}

#[test]
fn an_ed25519_certificate_serves_only_clients_that_offer_its_scheme() {
    let pki = Pki::with(&PKCS_ED25519);
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let address = script::tls(issued.chain(), issued.private_key());
    let audit = run("scan", &pki.ca_file(), address.port(), &["--clients", "modern"]);
    let replays = audit.target["clients"].as_array().unwrap();
    for replay in replays {
        let profile = select(text(&replay["name"])).unwrap()[0];
        let offers = profile.signature_schemes.contains(&SignatureScheme(0x0807));
        assert_eq!(replay["outcome"] == "established", offers, "{replay:#}");
    }
    let outcomes = |wanted: bool| {
        replays.iter().filter(|it| (it["outcome"] == "established") == wanted).count()
    };
    assert!(outcomes(true) > 0 && outcomes(false) > 0, "{replays:#?}");
}

#[test]
fn an_alert_behind_the_handshake_is_a_failure_in_a_scan_too() {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let address = script::alerts_after_the_handshake(issued.chain(), issued.private_key(), 40);
    let audit = run("scan", &pki.ca_file(), address.port(), &["--clients", "openssl-3.0"]);
    assert_eq!(audit.target["clients"][0]["outcome"], "failed", "{:#}", audit.target);
    assert_eq!(audit.status, 1);
}

/// The parts of a hello that are the same in every connection.
#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    record_version: [u8; 2],
    version: u16,
    session_id_len: usize,
    cipher_suites: Vec<u8>,
    compression: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// Reads one record with a complete hello.
fn fixed(bytes: &[u8]) -> Fixed {
    let (record, _) = split(bytes).unwrap().unwrap();
    let mut reader = ByteReader::new(record.payload);
    assert_eq!(reader.u8().unwrap(), 1, "not a ClientHello");
    let mut hello = ByteReader::new(reader.vec24().unwrap());
    let version = hello.u16().unwrap();
    hello.take(32).unwrap();
    let session_id_len = hello.vec8().unwrap().len();
    let cipher_suites = hello.vec16().unwrap().to_vec();
    let compression = hello.vec8().unwrap().to_vec();
    let mut list = ByteReader::new(hello.vec16().unwrap());
    let mut extensions = Vec::new();
    while !list.is_empty() {
        let kind = list.u16().unwrap();
        let body = list.vec16().unwrap();
        extensions.push((kind, if kind == KEY_SHARE { without_keys(body) } else { body.to_vec() }));
    }
    Fixed {
        record_version: [bytes[1], bytes[2]],
        version,
        session_id_len,
        cipher_suites,
        compression,
        extensions,
    }
}

const KEY_SHARE: u16 = 51;

/// The groups of a key share and the sizes of their keys.
fn without_keys(body: &[u8]) -> Vec<u8> {
    let mut shares = ByteReader::new(ByteReader::new(body).vec16().unwrap());
    let mut kept = Vec::new();
    while !shares.is_empty() {
        kept.extend(shares.u16().unwrap().to_be_bytes());
        kept.extend(u16::try_from(shares.vec16().unwrap().len()).unwrap().to_be_bytes());
    }
    kept
}

/// The first record that a client sends to its port.
fn recorded(start: impl FnOnce(u16)) -> Vec<u8> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let recorder = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let record = script::first_record(&mut stream).unwrap();
        let handshake_failure = [21, 3, 1, 0, 2, 2, 40];
        let _ = stream.write_all(&handshake_failure);
        record
    });
    start(port);
    recorder.join().unwrap()
}

fn client(program: &str, args: &[&str]) {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
        .status()
        .unwrap_or_else(|_| panic!("{program} is needed: install the package {program}"));
}

/// Whether the installed program is the recorded release; other releases send other hellos.
fn is_release(program: &str, flag: &str, wanted: &[&str]) -> bool {
    let output = Command::new(program).arg(flag).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let same = wanted.iter().all(|words| said.contains(words));
    if !same {
        eprintln!("not compared, another release than the recorded one: {said}");
    }
    same
}

#[track_caller]
fn same(profile: &str, real: &[u8]) {
    let ours = select(profile).unwrap()[0].hello(Some("localhost")).encode().unwrap();
    assert_eq!(fixed(&ours), fixed(real), "{profile}");
}

#[test]
fn the_profile_of_openssl_is_what_openssl_sends() {
    for (profile, release) in [("openssl-3.0", "OpenSSL 3.0."), ("openssl-3.5", "OpenSSL 3.5.")] {
        if is_release("openssl", "version", &[release]) {
            let real = recorded(|port| {
                let address = format!("127.0.0.1:{port}");
                client("openssl", &["s_client", "-connect", &address, "-servername", "localhost"]);
            });
            same(profile, &real);
        }
    }
}

#[test]
fn the_profile_of_curl_is_what_curl_sends() {
    if is_release("curl", "--version", &["curl 7.88.", "OpenSSL/3.0."]) {
        let real = recorded(|port| {
            let address = format!("https://localhost:{port}/");
            client("curl", &["-4", "-s", "-k", "--noproxy", "*", "--max-time", "20", &address]);
        });
        same("curl", &real);
    }
}

#[test]
fn the_profile_of_nginx_is_what_nginx_sends() {
    for (profile, release) in [("nginx-1.22", "nginx/1.22."), ("nginx-1.26", "nginx/1.26.")] {
        let nginx = crate::support::server::nginx_binary();
        if is_release(nginx.to_str().unwrap(), "-V", &[release]) {
            let real = recorded(|port| {
                let proxy = Nginx::start(&format!(
                    "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass https://127.0.0.1:{port}; }} }}"
                ));
                let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                stream.read_to_end(&mut Vec::new()).unwrap();
            });
            same(profile, &real);
        }
    }
}

/// The hello of this machine's nginx with these directives.
fn sent_by_nginx(directives: &str) -> Vec<u8> {
    recorded(|port| {
        let proxy = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass https://127.0.0.1:{port}; {directives} }} }}"
        ));
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    })
}

#[test]
fn the_hello_of_nginx_follows_its_protocols() {
    let nginx = crate::support::server::nginx_binary();
    if !is_release(nginx.to_str().unwrap(), "-V", &["nginx/1.22.", "OpenSSL 3.0."]) {
        return;
    }
    for protocols in ["TLSv1.2", "TLSv1.2 TLSv1.3", "TLSv1.3", "TLSv1 TLSv1.1"] {
        let real = sent_by_nginx(&format!("proxy_ssl_protocols {protocols};"));
        let versions = protocols.split(' ').map(|word| word.parse().unwrap()).collect();
        let client = NginxClient {
            library: OpensslRelease::V3_0,
            protocols: Some(versions),
            ..NginxClient::new("127.0.0.1")
        };
        let ours = client.hello().unwrap().encode().unwrap();
        assert_eq!(fixed(&ours), fixed(&real), "{protocols}");
    }
}

#[test]
fn the_hello_of_nginx_follows_the_commands_and_the_configuration_of_openssl() {
    let nginx = crate::support::server::nginx_binary();
    if !is_release(nginx.to_str().unwrap(), "-V", &["nginx/1.22.", "OpenSSL 3.0."]) {
        return;
    }
    let none: &[&str] = &[];
    for (system, own, ciphers) in [
        (&["CipherString DEFAULT@SECLEVEL=0"][..], none, "DEFAULT"),
        (&["CipherString DEFAULT@SECLEVEL=3"], none, "HIGH"),
        (&["CipherString DEFAULT@SECLEVEL=4"], none, "DEFAULT"),
        (&["CipherString DEFAULT@SECLEVEL=3"], &["CipherString DEFAULT"], "HIGH"),
        (&["CipherString DEFAULT@SECLEVEL=3"], none, "HIGH:@SECLEVEL=1"),
        (&["MinProtocol TLSv1.3", "Groups P-384:X25519"], none, "DEFAULT"),
        (&["Groups P-384"], &["Groups P-256"], "DEFAULT"),
        (&["SignatureAlgorithms RSA+SHA256", "Groups nosuch"], none, "DEFAULT"),
        (&["Options -EncryptThenMac,-SessionTicket"], none, "DEFAULT"),
        (none, &["SignatureAlgorithms ECDSA+SHA256", "Options -EncryptThenMac"], "DEFAULT"),
        (
            none,
            &["CipherString DEFAULT:@SECLEVEL=0", "Ciphersuites TLS_AES_128_GCM_SHA256"],
            "HIGH",
        ),
        (&["VerifyMode Peer", "RecordPadding 100", "Bogus x"], none, "DEFAULT"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lines = system.iter().map(|one| one.replacen(' ', " = ", 1) + "\n");
        let lines: String = lines.collect();
        let file = folder.path().join("openssl.cnf");
        let head = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n";
        std::fs::write(&file, format!("{head}{lines}")).unwrap();
        let directives: String =
            own.iter().flat_map(|command| ["proxy_ssl_conf_command ", *command, "; "]).collect();
        let real = recorded(|port| {
            let location = format!(
                "location / {{ proxy_pass https://127.0.0.1:{port}; proxy_ssl_ciphers {ciphers}; \
                 proxy_ssl_protocols TLSv1.2 TLSv1.3; {directives} }}"
            );
            let proxy = Nginx::start_proxy_with(
                &format!("server {{ listen 127.0.0.1:PORT; {location} }}"),
                &file,
            );
            let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let client = NginxClient {
            library: OpensslRelease::V3_0,
            protocols: Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]),
            ciphers: ciphers.to_owned(),
            system_commands: owned(system),
            conf_commands: owned(own),
            ..NginxClient::new("127.0.0.1")
        };
        let ours = client.hello().unwrap().encode().unwrap();
        assert_eq!(fixed(&ours), fixed(&real), "{system:?} {own:?} {ciphers}");
    }
}

#[test]
fn the_libraries_between_3_0_and_3_5_send_no_ml_kem() {
    // As recorded from 3.2.2, 3.3.2 and 3.4.1 (memory BIOs, pyOpenSSL).
    let groups = [0x1d, 0x17, 0x1e, 0x19, 0x18, 0x100, 0x101, 0x102, 0x103, 0x104];
    let schemes = [
        0x403, 0x503, 0x603, 0x807, 0x808, 0x81a, 0x81b, 0x81c, 0x809, 0x80a, 0x80b, 0x804, 0x805,
        0x806, 0x401, 0x501, 0x601, 0x303, 0x301, 0x302, 0x402, 0x502, 0x602,
    ];
    let kinds = [0, 11, 10, 35, 22, 23, 13, 43, 45, 51];
    for (library, announces) in [(OpensslRelease::V3_2, false), (OpensslRelease::V3_4, true)] {
        let protocols = Some(vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3]);
        let client =
            NginxClient { library, protocols, server_name: true, ..NginxClient::new("a.test") };
        let hello = client.hello().unwrap();
        assert_eq!(hello.cipher_suites.contains(&CipherSuite::RENEGOTIATION_SCSV), !announces);
        let sent: Vec<u16> = hello.extensions.iter().map(|one| one.kind().0).collect();
        let first = announces.then_some(0xff01);
        assert_eq!(sent, first.into_iter().chain(kinds).collect::<Vec<u16>>(), "{library:?}");
        assert_eq!(hello.groups().iter().map(|group| group.0).collect::<Vec<_>>(), groups);
        let offered = hello.signature_schemes().iter().map(|scheme| scheme.0);
        assert_eq!(offered.collect::<Vec<_>>(), schemes);
    }
}
