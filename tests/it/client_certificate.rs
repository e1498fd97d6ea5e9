//! Client certificates, in each version and with each way to ask: before, after and without a refusal.

use shakedown::certificate::issue::Authority;

use crate::support::pki::{Files, OpenSslAuthority, Pki, pem};
use crate::support::program::{Audit, probe, shakedown, text};
use crate::support::server::{Nginx, OpenSsl};

/// The certificate requests by version, and the expected findings.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("TLSv1.2 TLSv1.3", &[]),
    ("TLSv1.2", &["note tls13-unsupported"]),
    ("TLSv1.3", &["note tls12-unsupported"]),
];

const REQUIRED: &str = "error client-certificate-required";
const REJECTED: &str = "error client-certificate-rejected";

/// A server's certificate, the CA of its clients, a client certificate from it, and one from another CA.
struct Scene {
    pki: Pki,
    server: Files,
    authority: String,
    client: Files,
    stranger: Files,
}

impl Scene {
    fn of(pki: Pki) -> Self {
        let authority = pki.path("clients.pem");
        let clients = Pki { root: Authority::root("it clients", pki.now).unwrap(), ..Pki::new() };
        std::fs::write(&authority, pem(std::slice::from_ref(&clients.root.certificate))).unwrap();
        let issue = |authority: &Authority, name: &str| {
            let issued = authority
                .issue_with(&["client"], |params| {
                    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
                })
                .unwrap();
            pki.write(name, &issued, &issued.chain())
        };
        let client = issue(&clients.root, "client");
        let stranger = issue(&Authority::root("it strangers", pki.now).unwrap(), "stranger");
        let server = pki.server("a", &["a.test"]);
        Self { authority: authority.display().to_string(), server, client, stranger, pki }
    }

    fn nginx(&self, versions: &str, verify: &str) -> Nginx {
        Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols {versions}; {} }}",
            self.settings(verify)
        ))
    }

    fn settings(&self, verify: &str) -> String {
        format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_client_certificate {}; ssl_verify_client {verify};",
            self.server.certificate.display(),
            self.server.key.display(),
            self.authority
        )
    }

    fn openssl(&self, options: &[&str]) -> OpenSsl {
        let [certificate, key, issuers] =
            [Some(&self.server.certificate), Some(&self.server.key), self.server.issuers.as_ref()]
                .map(|path| path.unwrap().display().to_string());
        let fixed = ["-cert", &certificate, "-key", &key, "-cert_chain", &issuers];
        let verify = ["-Verify", "1", "-verify_return_error", "-CAfile", &self.authority];
        OpenSsl::start(&[&fixed[..], &verify, options].concat())
    }

    fn audit(&self, port: u16, client: Option<&Files>) -> Audit {
        let (target, ca_file) = (format!("a.test:443:127.0.0.1:{port}"), self.pki.ca_file());
        let mut args = vec![target, "--ca-file".to_owned(), ca_file];
        if let Some(client) = client {
            let (certificate, key) = (client.certificate.display(), client.key.display());
            args.extend([format!("--client-cert={certificate}"), format!("--client-key={key}")]);
        }
        probe(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[test]
fn nginx_insists_by_http_in_every_version() {
    for pki in [Pki::new(), Pki::rsa()] {
        let scene = Scene::of(pki);
        for (versions, missing) in VERSIONS {
            let nginx = scene.nginx(versions, "on");
            let refused = scene.audit(nginx.port, None);
            refused.check(&[&[REQUIRED], missing].concat()).ends(1, "fail");
            let evidence = refused.findings().next().unwrap()["evidence"].to_string();
            assert!(evidence.contains("HTTP 400") && evidence.contains("it clients"), "{evidence}");
            assert!(nginx.logs("client sent no required SSL certificate"));
            scene.audit(nginx.port, Some(&scene.client)).check(missing).ends(0, "pass");
            let rejected = scene.audit(nginx.port, Some(&scene.stranger));
            rejected.check(&[&[REJECTED], missing].concat()).ends(1, "fail");
            assert!(nginx.logs("client SSL certificate verify error"));
        }
    }
}

/// A mail protocol on a port with implicit TLS, and nginx's text of a refusal.
const MAIL: [(&str, &str); 3] = [("imap", "* BYE "), ("pop3", "-ERR "), ("smtp", "421 4.7.1 ")];

#[test]
fn nginx_insists_in_stream_by_closing_and_in_mail_by_its_words() {
    let scene = Scene::of(Pki::new());
    for (versions, missing) in VERSIONS {
        let ssl = format!("ssl_protocols {versions}; {}", scene.settings("on"));
        let stream = Nginx::start_with(|port| {
            format!("stream {{ server {{ listen 127.0.0.1:{port} ssl; return x; {ssl} }} }}")
        });
        let refused = scene.audit(stream.port, None);
        refused.check(&[&[REQUIRED], missing].concat()).ends(1, "fail");
        scene.audit(stream.port, Some(&scene.client)).check(missing).ends(0, "pass");
        for (protocol, words) in MAIL {
            let mail = Nginx::start_with(|port| {
                format!(
                    "mail {{ auth_http 127.0.0.1:1/; server_name mail.test;
                     server {{ listen 127.0.0.1:{port} ssl; protocol {protocol}; {ssl} }} }}"
                )
            });
            let refused = scene.audit(mail.port, None);
            refused.check(&[&[REQUIRED], missing].concat()).ends(1, "fail");
            let evidence = refused.findings().next().unwrap()["evidence"].to_string();
            assert!(evidence.contains(words), "{evidence}");
            scene.audit(mail.port, Some(&scene.client)).check(missing).ends(0, "pass");
            let rejected = scene.audit(mail.port, Some(&scene.stranger));
            rejected.check(&[&[REJECTED], missing].concat()).ends(1, "fail");
        }
    }
}

