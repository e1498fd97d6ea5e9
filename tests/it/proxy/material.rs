//! Certificates and keys that the generated upstreams share, each with one peculiarity.

use std::fs;
use std::process::Command;

use rcgen::{
    CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use shakedown::certificate::file::read;
use shakedown::certificate::issue::{Authority, self_signed};
use time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::pki::{Files, Pki, openssl_req, pem, pem_of};

/// All certificates and keys for the cases.
pub(super) struct Material {
    pub(super) pki: Pki,
    /// The upstreams' certificates, each with a short description.
    pub(super) servers: Vec<(&'static str, Files)>,
    /// A certificate from the right CA of clients, and one from another.
    pub(super) client: Files,
    pub(super) stranger: Files,
    /// That CA's file.
    pub(super) clients: String,
    /// Trusted files of proxies: the right root, another one, only the right intermediate.
    pub(super) trusted: Vec<(&'static str, String)>,
    /// Files of revocation lists, each with a short description.
    pub(super) lists: Vec<(&'static str, String)>,
    /// Finite-field parameters of 1024 and 2048 bits.
    pub(super) dh: [String; 2],
}

impl Material {
    pub(super) fn new() -> Self {
        let pki = Pki::rsa();
        let servers = servers(&pki);
        let authority = Authority::root("it clients", pki.now).unwrap();
        let strange = Authority::root("it strangers", pki.now).unwrap();
        let write = |name: &str, authority: &Authority| {
            let path = pki.path(name);
            fs::write(&path, pem(std::slice::from_ref(&authority.certificate))).unwrap();
            path.display().to_string()
        };
        let issue = |name: &str, authority: &Authority| {
            let issued = authority
                .issue_with(&["client"], |params| {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                })
                .unwrap();
            pki.write(name, &issued, &issued.chain())
        };
        let trusted = vec![
            ("right root", pki.ca_file()),
            ("other root", write("other.pem", &strange)),
            ("intermediate alone", write("intermediate.pem", &pki.intermediate)),
        ];
        Self {
            client: issue("client", &authority),
            stranger: issue("stranger", &strange),
            clients: write("clients.pem", &authority),
            lists: lists(&pki, &servers[0].1),
            dh: ["1024", "2048"].map(|bits| field(&pki, bits)),
            trusted,
            servers,
            pki,
        }
    }
}

fn servers(pki: &Pki) -> Vec<(&'static str, Files)> {
    let now = pki.now;
    let good = pki.intermediate.issue(&["a.test", "up.test"]).unwrap();
    let deep = pki.intermediate.intermediate("it second").unwrap();
    let deep = deep.issue(&["a.test", "up.test"]).unwrap();
    let own = self_signed(&["a.test"], now).unwrap();
    let mut misordered = deep.chain();
    misordered.swap(1, 2);
    let ecdsa = Authority::root_with("it ecdsa", now, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let ecdsa = ecdsa.issue(&["a.test", "up.test"]).unwrap();
    let common_name = |params: &mut rcgen::CertificateParams| {
        params.subject_alt_names.clear();
        params.distinguished_name.push(DnType::CommonName, "a.test");
    };
    let address = |params: &mut rcgen::CertificateParams| {
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    };
    vec![
        ("sound", pki.write("good", &good, &good.chain())),
        ("without intermediate", pki.write("alone", &good, &good.chain()[..1])),
        ("two intermediates", pki.write("deep", &deep, &deep.chain())),
        ("misordered", pki.write("misordered", &deep, &misordered)),
        ("self-signed", pki.write("own", &own, &own.chain())),
        ("private ECDSA", pki.write("ecdsa", &ecdsa, &ecdsa.chain())),
        ("other name", pki.server("other", &["other.test"])),
        ("wildcard", pki.server("wildcard", &["*.test"])),
        ("common name", pki.changed("cn", &["a.test"], common_name)),
        ("address", pki.changed("ip", &["a.test"], address)),
        (
            "expired",
            pki.changed("expired", &["a.test"], |params| {
                params.not_after = now - Duration::days(1);
            }),
        ),
        (
            "for clients",
            pki.changed("purpose", &["a.test"], |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
        ),
        ("weak key", openssl_req(pki.folder.path(), "weak", &["-newkey", "rsa:1024"])),
    ]
}

/// Files of revocation lists for the two authorities; some revoke this server's certificate.
fn lists(pki: &Pki, server: &Files) -> Vec<(&'static str, String)> {
    let ended = |list: &mut CertificateRevocationListParams| {
        list.next_update = pki.now - Duration::days(1);
    };
    let soon = |list: &mut CertificateRevocationListParams| {
        list.this_update = pki.now + Duration::days(1);
    };
    let revoking = |der: &[u8]| {
        let (_, parsed) = X509Certificate::from_der(der).unwrap();
        let serial_number = SerialNumber::from_slice(parsed.raw_serial());
        let entry = RevokedCertParams {
            serial_number,
            revocation_time: pki.now - Duration::days(2),
            reason_code: None,
            invalidity_date: None,
        };
        move |list: &mut CertificateRevocationListParams| list.revoked_certs.push(entry)
    };
    let leaf = read(&fs::read(&server.certificate).unwrap()).0.remove(0);
    let above = |change: &dyn Fn(&mut CertificateRevocationListParams)| {
        pki.root.revocation_list(change).unwrap().to_vec()
    };
    let below = |change: &dyn Fn(&mut CertificateRevocationListParams)| {
        pki.intermediate.revocation_list(change).unwrap().to_vec()
    };
    let good = || [above(&|_| {}), below(&|_| {})];
    let mut damaged = good();
    *damaged[1].last_mut().unwrap() ^= 1;
    let by_root = pki.root.revocation_list(revoking(&pki.intermediate.certificate)).unwrap();
    let by_issuer = pki.intermediate.revocation_list(revoking(&leaf)).unwrap();
    let files = [
        ("both lists", good().to_vec()),
        ("an expired list", vec![above(&|_| {}), below(&ended)]),
        ("an expired list of the root", vec![above(&ended), below(&|_| {})]),
        ("a list of tomorrow", vec![above(&|_| {}), below(&soon)]),
        ("no list of the root", vec![below(&|_| {})]),
        ("no list of the intermediate", vec![above(&|_| {})]),
        ("a list that another key signed", damaged.to_vec()),
        ("lists that revoke the leaf", vec![above(&|_| {}), by_issuer.to_vec()]),
        ("lists that revoke the intermediate", vec![by_root.to_vec(), below(&|_| {})]),
    ];
    let write = |(index, (word, lists)): (usize, (&'static str, Vec<Vec<u8>>))| {
        let path = pki.path(&format!("{index}.crl"));
        fs::write(&path, pem_of("X509 CRL", &lists)).unwrap();
        (word, path.display().to_string())
    };
    files.into_iter().enumerate().map(write).collect()
}

/// Finite-field parameters of this size.
fn field(pki: &Pki, bits: &str) -> String {
    let path = pki.path(&format!("dh{bits}.pem")).display().to_string();
    let arguments = ["dhparam", "-dsaparam", "-out", &path, bits];
    let made = Command::new("openssl").args(arguments).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    path
}
