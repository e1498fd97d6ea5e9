//! Certificates.

use rcgen::{CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, SerialNumber};
use rustls_pki_types::CertificateDer;
use time::Duration;
use time::macros::datetime;

use super::Row;
use super::scene::{Scene, Sign, block};
use crate::staple::Responder;
use crate::support::pki::{OpenSslAuthority, Pki};
use crate::support::script;
use crate::support::server::{Nginx, OpenSsl};

pub(super) const ROWS: &[Row] = &[
    ("certificate-expired", || {
        changed(Sign::says("Certificate will expire"), |params| {
            (params.not_before, params.not_after) =
                (datetime!(2020-01-01 0:00 UTC), datetime!(2020-03-01 0:00 UTC));
        })
    }),
    ("certificate-expiring", || {
        changed(Sign::says("Certificate will expire"), |params| {
            params.not_after = params.not_before + Duration::days(12);
        })
    }),
    ("certificate-not-yet-valid", || {
        changed(Sign::says(" 2045 GMT"), |params| {
            (params.not_before, params.not_after) =
                (datetime!(2045-01-01 0:00 UTC), datetime!(2045-03-01 0:00 UTC));
        })
    }),
    ("certificate-refused", || {
        changed(Sign::says("CA:TRUE"), |params| {
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        })
    }),
    ("certificate-without-san", || {
        changed(Sign::lacks("DNS:a.test"), |params| params.subject_alt_names.clear())
    }),
    ("hostname-mismatch", || named("b.test", Sign::lacks("DNS:a.test"))),
    ("serial-malformed", || {
        changed(Sign::says("serial=00\n"), |params| {
            params.serial_number = Some(SerialNumber::from(0));
        })
    }),
    ("server-auth-missing", || {
        changed(Sign::lacks("TLS Web Server Authentication"), |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }),
    ("wildcard-unusable", || {
        let pki = Pki::new();
        let files = pki.server("a", &["a.test", "*.*.test"]);
        against_healthy(pki, &block(&files, ""), Sign::says("DNS:*.*.test"))
    }),
    ("lifetime-too-long", || {
        public(Sign::says(" 2031 GMT"), |params| {
            params.not_before = datetime!(2026-06-01 0:00 UTC);
            params.not_after = datetime!(2031-06-01 0:00 UTC);
        })
    }),
    ("sct-missing", || public(Sign::lacks("Signed Certificate Timestamp"), |_| {})),
    ("weak-key", || odd("rsa:1024", "-sha256", "rsaEncryption, 1024 (bit)")),
    ("weak-signature", || odd("rsa:2048", "-sha1", "RSA-SHA1")),
    ("certificate-revoked", || stapled("revoked", "Cert Status: revoked")),
    ("ocsp-staple-invalid", || stapled("unknown", "Cert Status: unknown")),
    ("must-staple-unmet", must_staple),
    ("certificate-unreadable", || {
        let pki = Pki::new();
        let issued = pki.intermediate.issue(&["a.test"]).unwrap();
        let mut chain = issued.chain();
        chain.push(CertificateDer::from(vec![0x30, 3, 1, 2, 3]));
        scripted(pki, script::tls(chain, issued.private_key()))
    }),
    ("handshake-signature-invalid", || {
        let pki = Pki::new();
        let other = pki.intermediate.issue(&["a.test"]).unwrap();
        let issued = pki.intermediate.issue(&["a.test"]).unwrap();
        scripted(pki, script::tls(issued.chain(), other.private_key()))
    }),
];

/// The same nginx with this block, and with a healthy certificate.
fn against_healthy(pki: Pki, faulty: &str, sign: Sign) -> Scene {
    let healthy = block(&pki.server("healthy", &["a.test"]), "");
    Scene::of(pki, faulty, &healthy, sign)
}

fn named(name: &str, sign: Sign) -> Scene {
    let pki = Pki::new();
    let faulty = block(&pki.server("a", &[name]), "");
    against_healthy(pki, &faulty, sign)
}

fn changed(sign: Sign, change: fn(&mut CertificateParams)) -> Scene {
    let pki = Pki::new();
    let faulty = block(&pki.changed("a", &["a.test"], change), "");
    against_healthy(pki, &faulty, sign)
}

/// A certificate of a scripted server that openssl cannot use.
fn scripted(pki: Pki, faulty: std::net::SocketAddr) -> Scene {
    let healthy = Nginx::start(&block(&pki.server("healthy", &["a.test"]), ""));
    let ca_file = pki.ca_file();
    Scene::new(&faulty, &format!("127.0.0.1:{}", healthy.port), Sign::Fails)
        .with(&["--ca-file", &ca_file])
        .keep(healthy)
        .keep(pki)
}

/// As from a public CA: with its policy, and with a timestamp unless it is left out.
fn public(sign: Sign, fault: fn(&mut CertificateParams)) -> Scene {
    let pki = Pki::new();
    let policy = |params: &mut CertificateParams| {
        let domain_validated = &[0x30, 10, 0x30, 8, 6, 6, 0x67, 0x81, 0x0c, 1, 2, 1];
        let extension =
            CustomExtension::from_oid_content(&[2, 5, 29, 32], domain_validated.to_vec());
        params.custom_extensions.push(extension);
        (params.not_before, params.not_after) =
            (params.not_before, params.not_before + Duration::days(80));
    };
    let faulty = pki.changed("a", &["a.test"], |params| {
        policy(params);
        fault(params);
    });
    let healthy = pki.changed("healthy", &["a.test"], |params| {
        policy(params);
        let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
        params.custom_extensions.push(CustomExtension::from_oid_content(&oid, timestamp()));
    });
    let roots = pki.ca_file();
    Scene::served(&block(&faulty, ""), &block(&healthy, ""), sign)
        .with(&["--trust", "native"])
        .env("SSL_CERT_FILE", roots)
        .keep(pki)
}

/// A list with one signed certificate timestamp (RFC 6962 section 3.3), in an OCTET STRING; its signature is not
/// checked.
fn timestamp() -> Vec<u8> {
    let signature = [4, 3, 0, 8, 0x30, 6, 2, 1, 1, 2, 1, 1];
    let sct = [&[0][..], &[7; 32], &[0, 0, 1, 0x90, 0, 0, 0, 0], &[0, 0], &signature].concat();
    let size = u8::try_from(sct.len()).unwrap();
    [&[4, size + 4, 0, size + 2, 0, size][..], &sct].concat()
}

/// A certificate that rcgen refuses to make.
fn odd(key: &str, digest: &str, sign: &str) -> Scene {
    let (faulty, healthy) = (OpenSslAuthority::new(), OpenSslAuthority::new());
    let serve = |authority: &OpenSslAuthority, key: &str, digest: &str| {
        let files = authority.issue(key, digest, Some("DNS:a.test"));
        let (certificate, key) =
            (files.certificate.display().to_string(), files.key.display().to_string());
        let options = ["-cert", &certificate, "-key", &key, "-cipher", "DEFAULT:@SECLEVEL=0"];
        OpenSsl::start(&options)
    };
    let (bad, good) = (serve(&faulty, key, digest), serve(&healthy, "rsa:2048", "-sha256"));
    let place = |server: &OpenSsl| format!("127.0.0.1:{}", server.port);
    Scene::new(&place(&bad), &place(&good), Sign::says(sign))
        .with(&["--ca-file", &faulty.ca_file(), "--add-ca-file", &healthy.ca_file()])
        .keep((bad, good, faulty, healthy))
}

fn stapled(register: &str, sign: &str) -> Scene {
    let responder = Responder::new();
    let block = |register: &str| {
        let answer = responder.answer(register);
        block(
            &responder.files,
            &format!("ssl_stapling on; ssl_stapling_file {};", answer.display()),
        )
    };
    let (faulty, healthy) = (block(register), block("good"));
    Scene::served(&faulty, &healthy, Sign::says(sign))
        .with(&["--ca-file", &responder.pki.ca_file()])
        .keep(responder)
}

fn must_staple() -> Scene {
    let responder = Responder::new();
    let demanding = responder.pki.changed("demanding", &["a.test"], |params| {
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 24];
        let status_request = vec![0x30, 3, 2, 1, 5];
        params.custom_extensions.push(CustomExtension::from_oid_content(&oid, status_request));
    });
    let answer = responder.answer("good");
    let staple = format!("ssl_stapling on; ssl_stapling_file {};", answer.display());
    let healthy = block(&responder.files, &staple);
    Scene::served(&block(&demanding, ""), &healthy, Sign::says("no response sent"))
        .with(&["--ca-file", &responder.pki.ca_file()])
        .keep(responder)
}
