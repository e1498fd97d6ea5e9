//! `scan` over real servers.

mod clients;
mod findings;
mod lists;

use std::fmt::Write;
use std::process::Command;

use serde_json::Value;

use crate::support::pki::{Files, Pki};
use crate::support::program::{Audit, audit, shakedown, text};
use crate::support::server::Nginx;

/// Suites that need what these servers do not have: a shared key, a password, a DSA certificate.
const UNSERVED: [&str; 4] = ["PSK", "SRP", "DSS", "GOST"];

/// OpenSSL's own names of the suites that a cipher string stands for, in its order.
fn openssl_suites(version: &str, list: &str) -> Vec<String> {
    let output = Command::new("openssl").args(["ciphers", "-s", version, list]).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let served = |name: &&str| !UNSERVED.iter().any(|part| name.contains(part));
    let old = |name: &&str| !name.starts_with("TLS_");
    names.trim().split(':').filter(served).filter(old).map(ToOwned::to_owned).collect()
}

/// One server's directives for its certificates, RSA and ECDSA, and its finite field.
struct Material {
    rsa: Pki,
    ecdsa: Pki,
    certificates: String,
}

impl Material {
    fn new() -> Self {
        let (rsa, ecdsa) = (Pki::rsa(), Pki::new());
        let (first, second) = (rsa.server("a", &["a.test"]), ecdsa.server("a", &["a.test"]));
        let pair = |files: &Files| {
            format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                files.certificate.display(),
                files.key.display()
            )
        };
        let field = rsa.path("dh.pem");
        let made = Command::new("openssl")
            .args(["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"])
            .args(["-out", field.to_str().unwrap()])
            .status();
        assert!(made.unwrap().success());
        let certificates =
            format!("{}{}ssl_dhparam {};", pair(&first), pair(&second), field.display());
        Self { rsa, ecdsa, certificates }
    }

    /// nginx with one server for each set of directives, each at a loopback address of its own.
    fn serve(&self, each: &[String]) -> Nginx {
        let mut servers = String::new();
        for (index, directives) in each.iter().enumerate() {
            let (address, certificates) = (address(index), &self.certificates);
            write!(servers, "server {{ listen {address}:PORT ssl; {certificates} {directives} }}")
                .unwrap();
        }
        Nginx::start(&servers)
    }

    /// What is listed of every server, in their order.
    fn scan(&self, nginx: &Nginx, servers: usize, more: &[&str]) -> Vec<Value> {
        let targets: Vec<String> = (0..servers)
            .map(|index| format!("a.test:443:{}:{}", address(index), nginx.port))
            .collect();
        let (first, second) = (self.rsa.ca_file(), self.ecdsa.ca_file());
        let mut args =
            vec!["scan", "--format", "json", "--ca-file", &first, "--add-ca-file", &second];
        args.extend(more);
        args.extend(targets.iter().map(String::as_str));
        let run = shakedown(&args);
        let report: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|_| panic!("{}{}", run.stdout, run.stderr));
        report["targets"].as_array().unwrap().clone()
    }
}

fn address(index: usize) -> String {
    format!("127.0.{}.{}", 2 + index / 200, 1 + index % 200)
}

/// One version of a target's first scan.
fn version<'a>(target: &'a Value, name: &str) -> &'a Value {
    let versions = target["scans"][0]["versions"].as_array().unwrap();
    versions.iter().find(|version| version["version"] == name).unwrap()
}

fn suites(target: &Value, version_name: &str) -> Vec<String> {
    let suites = version(target, version_name)["cipher_suites"].as_array().unwrap();
    suites.iter().map(|suite| text(&suite["openssl_name"]).to_owned()).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(text).collect()
}

fn outcomes(target: &Value) -> String {
    let versions = target["scans"][0]["versions"].as_array().unwrap();
    let spoken = versions.iter().filter(|version| version["outcome"] == "accepted");
    assert!(versions.iter().all(|version| version["outcome"] != "untested"), "{target:#}");
    spoken.map(|version| text(&version["version"])).collect::<Vec<_>>().join(" ")
}

/// nginx with one certificate, a cache of sessions, and these directives.
fn serve(files: &Files, directives: &str) -> Nginx {
    Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_session_cache shared:s:1m; ssl_certificate {}; ssl_certificate_key {};
         {directives} }}",
        files.certificate.display(),
        files.key.display()
    ))
}

/// Scans one server under the name a.test.
fn scan(pki: &Pki, port: u16, more: &[&str]) -> Audit {
    let (target, ca_file) = (format!("a.test:443:127.0.0.1:{port}"), pki.ca_file());
    let args: Vec<&str> = [&*target, "--ca-file", &ca_file].iter().chain(more).copied().collect();
    audit("scan", &args)
}
