//! PEM as OpenSSL reads it (`PEM_read_bio`), and whether it can load a file for a purpose.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::crl::RevocationList;
use super::der::{Elements, INTEGER, SEQUENCE};
use super::openssl_view::OpensslView;

/// A block of a file.
struct PemBlock<'a> {
    label: &'a [u8],
    encrypted: bool,
    der: Vec<u8>,
}

/// Why OpenSSL cannot load a file; its errors as nginx logs them, from OpenSSL 3.
pub type LoadError = String;

/// The blocks of a file, as far as OpenSSL reads it, and the error that ends the reading, if it is one.
fn blocks(bytes: &[u8]) -> (Vec<PemBlock<'_>>, Option<&'static str>) {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut blocks = Vec::new();
    while let Some(label) = lines.find_map(label) {
        let (mut encrypted, mut body, mut ends) = (false, Vec::new(), None);
        for line in lines.by_ref() {
            if let Some(end) = line.strip_prefix(b"-----END ") {
                ends = end.strip_suffix(b"-----");
                break;
            }
            if line.contains(&b':') {
                encrypted |= line.starts_with(b"Proc-Type: 4,ENCRYPTED");
            } else {
                line.split(u8::is_ascii_whitespace).for_each(|part| body.extend_from_slice(part));
            }
        }
        if ends != Some(label) {
            return (blocks, Some("error:04800066:PEM routines::bad end line"));
        }
        match STANDARD.decode(&body) {
            Ok(der) => blocks.push(PemBlock { label, encrypted, der }),
            Err(_) => {
                return (blocks, Some("error:04800064:PEM routines::bad base64 decode"));
            }
        }
    }
    (blocks, None)
}

fn label(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"-----BEGIN ")?.strip_suffix(b"-----")
}

const CERTIFICATE: [&[u8]; 2] = [b"CERTIFICATE", b"X509 CERTIFICATE"];
const TRUSTED: &[u8] = b"TRUSTED CERTIFICATE";
const LIST: &[u8] = b"X509 CRL";

impl PemBlock<'_> {
    fn is_certificate(&self) -> bool {
        CERTIFICATE.contains(&self.label)
    }

    /// Whether OpenSSL can read the certificate or the revocation list in it; true for anything else.
    fn is_readable(&self) -> bool {
        match self.label {
            TRUSTED => Elements(&self.der)
                .expect(SEQUENCE)
                .is_ok_and(|first| OpensslView::of(first.whole).is_ok()),
            LIST => RevocationList::parse(&self.der).is_ok(),
            _ if self.is_certificate() => OpensslView::of(&self.der).is_ok(),
            _ => true,
        }
    }
}

/// Whether a file of trusted certificates or revocation lists loads (`X509_load_cert_crl_file`): all of it must be
/// readable.
pub fn trusted(bytes: &[u8]) -> Result<(), LoadError> {
    let (blocks, error) = blocks(bytes);
    if blocks.iter().any(|block| !block.is_readable()) {
        return Err(ASN1.to_owned());
    }
    if let Some(error) = error {
        return Err(format!("{error} error:05880009:x509 certificate routines::PEM lib"));
    }
    let counts = |block: &PemBlock<'_>| {
        block.is_certificate() || block.label == TRUSTED || block.label == LIST
    };
    if blocks.iter().any(counts) {
        Ok(())
    } else {
        Err("error:05800088:x509 certificate routines::no certificate or crl found".to_owned())
    }
}

/// Whether a file has certificates of authorities that clients are told of (`SSL_load_client_CA_file`).
pub fn client_authorities(bytes: &[u8]) -> Result<(), LoadError> {
    let (blocks, _) = blocks(bytes);
    if blocks.iter().any(PemBlock::is_certificate) {
        Ok(())
    } else {
        Err("error:0480006C:PEM routines::no start line:Expecting: CERTIFICATE".to_owned())
    }
}

/// Whether the chain of a server or a client loads (`ngx_ssl_load_certificate`); the error, with the function that fails.
pub fn chain(bytes: &[u8]) -> Result<(), (&'static str, LoadError)> {
    let (blocks, error) = blocks(bytes);
    let mut function = "PEM_read_bio_X509_AUX()";
    for block in &blocks {
        let is_first = function.ends_with("AUX()");
        if !(block.is_certificate() || is_first && block.label == TRUSTED) {
            continue;
        }
        if !block.is_readable() {
            return Err((function, ASN1.to_owned()));
        }
        function = "PEM_read_bio_X509()";
    }
    match error {
        Some(error) => Err((function, error.to_owned())),
        None if function.ends_with("AUX()") => Err((
            function,
            "error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE".to_owned(),
        )),
        None => Ok(()),
    }
}

