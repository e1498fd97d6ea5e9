//! Certificates that the generated servers share.

use std::path::PathBuf;

use shakedown::certificate::issue::Authority;
use shakedown::targets::openssl_conf::system_commands;

use crate::support::pki::{Files, Pki, pem};

/// Everything that cases choose from.
pub(super) struct Material {
    pub(super) pki: Pki,
    /// The directives of each kind of certificate.
    pub(super) certificates: Vec<Vec<String>>,
    /// The authority of clients.
    pub(super) clients: String,
    /// The configuration file of nginx's OpenSSL, if it has one of its own.
    pub(super) openssl_conf: Option<PathBuf>,
    /// What that sets for every connection.
    pub(super) system: Vec<String>,
}

const NAMES: [&str; 3] = ["a.test", "b.test", "c.test"];

impl Material {
    pub(super) fn new() -> Self {
        let pki = Pki::rsa();
        let rsa = pki.server("rsa", &NAMES);
        let own = |name: &str, algorithm| {
            let root = Authority::root_with(name, pki.now, algorithm).unwrap();
            let issued = root.issue(&NAMES).unwrap();
            pki.write(name, &issued, &issued.chain())
        };
        let p256 = own("p256", &rcgen::PKCS_ECDSA_P256_SHA256);
        let p384 = own("p384", &rcgen::PKCS_ECDSA_P384_SHA384);
        let clients = Authority::root("it clients", pki.now).unwrap();
        let path = pki.path("clients.pem");
        std::fs::write(&path, pem(std::slice::from_ref(&clients.certificate))).unwrap();
        let both = [directives(&rsa), directives(&p256)].concat();
        let certificates =
            vec![directives(&rsa), directives(&rsa), directives(&p256), directives(&p384), both];
        let clients = path.display().to_string();
        Self { certificates, clients, openssl_conf: None, system: Vec::new(), pki }
    }

    /// The same for an nginx whose OpenSSL is configured with these lines. At a high security level it does not load the RSA
    /// certificate, which is too weak.
    pub(super) fn with_system(lines: &str) -> Self {
        let mut material = Self::new();
        let path = material.pki.path("openssl.cnf");
        let head = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = system\n";
        std::fs::write(&path, format!("{head}[system]\n{lines}")).unwrap();
        let name = path.display().to_string();
        material.system = system_commands(&name, None, None).unwrap();
        material.openssl_conf = Some(path);
        if lines.contains("@SECLEVEL=3") {
            material.certificates.retain(|one| !one.iter().any(|line| line.contains("/rsa")));
        }
        material
    }
}

fn directives(files: &Files) -> Vec<String> {
    vec![
        format!("ssl_certificate {};", files.certificate.display()),
        format!("ssl_certificate_key {};", files.key.display()),
    ]
}
