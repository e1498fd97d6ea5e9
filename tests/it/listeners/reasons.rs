//! The reason that is reported beside a client that fails: nginx refuses it in one way at a time.

use serde_json::Value;

use super::material::Material;
use crate::support::program::{probe, text};
use crate::support::server::Nginx;

/// The reason that is reported for one client at a server with these directives.
fn reason_for(client: &str, directives: &str) -> String {
    let material = Material::new();
    let certificate = material.certificates[0].join("\n");
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {certificate} {directives} return 200; }}"
    ));
    let config = format!(
        "[defaults]\nca_file = '{}'\n[[target]]\naddress = 'a.test:{port}:127.0.0.1:{port}'\n\
         [target.expect]\nclients = ['{client}']\n",
        material.pki.ca_file(),
        port = nginx.port
    );
    let path = material.pki.path("targets.toml");
    std::fs::write(&path, config).unwrap();
    let audit = probe(&["--config", path.to_str().unwrap()]);
    let clients: Vec<&Value> = audit.target["clients"].as_array().unwrap().iter().collect();
    assert_eq!(text(&clients[0]["outcome"]), "failed", "{:#}", audit.target);
    text(&clients[0]["missing"]).to_owned()
}

#[test]
fn what_a_client_lacks_is_reported_whatever_the_alert() {
    let reason = reason_for("java-8", "ssl_protocols TLSv1.3;");
    assert!(reason.starts_with("no common version"), "{reason}");
    let reason = reason_for("ie-11-win7", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+CHACHA20;");
    assert_eq!(reason, "in TLSv1.2 the client offers no cipher suite that the server accepts");
    let reason = reason_for(
        "ie-11-win7",
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AES; ssl_ecdh_curve X448;",
    );
    assert_eq!(reason, "in TLSv1.2 the client offers no group that the server accepts");
    let reason = reason_for(
        "ie-11-win7",
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AES;
         ssl_conf_command SignatureAlgorithms rsa_pss_rsae_sha256;",
    );
    assert_eq!(reason, "in TLSv1.2 the server signs with no scheme that the client offers");
}

#[test]
fn a_gap_between_versions_turns_everyone_away() {
    // From OpenSSL 3.2 on, there is no gap above versions that the security level forbids.
    let reason = reason_for(
        "chrome",
        "ssl_protocols TLSv1.1 TLSv1.3; ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0;",
    );
    assert!(reason.contains("a gap in ssl_protocols"), "{reason}");
}
