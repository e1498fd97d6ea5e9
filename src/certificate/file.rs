//! Certificate files: PEM bundles and DER, as bytes. Damaged parts are reported with their line; the rest is kept.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;

use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::der::{Elements, INTEGER, OID, SEQUENCE};
use super::parse::Certificate;
use super::signature::{SignatureCheck, Verifier};

/// A problem of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FileProblem {
    /// Where it starts, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// A chain in a file, before a server uses it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileChain {
    /// The file, as the user named it.
    pub path: String,
    /// The leaf, then the other certificates in the order of the file.
    pub chain: Arc<Chain>,
    /// The position of the leaf in the file, from 0.
    pub leaf_at: usize,
    /// The private key to use with it.
    pub key: Option<FileKey>,
    /// Whether other programs read it from a file of this name: it is PEM or DER, and not a part of something else.
    #[serde(default = "is_usual")]
    pub is_plain: bool,
    /// Whether the server reads it at each handshake, because its name has variables.
    #[serde(default)]
    pub at_handshake: bool,
}

/// Recordings of earlier releases have only plain files.
fn is_usual() -> bool {
    true
}

/// A private key, as far as a certificate is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileKey {
    /// Its file.
    pub path: String,
    /// The public key that belongs to it, as `SubjectPublicKeyInfo` in DER, or why the file could not be read.
    pub spki: Result<Vec<u8>, String>,
}

impl FileChain {
    /// Whether the key is of another type than the certificate. nginx starts with such a pair, and no handshake can use it.
    pub fn has_key_of_another_type(&self) -> bool {
        let key = self.key.as_ref().and_then(|key| key.spki.as_ref().ok());
        let types = key.zip(self.chain.leaf()).and_then(|(spki, leaf)| {
            Some((key_algorithm(spki)?, key_algorithm(&leaf.public_key.spki)?))
        });
        types.is_some_and(|(key, certificate)| key != certificate)
    }
}

/// The algorithm of a `SubjectPublicKeyInfo` in DER, as an element.
pub fn key_algorithm(spki: &[u8]) -> Option<&[u8]> {
    let info = Elements(spki).expect(SEQUENCE).ok()?;
    let algorithm = Elements(info.body).expect(SEQUENCE).ok()?;
    Elements(algorithm.body).expect(OID).ok().map(|oid| oid.whole)
}

/// Whether a private key in PKCS#8 is one for an elliptic curve (`id-ecPublicKey`).
pub fn is_ec_key(pkcs8: &[u8]) -> bool {
    const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    let algorithm = Elements(pkcs8).expect(SEQUENCE).and_then(|key| {
        let mut parts = key.inside();
        parts.expect(INTEGER)?;
        parts.expect(SEQUENCE)?.inside().expect(OID)
    });
    algorithm.is_ok_and(|algorithm| algorithm.body == EC_PUBLIC_KEY)
}

/// One chain for each leaf of the file: the leaf, then the authorities, in the order of the file. A file with only
/// authorities is one chain.
pub fn chains(
    path: &str,
    certificates: &[Arc<Certificate>],
    key: Option<&FileKey>,
) -> Vec<FileChain> {
    let leaves = leaves(certificates);
    let starts = if leaves.is_empty() && !certificates.is_empty() { vec![0] } else { leaves };
    let several = starts.len() > 1;
    let chain = |start: &usize| {
        let others: Vec<usize> = if several {
            let authorities = (0..certificates.len()).filter(|index| !starts.contains(index));
            above(*start, authorities.collect(), certificates)
        } else {
            (0..certificates.len()).filter(|index| index != start).collect()
        };
        let sent = std::iter::once(start).chain(&others);
        let sent: Vec<_> = sent.map(|index| Arc::clone(&certificates[*index])).collect();
        FileChain {
            path: path.to_owned(),
            chain: Arc::new(Chain::of(&sent)),
            // The position matters only if there is one leaf: it must be first.
            leaf_at: if several { 0 } else { *start },
            key: key.cloned(),
            is_plain: true,
            at_handshake: false,
        }
    };
    starts.iter().map(chain).collect()
}

/// The certificates that are neither an authority's nor issued another one of the file. An issuer need not be marked as
/// an authority: by default openssl creates authorities without basicConstraints.
fn leaves(certificates: &[Arc<Certificate>]) -> Vec<usize> {
    let mut issued: HashMap<&[u8], Vec<&Certificate>> = HashMap::new();
    for one in certificates.iter().map(|one| &**one).filter(|one| !one.is_self_issued()) {
        issued.entry(&one.issuer.der).or_default().push(one);
    }
    let verifier = Verifier::default();
    let issues = |one: &Certificate| {
        let named = issued.get(one.subject.der.as_slice()).into_iter().flatten();
        named
            .take(MAX_CHECKS)
            .any(|below| verifier.check(below, &one.public_key.spki) != SignatureCheck::Invalid)
    };
    let is_leaf = |index: &usize| !certificates[*index].is_ca() && !issues(&certificates[*index]);
    (0..certificates.len()).filter(is_leaf).collect()
}

