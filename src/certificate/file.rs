//! Certificate files: PEM bundles and DER, as bytes. What is damaged is named with its line; the rest is kept.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::chain::Chain;
use super::parse::Certificate;

/// Blocks of one file that are read; the largest root bundles have a few hundred.
const MAX_BLOCKS: usize = 10_000;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FileProblem {
    /// Where it starts, from 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub message: String,
}

/// A chain as it stands in a file, before anyone serves it.
#[derive(Clone, Debug)]
pub struct FileChain {
    /// The file, as the user named it.
    pub path: String,
    /// The leaf, then the other certificates in the order of the file.
    pub chain: Arc<Chain>,
    /// Where in the file the leaf stands, from 0.
    pub leaf_at: usize,
    /// The private key that is to go with it.
    pub key: Option<FileKey>,
}

/// A private key, as far as a certificate is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileKey {
    /// Its file.
    pub path: String,
    /// The public key that belongs to it, as `SubjectPublicKeyInfo` in DER.
    pub spki: Vec<u8>,
}

/// One chain for each leaf of the file: the leaf, then every authority in the order of the file. A file of authorities
/// alone is one chain as it stands.
pub fn chains(path: &str, certificates: &[Certificate], key: Option<&FileKey>) -> Vec<FileChain> {
    let leaves: Vec<usize> = certificates
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.is_ca())
        .map(|(index, _)| index)
        .collect();
    let starts = if leaves.is_empty() && !certificates.is_empty() { vec![0] } else { leaves };
    let several = starts.len() > 1;
    let chain = |start: &usize| {
        let others = certificates
            .iter()
            .enumerate()
            .filter(|(index, one)| index != start && (one.is_ca() || !several))
            .map(|(_, one)| one);
        let sent: Vec<&[u8]> = std::iter::once(&certificates[*start])
            .chain(others)
            .map(|one| one.der.as_ref())
            .collect();
        FileChain {
            path: path.to_owned(),
            chain: Arc::new(Chain::from_der(&sent)),
            // Among several leaves each has a place of its own; only a lone one must be first.
            leaf_at: if several { 0 } else { *start },
            key: key.cloned(),
        }
    };
    starts.iter().map(chain).collect()
}

/// Reads the certificates of a file, in its order, and whatever is wrong with it.
pub fn read(bytes: &[u8]) -> (Vec<CertificateDer<'static>>, Vec<FileProblem>) {
    // A DER certificate is a SEQUENCE; no PEM file starts with that byte.
    if bytes.first() == Some(&0x30) {
        return match Certificate::parse(bytes) {
            Ok(certificate) => (vec![certificate.der], Vec::new()),
            Err(error) => (Vec::new(), vec![FileProblem { line: 1, message: error.to_string() }]),
        };
    }
    let (mut certificates, mut problems) = (Vec::new(), Vec::new());
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let (number, line) = (index + 1, line.trim_ascii());
        if is_mark(line, b"-----BEGIN ") {
            let unfinished = open.replace((number, Vec::new()));
            problems.extend(unfinished.map(|(start, _)| no_end(start)));
        }
        if let Some((start, block)) = &mut open {
            block.extend_from_slice(line);
            block.push(b'\n');
            if is_mark(line, b"-----END ") {
                match certificate(block) {
                    None => {}
                    Some(Ok(der)) => certificates.push(der),
                    Some(Err(message)) => problems.push(FileProblem { line: *start, message }),
                }
                open = None;
            }
        }
        if certificates.len() + problems.len() >= MAX_BLOCKS {
            break;
        }
    }
    problems.extend(open.map(|(start, _)| no_end(start)));
    if certificates.is_empty() && problems.is_empty() {
        let message = "no certificate; expected -----BEGIN CERTIFICATE----- or DER".to_owned();
        problems.push(FileProblem { line: 1, message });
    }
    (certificates, problems)
}

fn is_mark(line: &[u8], start: &[u8]) -> bool {
    line.starts_with(start)
}

fn no_end(line: usize) -> FileProblem {
    FileProblem { line, message: "this block has no -----END line".to_owned() }
}

/// The certificate of one block; `None` where it is something else, as a key beside the certificates is.
fn certificate(block: &[u8]) -> Option<Result<CertificateDer<'static>, String>> {
    let first = block.split(|byte| *byte == b'\n').next()?;
    let names = [&b"CERTIFICATE-----"[..], b"X509 CERTIFICATE-----", b"TRUSTED CERTIFICATE-----"];
    if !names.iter().any(|name| first.ends_with(name)) {
        return None;
    }
    let damaged = |error: String| format!("a damaged certificate: {error}");
    let der = match CertificateDer::from_pem_slice(block) {
        Ok(der) => der,
        Err(error) => return Some(Err(damaged(error.to_string()))),
    };
    Some(
        Certificate::parse(&der)
            .map(|certificate| certificate.der)
            .map_err(|error| damaged(error.to_string())),
    )
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;

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
            problems[0].message.starts_with("a damaged certificate: not a DER"),
            "{}",
            problems[0].message
        );
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
