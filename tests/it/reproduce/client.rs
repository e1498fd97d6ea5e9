//! Client certificates.

use super::Row;
use super::scene::{Scene, Sign, block};
use shakedown::certificate::issue::Authority;

use crate::support::pki::{Files, Pki, pem};

pub(super) const ROWS: &[Row] = &[
    ("client-certificate-required", || {
        let it = Clients::new();
        let faulty = it.asks("on");
        it.scene(&faulty, "", Sign::says("400 No required SSL certificate"))
    }),
    ("client-certificate-rejected", || {
        let it = Clients::new();
        let faulty = it.asks("on");
        let accepts =
            format!("ssl_verify_client on; ssl_client_certificate {};", it.strangers.ca_file());
        let stranger = it.strangers.client("stranger");
        it.scene(&faulty, &accepts, Sign::says("400 The SSL certificate error"))
            .with(&presents(&stranger))
    }),
    ("client-certificate-requested", || {
        let it = Clients::new();
        let faulty = it.asks("optional");
        it.scene(&faulty, "", Sign::says("Acceptable client certificate CA names"))
    }),
    ("client-issuer-unacceptable", || {
        let it = Clients::new();
        let faulty = it.asks("optional_no_ca");
        let accepts =
            format!("ssl_verify_client on; ssl_client_certificate {};", it.strangers.ca_file());
        let stranger = it.strangers.client("stranger");
        it.scene(&faulty, &accepts, Sign::lacks("CN = it strangers\nRequested"))
            .with(&presents(&stranger))
    }),
    ("client-certificate-not-requested", || {
        let it = Clients::new();
        let healthy = it.asks("optional");
        let targets = it.pki.path("targets.toml");
        let scene = it.scene("", &healthy, Sign::says("No client certificate CA names sent"));
        let [faulty, healthy] = [&scene.faulty, &scene.healthy].map(|address| {
            let path = targets.with_extension(format!("{}.toml", address.replace(':', "-")));
            let text = format!(
                "[[target]]\naddress = 'a.test:443:{address}'\nca_file = 'ca.pem'\nexpect.client_certificate = 'optional'\n"
            );
            std::fs::write(&path, text).unwrap();
            vec!["probe".to_owned(), "--config".to_owned(), path.display().to_string()]
        });
        Scene { args: faulty, healthy_args: healthy, ..scene }
    }),
];

fn presents(files: &Files) -> [&str; 4] {
    [
        "--client-cert",
        files.certificate.to_str().unwrap(),
        "--client-key",
        files.key.to_str().unwrap(),
    ]
}

/// A server's CA, the CA of its clients, and another one.
struct Clients {
    pki: Pki,
    accepted: Pki,
    strangers: Pki,
}

impl Clients {
    fn new() -> Self {
        let pki = Pki::new();
        let root = Authority::root("it strangers", pki.now).unwrap();
        let intermediate = root.intermediate("it strange").unwrap();
        let strangers = Pki { root, intermediate, ..pki };
        let certificate = pem(std::slice::from_ref(&strangers.root.certificate));
        std::fs::write(strangers.ca_file(), certificate).unwrap();
        Self { pki: Pki::new(), accepted: Pki::new(), strangers }
    }

    fn asks(&self, verify: &str) -> String {
        format!("ssl_verify_client {verify}; ssl_client_certificate {};", self.accepted.ca_file())
    }

    fn scene(self, faulty: &str, healthy: &str, sign: Sign) -> Scene {
        let files = self.pki.server("a", &["a.test"]);
        let (faulty, healthy) = (block(&files, faulty), block(&files, healthy));
        Scene::of(self.pki, &faulty, &healthy, sign).keep(self.accepted).keep(self.strangers)
    }
}