/// The authorities above a certificate, by their names, in the order of the file.
fn above(
    start: usize,
    mut authorities: Vec<usize>,
    certificates: &[Arc<Certificate>],
) -> Vec<usize> {
    let mut names = vec![&certificates[start].issuer];
    let mut found = Vec::new();
    while let Some(name) = names.pop() {
        let (above, rest): (Vec<usize>, Vec<usize>) =
            authorities.into_iter().partition(|index| certificates[*index].subject == *name);
        names.extend(above.iter().map(|index| &certificates[*index].issuer));
        found.extend(above);
        authorities = rest;
    }
    found.sort_unstable();
    found
}

/// The most signatures that are checked to distinguish issuers from leaves.
const MAX_CHECKS: usize = 16;

/// A certificate of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it starts, from 1.
    pub line: usize,
    /// Its DER.
    pub der: CertificateDer<'static>,
}

/// Reads the certificates of a file, in order, and its problems.
pub fn read(bytes: &[u8]) -> (Vec<CertificateDer<'static>>, Vec<FileProblem>) {
    let (blocks, mut problems) = blocks(bytes);
    let is_pem = !is_der(bytes);
    let mut certificates = Vec::new();
    for block in blocks {
        match Certificate::parse(&block.der) {
            Ok(certificate) => certificates.push(certificate.der),
            Err(_) if !is_pem && is_pkcs7(bytes) => {
                let message = "no certificate, but a PKCS#7 bundle; openssl pkcs7 -inform der -print_certs -in FILE \
                               -out FILE.pem makes PEM of it";
                problems.push(FileProblem { line: 1, message: message.to_owned() });
            }
            Err(error) => {
                let damaged = if is_pem { "damaged certificate: " } else { "" };
                problems
                    .push(FileProblem { line: block.line, message: format!("{damaged}{error}") });
            }
        }
    }
    if certificates.is_empty() && problems.is_empty() {
        let message = match instead(bytes) {
            Some(what) => format!("no certificate, but {what}"),
            None => "no certificate; expected -----BEGIN CERTIFICATE----- or DER".to_owned(),
        };
        problems.push(FileProblem { line: 1, message });
    }
    problems.sort_by_key(|problem| problem.line);
    (certificates, problems)
}

/// What a file in PEM without certificates holds, and what to do with it.
fn instead(bytes: &[u8]) -> Option<&'static str> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let label = lines.find_map(|line| line.strip_prefix(b"-----BEGIN ")?.strip_suffix(b"-----"))?;
    Some(match label {
        b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => {
            "a request for one; give the certificate that the authority issued for it"
        }
        b"X509 CRL" => "a revocation list",
        b"PKCS7" | b"CMS" => {
            "a PKCS#7 bundle; openssl pkcs7 -print_certs -in FILE -out FILE.pem makes PEM of it"
        }
        _ if label.ends_with(b"PRIVATE KEY") => {
            "a private key; give the certificate, and the key with --key"
        }
        _ => return None,
    })
}

/// Whether bytes are DER of PKCS#7, as authorities of Windows issue it.
fn is_pkcs7(bytes: &[u8]) -> bool {
    const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    let kind = Elements(bytes).expect(SEQUENCE).and_then(|all| all.inside().expect(OID));
    kind.is_ok_and(|kind| kind.body == SIGNED_DATA)
}

/// A DER certificate is a SEQUENCE; no PEM file starts with that byte.
fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

/// The certificate blocks of a file, undecoded, and the damaged blocks.
pub fn blocks(bytes: &[u8]) -> (Vec<Block>, Vec<FileProblem>) {
    if is_der(bytes) {
        return (vec![Block { line: 1, der: CertificateDer::from(bytes.to_vec()) }], Vec::new());
    }
    let (mut blocks, mut problems) = (Vec::new(), Vec::new());
    let mut open: Option<(usize, PemContent, Vec<u8>)> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let (number, line) = (index + 1, line.trim_ascii());
        if let Some(label) = line.strip_prefix(b"-----BEGIN ") {
            let unfinished = open.replace((number, PemContent::of(label), Vec::new()));
            problems.extend(unfinished.map(|(start, ..)| no_end(start)));
        } else if line.starts_with(b"-----END ") {
            let Some((line, kind, text)) = open.take() else { continue };
            match kind.decode(&text) {
                None => {}
                Some(Ok(der)) => blocks.push(Block { line, der: der.into() }),
                Some(Err(why)) => {
                    let message = format!("damaged certificate: {why}");
                    problems.push(FileProblem { line, message });
                }
            }
        } else if let Some((.., text)) = &mut open {
            line.split(u8::is_ascii_whitespace).for_each(|part| text.extend_from_slice(part));
        }
        if problems.len() >= MAX_PROBLEMS {
            let message = "too many damaged blocks; the rest of the file was not read".to_owned();
            problems.push(FileProblem { line: number, message });
            return (blocks, problems);
        }
    }
    problems.extend(open.map(|(start, ..)| no_end(start)));
    (blocks, problems)
}

