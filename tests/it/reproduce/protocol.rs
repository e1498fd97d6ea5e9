//! Versions, suites, groups, ALPN and names.

use super::Row;
use super::scene::{Scene, Sign, block, pair};
use crate::support::pki::Pki;
use crate::support::server::{Nginx, says};

const OLD: &str = "ssl_ciphers DEFAULT:@SECLEVEL=0;";

pub(super) const ROWS: &[Row] = &[
    ("tls12-unsupported", || two("ssl_protocols TLSv1.3;", "", Sign::Fails)),
    ("tls13-unsupported", || two("ssl_protocols TLSv1.2;", "", Sign::Fails)),
    ("legacy-protocol-only", || two(&format!("ssl_protocols TLSv1; {OLD}"), "", Sign::Works)),
    ("legacy-protocol-accepted", || {
        two(&format!("ssl_protocols TLSv1 TLSv1.2; {OLD}"), "", Sign::Works).by_scan()
    }),
    ("legacy-cipher-only", || {
        two("ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA;", "", Sign::Fails)
    }),
    ("cipher-mismatch", || {
        two("ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp521r1;", "", Sign::Fails)
    }),
    ("handshake-refused", || {
        let pki = Pki::new();
        let healthy = Nginx::start(&block(&pki.server("a", &["a.test"]), ""));
        let ca_file = pki.ca_file();
        Scene::new(
            &says(&[21, 3, 3, 0, 2, 2, 40]),
            &format!("127.0.0.1:{}", healthy.port),
            Sign::Fails,
        )
        .with(&["--ca-file", &ca_file])
        .keep((healthy, pki))
    }),
    ("protocol-unexpected", || {
        expects(two("", "ssl_protocols TLSv1.3;", Sign::Works), "protocols = ['TLSv1.3']")
    }),
    ("alpn-mismatch", || expects(two("", "http2 on;", Sign::Fails), "alpn = ['h2']")),
    ("sni-required", || {
        let pki = Pki::new();
        let files = pki.server("a", &["a.test"]);
        let faulty = format!("{REJECTING} {}", block(&files, "server_name a.test;"));
        Scene::of(pki, &faulty, &block(&files, ""), Sign::FirstAlone)
    }),
    ("sni-name-rejected", || {
        let pki = Pki::new();
        let files = pki.server("a", &["a.test"]);
        let default =
            block(&files, "server_name b.test;").replace("PORT ssl", "PORT ssl default_server");
        let reject =
            "server { listen 127.0.0.1:PORT ssl; server_name a.test; ssl_reject_handshake on; }";
        Scene::of(pki, &format!("{default} {reject}"), &block(&files, ""), Sign::Fails)
    }),
    ("sni-different-certificate", || {
        let pki = Pki::new();
        let (files, other) = (pki.server("a", &["a.test"]), pki.server("b", &["b.test"]));
        let default =
            block(&other, "server_name b.test;").replace("PORT ssl", "PORT ssl default_server");
        let faulty = format!(
            "{default} server {{ listen 127.0.0.1:PORT ssl; server_name a.test; {} }}",
            pair(&files)
        );
        Scene::of(pki, &faulty, &block(&files, ""), Sign::lacks("DNS:a.test"))
    }),
];

const REJECTING: &str =
    "server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }";

/// Two nginx with different directives.
fn two(faulty: &str, healthy: &str, sign: Sign) -> Scene {
    let pki = Pki::new();
    let pair = pair(&pki.server("a", &["a.test"]));
    let block = |more: &str| {
        let versions =
            if more.contains("ssl_protocols") { "" } else { "ssl_protocols TLSv1.2 TLSv1.3;" };
        let http2 = if more.contains("http2 on;") { " http2" } else { "" };
        let more = more.replace("http2 on;", "");
        format!("server {{ listen 127.0.0.1:PORT ssl{http2}; {versions} {pair} {more} }}")
    };
    Scene::of(pki, &block(faulty), &block(healthy), sign)
}

/// The same with an expectation in a targets file.
fn expects(scene: Scene, expectation: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = scene.args.last().unwrap().clone();
    let [faulty, healthy] = [&scene.faulty, &scene.healthy].map(|address| {
        let path = folder.path().join(format!("{}.toml", address.replace(':', "-")));
        let text = format!(
            "[[target]]\naddress = 'a.test:443:{address}'\nca_file = '{ca_file}'\nexpect.{expectation}\n"
        );
        std::fs::write(&path, text).unwrap();
        vec!["probe".to_owned(), "--config".to_owned(), path.display().to_string()]
    });
    Scene { args: faulty, healthy_args: healthy, ..scene }.keep(folder)
}

impl Scene {
    /// The same, audited by a scan.
    fn by_scan(mut self) -> Self {
        for args in [&mut self.args, &mut self.healthy_args] {
            "scan".clone_into(&mut args[0]);
        }
        self
    }
}
