//! Stapled OCSP responses, made by the openssl command and sent by nginx.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use shakedown::certificate::Certificate;
use shakedown::certificate::issue::Issued;
use shakedown::certificate::ocsp::{StapleError, StapleStatus, check};
use time::Duration;

use crate::support::pki::{Files, Pki, pem};
use crate::support::program::probe;
use crate::support::server::Nginx;

/// A leaf directly below the root, which signs its OCSP responses.
pub(crate) struct Responder {
    pub(crate) pki: Pki,
    leaf: Issued,
    pub(crate) files: Files,
}

impl Responder {
    pub(crate) fn new() -> Self {
        let pki = Pki::new();
        let leaf = pki.intermediate.issue(&["a.test"]).unwrap();
        let files = pki.write("a", &leaf, &leaf.chain());
        fs::write(
            pki.path("intermediate.pem"),
            pem(std::slice::from_ref(&pki.intermediate.certificate)),
        )
        .unwrap();
        fs::write(pki.path("intermediate.key"), pki.intermediate.key_pem()).unwrap();
        Self { pki, leaf, files }
    }

    /// The CA's response about the leaf, from its register.
    pub(crate) fn answer(&self, register: &str) -> PathBuf {
        let leaf = Certificate::parse(&self.leaf.certificate).unwrap();
        let serial = leaf.serial.to_uppercase();
        let line = match register {
            "good" => format!("V\t491231235959Z\t\t{serial}\tunknown\t/CN=a.test\n"),
            "revoked" => {
                format!("R\t491231235959Z\t260102000000Z\t{serial}\tunknown\t/CN=a.test\n")
            }
            _ => String::new(),
        };
        fs::write(self.pki.path("index.txt"), line).unwrap();
        let path = |name: &str| self.pki.path(name).display().to_string();
        let openssl = |args: &[&str]| {
            let output = Command::new("openssl").arg("ocsp").args(args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let certificate = self.files.certificate.display().to_string();
        let (issuer, key, request) =
            (path("intermediate.pem"), path("intermediate.key"), path("request.der"));
        openssl(&["-issuer", &issuer, "-cert", &certificate, "-reqout", &request, "-no_nonce"]);
        let (index, answer) = (path("index.txt"), path(&format!("{register}.der")));
        let signer = ["-CA", &issuer, "-rsigner", &issuer, "-rkey", &key, "-ndays", "7"];
        openssl(
            &[&["-index", &*index, "-reqin", &request, "-respout", &answer], &signer[..]].concat(),
        );
        PathBuf::from(answer)
    }

    #[track_caller]
    fn serve(&self, register: &str, expected: &[&str]) {
        let nginx = Nginx::start(&format!(
            "server {{ listen 127.0.0.1:PORT ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m;
             ssl_certificate {}; ssl_certificate_key {}; ssl_stapling on; ssl_stapling_file {}; }}",
            self.files.certificate.display(),
            self.files.key.display(),
            self.answer(register).display()
        ));
        let target = format!("a.test:443:127.0.0.1:{}", nginx.port);
        let audit = probe(&[&target, "--ca-file", &self.pki.ca_file()]);
        audit.check(expected);
        assert!(
            audit.handshakes().iter().all(|cell| cell["ocsp_stapled"] == true),
            "{:#}",
            audit.target
        );
    }
}

#[test]
fn what_nginx_staples_is_read() {
    let responder = Responder::new();
    responder.serve("good", &[]);
    responder.serve("revoked", &["error certificate-revoked"]);
    responder.serve("unknown", &["warning ocsp-staple-invalid"]);
}

#[test]
fn an_answer_counts_only_while_it_lasts_and_from_who_may_give_it() {
    let responder = Responder::new();
    let answer = fs::read(responder.answer("good")).unwrap();
    let parse = |der: &[u8]| Certificate::parse(der).unwrap();
    let (leaf, issuer) =
        (parse(&responder.leaf.certificate), parse(&responder.pki.intermediate.certificate));
    let now = responder.pki.now + Duration::minutes(1);
    assert_eq!(check(&answer, &leaf, Some(&issuer), now), Ok(StapleStatus::Good));
    let later = check(&answer, &leaf, Some(&issuer), now + Duration::days(8));
    assert!(matches!(later, Err(StapleError::Expired(_))), "{later:?}");
    let earlier = check(&answer, &leaf, Some(&issuer), now - Duration::days(1));
    assert!(matches!(earlier, Err(StapleError::NotYetValid(_))), "{earlier:?}");
    let other = parse(&responder.pki.intermediate.issue(&["a.test"]).unwrap().certificate);
    assert_eq!(check(&answer, &other, Some(&issuer), now), Err(StapleError::OtherCertificate));
    let namesake = parse(&Pki::new().intermediate.certificate);
    assert_eq!(check(&answer, &leaf, Some(&namesake), now), Err(StapleError::BadSignature));
    let mut forged = answer.clone();
    // producedAt is the first GeneralizedTime in the signed part; its seconds come before the Z.
    let produced = forged.windows(2).position(|header| header == [0x18, 0x0f]).unwrap();
    forged[produced + 2 + 13] ^= 1;
    assert_eq!(check(&forged, &leaf, Some(&issuer), now), Err(StapleError::BadSignature));
}