/// Whether the first private key of a file is there and its block whole; what is in it is not read.
pub fn key(bytes: &[u8]) -> Result<(), LoadError> {
    let (blocks, error) = blocks(bytes);
    let key = blocks.iter().find(|block| block.label.ends_with(b"PRIVATE KEY"));
    match (key, error) {
        (Some(key), _)
            if key.encrypted || is_numbers(&key.der) || key.label.starts_with(b"ENC") =>
        {
            Ok(())
        }
        (None, Some(error)) => Err(error.to_owned()),
        _ => Err("error:1E08010C:DECODER routines::unsupported".to_owned()),
    }
}

/// Whether a file has parameters of Diffie-Hellman (`PEM_read_bio_DHparams`).
pub fn parameters(bytes: &[u8]) -> Result<(), LoadError> {
    const LABELS: [&[u8]; 2] = [b"DH PARAMETERS", b"X9.42 DH PARAMETERS"];
    let (blocks, error) = blocks(bytes);
    match (blocks.iter().find(|block| LABELS.contains(&block.label)), error) {
        (Some(found), _) if is_numbers(&found.der) => Ok(()),
        (Some(_), _) => Err(ASN1.to_owned()),
        (None, Some(error)) => Err(error.to_owned()),
        (None, None) => {
            Err("error:0480006C:PEM routines::no start line:Expecting: DH PARAMETERS".to_owned())
        }
    }
}

/// Whether a file is an OCSP response in DER (`d2i_OCSP_RESPONSE_bio`), by its structure.
pub fn staple(bytes: &[u8]) -> bool {
    const ENUMERATED: u8 = 10;
    let response = Elements(bytes).expect(SEQUENCE);
    response.is_ok_and(|response| response.inside().expect(ENUMERATED).is_ok())
}

/// A sequence that begins with a number.
fn is_numbers(der: &[u8]) -> bool {
    let sequence = Elements(der).expect(SEQUENCE);
    sequence.is_ok_and(|sequence| sequence.inside().expect(INTEGER).is_ok())
}

const ASN1: &str = "error:0688010A:asn1 encoding routines::nested asn1 error error:0488000D:PEM routines::ASN1 lib";

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::certificate::issue::Authority;

    fn block(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn a_trusted_file_is_read_whole_or_not_at_all() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let authority = Authority::root("root", now).unwrap();
        let list = block("X509 CRL", &authority.revocation_list(|_| {}).unwrap());
        let certificate = block("CERTIFICATE", &authority.certificate);
        let check = |text: &str, expected: &str| match trusted(text.as_bytes()) {
            Ok(()) => assert_eq!(expected, "", "{text}"),
            Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{error}"),
        };
        check(&list, "");
        check(&format!("text: before\n{certificate}{list}after"), "");
        check(&list.replace('\n', "\r\n"), "");
        check("", "no certificate or crl found");
        check(&block("PRIVATE KEY", &[0x30, 0]), "no certificate or crl found");
        check(&format!("{list}{}", block("X509 CRL", &[0x30, 0])), "ASN1 lib");
        check(&format!("{list}-----BEGIN X509 CRL-----\nAAAA\n"), "bad end line");
        check(&list.replace("END X509", "END"), "bad end line");
        check(&list.replace('M', "!"), "bad base64");
        assert!(client_authorities(certificate.as_bytes()).is_ok());
        assert!(client_authorities(list.as_bytes()).is_err());
        assert!(chain(certificate.as_bytes()).is_ok());
        let (function, _) =
            chain(format!("{certificate}-----BEGIN X-----").as_bytes()).unwrap_err();
        assert_eq!(function, "PEM_read_bio_X509()");
        let (function, _) = chain(list.as_bytes()).unwrap_err();
        assert_eq!(function, "PEM_read_bio_X509_AUX()");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
            for label in ["X509 CRL", "TRUSTED CERTIFICATE", "PRIVATE KEY", "DH PARAMETERS"] {
                let text = block(label, &bytes);
                let read = [trusted(text.as_bytes()), key(text.as_bytes()), parameters(&bytes)];
                let _ = (read, chain(&bytes), client_authorities(&bytes), staple(&bytes));
            }
        }
    }
}
