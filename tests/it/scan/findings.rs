//! What a scan finds, and the lines that remove it.

use std::process::Command;

use serde_json::Value;

use super::{Material, scan, serve, version};
use crate::support::pki::Pki;
use crate::support::program::text;
use crate::support::server::Nginx;

#[test]
fn what_is_weak_is_found() {
    let material = Material::new();
    let directives = [
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM:aNULL:eNULL:kRSA+AESGCM:@SECLEVEL=0;"
            .to_owned(),
        "ssl_protocols TLSv1.2; ssl_ciphers kRSA+AESGCM;".to_owned(),
        "ssl_protocols TLSv1 TLSv1.2; ssl_ciphers ECDHE:!aNULL:!eNULL:@SECLEVEL=0;".to_owned(),
    ];
    let nginx = material.serve(&directives);
    let scans = material.scan(&nginx, directives.len(), &[]);
    let found: Vec<Vec<String>> = scans
        .iter()
        .map(|target| {
            let findings = target["findings"].as_array().unwrap();
            let name = |it: &Value| format!("{} {}", text(&it["severity"]), text(&it["rule"]));
            let mut names: Vec<String> = findings.iter().map(name).collect();
            names.retain(|name| !name.contains("tls13") && !name.contains("resumption"));
            names
        })
        .collect();
    assert_eq!(found[0], ["warning weak-cipher-accepted", "note weak-cipher-accepted"]);
    assert_eq!(found[1].iter().filter(|name| name.contains("no-forward-secrecy")).count(), 1);
    assert_eq!(found[2], ["warning legacy-protocol-accepted"]);
    let evidence = scans.iter().flat_map(|target| target["findings"].as_array().unwrap());
    let about = |finding: &&Value| {
        ["weak-cipher-accepted", "legacy-protocol-accepted", "no-forward-secrecy"]
            .contains(&text(&finding["rule"]))
    };
    for finding in evidence.filter(about) {
        assert!(
            finding["evidence"].to_string().contains("no complete handshake confirmed it"),
            "{finding:#}"
        );
    }
    let confirmed = |target: &Value, name: &str| -> Vec<bool> {
        let suites = version(target, name)["cipher_suites"].as_array().unwrap();
        suites.iter().map(|suite| suite["confirmed"] == true).collect()
    };
    assert!(confirmed(&scans[0], "TLSv1.2").contains(&true));
    assert!(
        confirmed(&scans[1], "TLSv1.2").iter().chain(&confirmed(&scans[2], "TLSv1")).all(|it| !it)
    );
}

#[test]
fn a_small_finite_field_is_found() {
    let pki = Pki::rsa();
    let files = pki.server("a", &["a.test"]);
    let field = pki.path("small.pem");
    let made = Command::new("openssl")
        .args(["dhparam", "-dsaparam", "-out", field.to_str().unwrap(), "1024"])
        .output();
    assert!(made.unwrap().status.success());
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2; ssl_certificate {}; ssl_certificate_key {};
         ssl_ciphers ECDHE+AESGCM:DHE+AESGCM:@SECLEVEL=0; ssl_dhparam {}; ssl_session_cache shared:s:1m; }}",
        files.certificate.display(),
        files.key.display(),
        field.display()
    ));
    scan(&pki, nginx.port, &[]).check(&["note tls13-unsupported", "warning weak-dh"]);
}

#[test]
fn a_policy_is_met_by_the_lines_that_its_deviations_name() {
    let pki = Pki::new();
    let files = pki.server("a", &["a.test"]);
    let held = |nginx: &Nginx| scan(&pki, nginx.port, &["--policy", "mozilla-intermediate"]);
    let before =
        held(&serve(&files, "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;"));
    let deviations: Vec<&Value> =
        before.findings().filter(|it| it["rule"] == "policy-deviation").collect();
    assert_eq!(deviations.len(), 3, "{deviations:#?}");
    let directives: Vec<String> = deviations
        .iter()
        .flat_map(|it| it["fix"]["directives"].as_array().unwrap())
        .map(|it| format!("{} {};", text(&it["name"]), text(&it["value"])))
        .collect();
    held(&serve(&files, &directives.join(" ")))
        .check(&["note post-quantum-unsupported"])
        .ends(0, "pass");
}
