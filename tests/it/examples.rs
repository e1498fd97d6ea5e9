//! nginx accepts the examples in the rules' texts.

use std::fs;
use std::path::Path;
use std::process::Command;

use shakedown::audit::example;

use crate::support::pki::Pki;
use crate::support::server::nginx_binary;

/// Files that the examples name, besides the server's certificate and key.
const FILES: [&str; 3] = ["ca.pem", "client-authorities.pem", "backend.pem"];

/// The example as a complete configuration for this machine: files, hosts and ports are replaced.
fn whole(snippet: &str, files: &Path) -> String {
    let tls = format!("{}/", files.display());
    let mut blocks = snippet
        .replace("/etc/nginx/tls/", &tls)
        .replace("/etc/ssl/certs/ca-certificates.crt", &format!("{tls}ca.pem"))
        .replace("backend.example.com", "127.0.0.1")
        .replace("listen 443", "listen 127.0.0.1:8443")
        .replace("listen 80", "listen 127.0.0.1:8080");
    if blocks.starts_with("location") {
        blocks = format!("server {{\nlisten 127.0.0.1:8080;\n{blocks}\n}}");
    }
    if !blocks.contains("upstream backend {") {
        blocks.push_str("\nupstream backend { server 127.0.0.1:8443; }");
    }
    format!(
        "pid nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off;\n{blocks}\n}}\n"
    )
}

#[test]
fn nginx_reads_every_fix_that_the_rules_show() {
    let pki = Pki::new();
    let (app, client) = (pki.server("app", &["app.example.com"]), pki.client("client"));
    let folder = pki.folder.path();
    fs::copy(&app.certificate, folder.join("fullchain.pem")).unwrap();
    assert_eq!(client.certificate, folder.join("client.pem"));
    for name in FILES.iter().filter(|name| **name != "ca.pem") {
        fs::copy(folder.join("ca.pem"), folder.join(name)).unwrap();
    }
    let openssl = |args: &[&str]| {
        assert!(Command::new("openssl").args(args).output().unwrap().status.success());
    };
    let parameters = folder.join("dh2048.pem").display().to_string();
    openssl(&[
        "genpkey",
        "-genparam",
        "-algorithm",
        "DH",
        "-pkeyopt",
        "group:ffdhe2048",
        "-out",
        &parameters,
    ]);
    let mut refused = Vec::new();
    for example in example::all() {
        let file = folder.join("nginx.conf");
        fs::write(&file, whole(example.fix, folder)).unwrap();
        let mut nginx = Command::new(nginx_binary());
        let output = nginx.arg("-t").arg("-p").arg(folder).arg("-c").arg(&file).output().unwrap();
        if !output.status.success() {
            refused.push((example.rule, String::from_utf8_lossy(&output.stderr).into_owned()));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}
