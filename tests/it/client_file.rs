//! `cert --as client`: the findings for a client's certificate before use, and what nginx does with it.

use std::process::Command;

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use shakedown::certificate::issue::Issued;
use time::Duration;

use crate::support::pki::{Files, Pki, pem};
use crate::support::program::{Run, shakedown, text};
use crate::support::server::Nginx;

/// An nginx that verifies clients.
struct Scene {
    pki: Pki,
    nginx: Nginx,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let server = pki.server("server", &["a.test"]);
        let nginx = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate {}; ssl_certificate_key {};
             ssl_client_certificate {}; ssl_verify_client on; return 200; }}",
            server.certificate.display(),
            server.key.display(),
            pki.ca_file()
        ));
        Self { pki, nginx }
    }

    /// The status that nginx returns for a request with this certificate.
    fn answer(&self, files: &Files) -> String {
        let curl = Command::new("curl")
            .args(["-sk", "-o", "/dev/null", "-w", "%{http_code}", "--cert"])
            .args(
                [&files.certificate, &files.key]
                    .map(|path| path.display().to_string())
                    .join(" --key ")
                    .split(' '),
            )
            .arg(format!("https://127.0.0.1:{}/", self.nginx.port))
            .output()
            .unwrap();
        String::from_utf8(curl.stdout).unwrap()
    }

    #[track_caller]
    fn check(&self, files: &Files, expected: &[&str], answer: &str, log: &str) {
        let ca_file = self.pki.ca_file();
        assert_eq!(found(&as_client(&[&path(files), "--ca-names", &ca_file])), expected);
        assert_eq!(self.answer(files), answer);
        assert!(self.nginx.logs(log), "{}", self.nginx.error_log());
    }
}

fn path(files: &Files) -> String {
    files.certificate.display().to_string()
}

fn as_client(args: &[&str]) -> Run {
    shakedown(&[&["cert", "--as", "client", "--format", "json"], args].concat())
}

#[track_caller]
fn found(run: &Run) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
    let findings = report["targets"][0]["findings"].as_array().unwrap();
    let found = findings.iter().map(|f| format!("{} {}", text(&f["severity"]), text(&f["rule"])));
    found.collect()
}

/// A changed certificate of a client.
fn changed(pki: &Pki, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Issued {
    let client = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![ClientAuth];
        change(params);
    };
    pki.intermediate.issue_with(&["client"], client).unwrap()
}

#[test]
fn nginx_does_what_was_said_of_a_client() {
    let scene = Scene::new();
    let pki = &scene.pki;
    let write = |name: &str, issued: &Issued| pki.write(name, issued, &issued.chain());
    let error = |number: u8| format!("client SSL certificate verify error: ({number}:");

    let sound = write("sound", &changed(pki, |_| {}));
    scene.check(&sound, &[], "200", "");
    let both = changed(pki, |params| params.extended_key_usages.push(ServerAuth));
    scene.check(&write("both", &both), &[], "200", "");

    let servers = changed(pki, |params| params.extended_key_usages = vec![ServerAuth]);
    let servers = write("servers", &servers);
    scene.check(&servers, &["error client-auth-missing"], "400", &error(26));

    let old = changed(pki, |params| {
        params.not_before = pki.now - Duration::days(90);
        params.not_after = pki.now - Duration::days(1);
    });
    let old = write("old", &old);
    scene.check(&old, &["error certificate-expired"], "400", &error(10));

    let alone = changed(pki, |_| {});
    let alone = pki.write("alone", &alone, &alone.chain()[..1]);
    scene.check(&alone, &["error chain-incomplete"], "400", &error(21));

    let lower = pki.intermediate.intermediate("it lower").unwrap();
    let deep =
        lower.issue_with(&["client"], |params| params.extended_key_usages = vec![ClientAuth]);
    let deep = write("deep", &deep.unwrap());
    scene.check(&deep, &["error client-certificate-unverifiable"], "400", &error(20));
    let run = as_client(&[&path(&deep), "--ca-names", &pki.ca_file()]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let finding = &report["targets"][0]["findings"][0];
    assert!(text(&finding["message"]).contains("20"), "{finding:#}");
    assert_eq!(finding["fix"]["directives"][0]["value"], "2", "{finding:#}");
}

#[test]
fn an_authority_that_the_server_does_not_ask_for_is_found() {
    let (pki, other) = (Pki::new(), Pki::new());
    let client = pki.client("client");
    let names = other.path("names.pem").display().to_string();
    let strangers = shakedown::certificate::issue::Authority::root("strangers", pki.now).unwrap();
    std::fs::write(&names, pem(std::slice::from_ref(&strangers.certificate))).unwrap();
    let run = as_client(&[&path(&client), "--ca-names", &names, "--ca-file", &pki.ca_file()]);
    assert_eq!((found(&run), run.status), (vec!["warning client-ca-unnamed".to_owned()], 0));
    let run = as_client(&[&path(&client), "--ca-names", &names]);
    assert_eq!((found(&run), run.status), (vec!["error untrusted-issuer".to_owned()], 1));
}

#[test]
fn what_makes_no_sense_for_a_client_or_a_server_is_a_mistake() {
    let pki = Pki::new();
    let (file, ca_file) = (path(&pki.client("client")), pki.ca_file());
    let run = as_client(&[&file, "--hostname", "a.test"]);
    assert!(run.status == 2 && run.stderr.contains("--hostname is for servers"), "{}", run.stderr);
    let run = shakedown(&["cert", &file, "--ca-names", &ca_file]);
    assert!(run.status == 2 && run.stderr.contains("needs --as client"), "{}", run.stderr);
}