/// The most problems of one file that are listed.
const MAX_PROBLEMS: usize = 100;

fn no_end(line: usize) -> FileProblem {
    FileProblem { line, message: "this block has no -----END line".to_owned() }
}

/// The content of a block, by its label.
#[derive(Clone, Copy)]
enum PemContent {
    Certificate,
    /// OpenSSL's own format: the certificate, then its trusted purposes.
    Trusted,
    /// Something else, such as a key.
    Other,
}

impl PemContent {
    fn of(label: &[u8]) -> Self {
        match label {
            b"CERTIFICATE-----" | b"X509 CERTIFICATE-----" => Self::Certificate,
            b"TRUSTED CERTIFICATE-----" => Self::Trusted,
            _ => Self::Other,
        }
    }

    /// The certificate in a block's text; `None` if there is none.
    fn decode(self, text: &[u8]) -> Option<Result<Vec<u8>, base64::DecodeError>> {
        let decoded = || STANDARD.decode(text);
        match self {
            Self::Other => None,
            Self::Certificate => Some(decoded()),
            Self::Trusted => Some(decoded().map(|der| {
                let first = Elements(&der).next().map(|one| one.whole.to_vec());
                first.unwrap_or(der)
            })),
        }
    }
}

/// Whether a file has a certificate block, readable or not.
pub fn mentions_certificate(bytes: &[u8]) -> bool {
    let marks = [&b"BEGIN CERTIFICATE-----"[..], b"BEGIN X509 CERT", b"BEGIN TRUSTED CERT"];
    is_der(bytes) || marks.iter().any(|mark| memchr::memmem::find(bytes, mark).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::certificate::issue::Authority;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let (_, problems) = read(text.as_bytes());
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_damaged_is_named_with_its_line() {
        check("", &["line 1: no certificate; expected -----BEGIN CERTIFICATE----- or DER"]);
        check(
            "\n\n-----BEGIN CERTIFICATE-----\nAAAA\n",
            &["line 3: this block has no -----END line"],
        );
        let (_, problems) =
            read(b"x\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(problems[0].line, 2);
        assert!(
            problems[0].message.starts_with("damaged certificate: not a DER"),
            "{}",
            problems[0].message
        );
    }

    #[test]
    fn a_file_of_another_kind_says_what_it_is() {
        for (label, words) in [
            ("CERTIFICATE REQUEST", "a request for one"),
            ("PKCS7", "openssl pkcs7 -print_certs"),
            ("EC PRIVATE KEY", "a private key"),
        ] {
            let text = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
            let (_, problems) = read(text.as_bytes());
            assert!(problems[0].message.contains(words), "{problems:?}");
        }
        let (_, problems) = read(b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
        assert!(problems[0].message.contains("pkcs7 -inform der"), "{problems:?}");
    }

    #[test]
    fn every_label_of_openssl_is_read() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let root = Authority::root("root", now).unwrap().certificate;
        let text = |label: &str, der: &[u8]| {
            let body = STANDARD.encode(der);
            format!("-----BEGIN {label}-----\r\n{body}\r\n-----END {label}-----\n")
        };
        let trusted = [root.as_ref(), &[0x30, 0]].concat();
        for (label, der) in [
            ("CERTIFICATE", root.as_ref()),
            ("X509 CERTIFICATE", root.as_ref()),
            ("TRUSTED CERTIFICATE", &trusted),
        ] {
            assert_eq!(read(text(label, der).as_bytes()), (vec![root.clone()], vec![]), "{label}");
        }
    }

    #[test]
    fn an_issuer_that_is_not_marked_as_an_authority_is_not_a_second_leaf() {
        let now = time::macros::datetime!(2026-06-15 12:00 UTC);
        let root = Authority::root_changed("root", now, |params| params.is_ca = rcgen::IsCa::NoCa);
        let root = root.unwrap();
        let leaf = root.issue(&["a.test"]).unwrap();
        let other = root.issue(&["b.test"]).unwrap();
        let parse = |der| Arc::new(Certificate::parse(der).unwrap());
        let pair = [parse(&leaf.certificate), parse(&root.certificate)];
        let found = chains("file", &pair, None);
        assert_eq!((found.len(), found[0].chain.certificates.len()), (1, 2));
        let three = [parse(&leaf.certificate), parse(&root.certificate), parse(&other.certificate)];
        let found = chains("file", &three, None);
        let lengths: Vec<usize> = found.iter().map(|one| one.chain.certificates.len()).collect();
        assert_eq!(lengths, [2, 2]);
    }

    #[test]
    fn a_key_beside_the_certificates_is_passed_over() {
        let (certificates, problems) =
            read(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        assert!(certificates.is_empty());
        assert_eq!(problems.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..300), text in "(-----BEGIN CERTIFICATE-----\n)?[A-Za-z0-9+/=\n]{0,200}(-----END CERTIFICATE-----\n)?") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