#[test]
fn nginx_that_does_not_insist_only_asks() {
    let scene = Scene::of(Pki::new());
    for (versions, missing) in VERSIONS {
        let nginx = scene.nginx(versions, "optional");
        let asked = scene.audit(nginx.port, None);
        asked.check(&[&["note client-certificate-requested"], missing].concat()).ends(0, "pass");
        scene.audit(nginx.port, Some(&scene.client)).check(missing).ends(0, "pass");
    }
}

#[test]
fn a_client_of_an_authority_that_is_not_named_would_not_be_sent() {
    let scene = Scene::of(Pki::new());
    let nginx = scene.nginx("TLSv1.2 TLSv1.3", "optional_no_ca");
    let stranger = scene.audit(nginx.port, Some(&scene.stranger));
    stranger.check(&["warning client-issuer-unacceptable"]).ends(0, "pass");
    scene.audit(nginx.port, Some(&scene.client)).check(&[]).ends(0, "pass");
}

#[test]
fn openssl_refuses_in_the_handshake_or_just_after_it() {
    for pki in [Pki::new(), Pki::rsa()] {
        let scene = Scene::of(pki);
        let server = scene.openssl(&[]);
        let refused = scene.audit(server.port, None);
        refused.check(&[REQUIRED]).ends(1, "fail");
        let alerts: Vec<_> = refused
            .handshakes()
            .iter()
            .map(|cell| (text(&cell["version"]), text(&cell["stage"]), &cell["alert"]["number"]))
            .map(|(version, stage, alert)| (version, stage, alert.as_u64()))
            .collect();
        let expected =
            [("TLSv1.2", "handshake", Some(40)), ("TLSv1.3", "post-handshake", Some(116))];
        assert_eq!(alerts, expected.repeat(2));
        scene.audit(server.port, Some(&scene.client)).check(&[]).ends(0, "pass");
        scene.audit(server.port, Some(&scene.stranger)).check(&[REJECTED]).ends(1, "fail");
    }
}

#[test]
fn a_client_certificate_of_version_1_is_presented_as_nginx_presents_it() {
    let (clients, strangers) = (OpenSslAuthority::new(), OpenSslAuthority::new());
    let issue = |authority: &OpenSslAuthority| authority.issue("rsa:2048", "-sha256", None);
    let (client, stranger) = (issue(&clients), issue(&strangers));
    let scene = Scene { authority: clients.ca_file(), client, stranger, ..Scene::of(Pki::rsa()) };
    for (versions, missing) in VERSIONS {
        let nginx = scene.nginx(versions, "on");
        scene.audit(nginx.port, Some(&scene.client)).check(missing).ends(0, "pass");
        let rejected = scene.audit(nginx.port, Some(&scene.stranger));
        rejected.check(&[&[REJECTED], missing].concat()).ends(1, "fail");
    }
    let server = scene.openssl(&[]);
    scene.audit(server.port, Some(&scene.client)).check(&[]).ends(0, "pass");
    // As nginx does for its upstream.
    let nginx = scene.nginx("TLSv1.2 TLSv1.3", "on");
    for (files, expected) in [(&scene.client, "pass"), (&scene.stranger, "fail")] {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let options = [
            "--as-nginx",
            &format!("--proxy-ssl-certificate={certificate}"),
            &format!("--proxy-ssl-certificate-key={key}"),
            &format!("127.0.0.1:{}", nginx.port),
        ];
        let audit = probe(&options);
        assert_eq!(text(&audit.target["nginx"]["as_configured"]), expected, "{:#}", audit.target);
    }
    let with_files =
        ["cert", "--as", "client", "--ca-names", &scene.authority, "--ca-file", &scene.authority];
    let certificate = scene.client.certificate.display().to_string();
    let run = shakedown(&[&with_files[..], &[&certificate]].concat());
    assert_eq!(run.status, 0, "{}{}", run.stdout, run.stderr);
}
