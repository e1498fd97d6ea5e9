//! Certificates that the generated servers share.

use shakedown::certificate::issue::Authority;

use crate::support::pki::{Files, Pki, pem};

/// Everything that cases choose from.
pub(super) struct Material {
    pub(super) pki: Pki,
    /// The directives of each kind of certificate.
    pub(super) certificates: Vec<Vec<String>>,
    /// The authority of clients.
    pub(super) clients: String,
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
        Self { certificates, clients: path.display().to_string(), pki }
    }
}

fn directives(files: &Files) -> Vec<String> {
    vec![
        format!("ssl_certificate {};", files.certificate.display()),
        format!("ssl_certificate_key {};", files.key.display()),
    ]
}
