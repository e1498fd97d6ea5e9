//! Client certificates and keys, read from PEM or DER files.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ClientIdentity;

/// Larger files hold no certificates.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Why a file of certificates or a key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// It is larger than any file of its kind.
    #[error("{} is larger than {} MiB", path.display(), MAX_FILE / 1024 / 1024)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate in it.
    #[error("{} holds no certificate; expected -----BEGIN CERTIFICATE----- or DER", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A PEM block in it is damaged.
    #[error("{} holds a damaged PEM block: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no private key in it.
    #[error("{} holds no private key; expected PKCS#8, PKCS#1 or SEC1 in PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted, and this tool asks for no passwords.
    #[error("the key in {} is encrypted, and no password is asked for; decrypt it with openssl pkey first", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("the certificate {} and the key {} cannot be used together: {reason}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The TLS library's reason.
        reason: String,
    },
}

/// Reads a file of certificates: a PEM bundle, or one certificate in DER.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(path)?;
    // A DER certificate is a SEQUENCE; no PEM file starts with that byte.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| FileError::Pem { path: path.to_owned(), reason: error.to_string() })?;
    if certificates.is_empty() {
        return Err(FileError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// Reads what a client presents: its chain and its private key.
pub fn read_identity(certificate: &Path, key: &Path) -> Result<ClientIdentity, FileError> {
    let chain = read_certificates(certificate)?;
    let key_der = read_key(key)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::sign::CertifiedKey::from_der(chain.clone(), key_der.clone_key(), &provider).map_err(
        |error| FileError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        },
    )?;
    Ok(ClientIdentity {
        chain,
        key: key_der,
        certificate_file: certificate.to_owned(),
        key_file: key.to_owned(),
    })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let encrypted = [b"BEGIN ENCRYPTED PRIVATE KEY".as_slice(), b"Proc-Type: 4,ENCRYPTED"]
            .iter()
            .any(|mark| bytes.windows(mark.len()).any(|window| window == *mark));
        let path = path.to_owned();
        if encrypted { FileError::EncryptedKey { path } } else { FileError::NoKey { path } }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::Read { path: path.to_owned(), error };
    #[expect(
        clippy::disallowed_methods,
        reason = "this room reads the files that targets are named in"
    )]
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}
