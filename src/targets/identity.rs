//! Client certificates and keys, read from PEM or DER files.

use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::sign::{any_ecdsa_type, any_supported_type};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::passwords::{PasswordFile, PasswordPlace};
use super::{ClientIdentity, regular_file};
use crate::certificate::locked_key::{LockedKey, OpenError};
use crate::certificate::{Certificate, file};

/// The largest file, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Why a file of certificates or a key cannot be used.
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
    #[error("no certificate in {}: expected -----BEGIN CERTIFICATE----- or DER", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A PEM block in it is damaged.
    #[error("damaged PEM block in {}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no private key in it.
    #[error("no private key in {}: expected PKCS#8, PKCS#1 or SEC1 in PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted, and this program never asks for passwords.
    #[error("the key in {} is encrypted; decrypt it with openssl pkey first", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// No password opens the key.
    #[error("no password in {} opens the key in {}", passwords.display(), path.display())]
    WrongPassword {
        /// The key's file.
        path: PathBuf,
        /// The file of passwords.
        passwords: PathBuf,
        /// OpenSSL's errors.
        words: &'static str,
    },
    /// The key is encrypted in a way that is not supported here.
    #[error("cannot decrypt the key in {}: {reason}", path.display())]
    Undecrypted {
        /// The key's file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A line of a file of passwords is too long for nginx.
    #[error("a line in {} is longer than nginx reads: at most 4095 bytes", path.display())]
    LongLine {
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
    certificates_in(path, &read_file(path)?)
}

/// The certificates in the contents of a file.
pub(super) fn certificates_in(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    check_size(path, bytes)?;
    let (blocks, problems) = file::blocks(bytes);
    if let Some(problem) = problems.first() {
        return Err(FileError::Pem { path: path.to_owned(), reason: problem.to_string() });
    }
    if blocks.is_empty() {
        return Err(FileError::NoCertificate { path: path.to_owned() });
    }
    Ok(blocks.into_iter().map(|block| block.der).collect())
}

/// Reads a client's chain and private key, which a password of a file may open.
pub fn read_identity(
    certificate: &Path,
    key: &Path,
    passwords: Option<&Path>,
) -> Result<ClientIdentity, FileError> {
    let chain = read_certificates(certificate)?;
    let (key_der, password) = key_in(key, &read_file(key)?, passwords)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    certified(&chain, key_der.clone_key(), &provider).map_err(|error| FileError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(ClientIdentity {
        chain,
        key: Some(key_der),
        certificate_file: certificate.to_owned(),
        key_file: key.to_owned(),
        password,
    })
}

/// A chain and its key, to be presented. rustls itself refuses certificates of version 1, which nginx presents.
pub fn certified(
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, rustls::Error> {
    let key = provider.key_provider.load_private_key(key)?;
    let leaf = chain.first().and_then(|der| Certificate::parse(der).ok());
    let leaf = leaf.ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let belongs = key.public_key().is_none_or(|spki| *spki == *leaf.public_key.spki);
    if !belongs {
        return Err(InconsistentKeys::KeyMismatch.into());
    }
    Ok(CertifiedKey::new(chain.to_vec(), key))
}

/// Reads a private key, which a password of a file may open, and returns its public key, as `SubjectPublicKeyInfo` in
/// DER.
pub fn read_public_key(path: &Path, passwords: Option<&Path>) -> Result<Vec<u8>, FileError> {
    public_key_in(path, &read_file(path)?, passwords)
}

/// The public key of the private key in the contents of a file.
pub(super) fn public_key_in(
    path: &Path,
    bytes: &[u8],
    passwords: Option<&Path>,
) -> Result<Vec<u8>, FileError> {
    let (key, _) = key_in(path, bytes, passwords)?;
    public_key(key).ok_or_else(|| FileError::NoKey { path: path.to_owned() })
}

/// The public key of a private key, as `SubjectPublicKeyInfo` in DER.
pub(super) fn public_key(key: PrivateKeyDer<'static>) -> Option<Vec<u8>> {
    let key = Zeroizing::new(key);
    let is_ec = match &*key {
        PrivateKeyDer::Sec1(_) => true,
        PrivateKeyDer::Pkcs8(key) => file::is_ec_key(key.secret_pkcs8_der()),
        _ => false,
    };
    // The library would try each such key as one of RSA first, and check it for that.
    let signing = if is_ec { any_ecdsa_type(&key) } else { any_supported_type(&key) }.ok()?;
    signing.public_key().map(|spki| spki.to_vec())
}

/// The first private key in the contents of a file, and where its password is.
fn key_in(
    path: &Path,
    bytes: &[u8],
    passwords: Option<&Path>,
) -> Result<(PrivateKeyDer<'static>, Option<PasswordPlace>), FileError> {
    check_size(path, bytes)?;
    let owned = || path.to_owned();
    let Some(locked) = LockedKey::find(bytes) else {
        let key = PrivateKeyDer::from_pem_slice(bytes);
        return key.map(|key| (key, None)).map_err(|_| FileError::NoKey { path: owned() });
    };
    let passwords = passwords.ok_or_else(|| FileError::EncryptedKey { path: owned() })?;
    let file = read_passwords(passwords)?;
    let opened = locked.open(file.all()).map_err(|error| match error {
        OpenError::WrongPassword(words) => {
            FileError::WrongPassword { path: owned(), passwords: passwords.to_owned(), words }
        }
        OpenError::Untried(reason) => FileError::Undecrypted { path: owned(), reason },
    });
    opened.map(|(key, index)| (key, file.place(index)))
}

/// Reads a file of passwords.
pub(super) fn read_passwords(path: &Path) -> Result<PasswordFile, FileError> {
    let bytes = read_file(path)?;
    PasswordFile::of(path, &bytes).ok_or_else(|| FileError::LongLine { path: path.to_owned() })
}

/// Refuses contents that another part of the program has read and that are larger than any file of this kind.
fn check_size(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fits = bytes.len() as u64 <= MAX_FILE;
    if fits { Ok(()) } else { Err(FileError::TooLarge { path: path.to_owned() }) }
}

/// Reads a file of certificates, keys or revocation lists.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    regular_file::read(path, MAX_FILE).map_err(|error| {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::FileTooLarge => FileError::TooLarge { path },
            _ => FileError::Read { path, error },
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{KeyPair, PublicKeyData, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    fn generated() -> rcgen::CertifiedKey<KeyPair> {
        generate_simple_self_signed(vec!["client.test".to_owned()]).unwrap()
    }

    fn written(certificate: &str, key: &str) -> (TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let files = (folder.path().join("client.pem"), folder.path().join("client.key"));
        fs::write(&files.0, certificate).unwrap();
        fs::write(&files.1, key).unwrap();
        (folder, files.0, files.1)
    }

    #[track_caller]
    fn check_error(certificate: &str, key: &str, expected: &str) {
        let (_folder, certificate, key) = written(certificate, key);
        let error = read_identity(&certificate, &key, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn one_file_may_hold_certificate_and_key() {
        let pair = generated();
        let both = format!("{}{}", pair.signing_key.serialize_pem(), pair.cert.pem());
        let (_folder, file, _) = written(&both, "");
        let identity = read_identity(&file, &file, None).unwrap();
        assert_eq!(identity.chain, [pair.cert.der().clone()]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let pair = generated();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        check_error("", &key, "no certificate in ");
        check_error(&certificate, "", "no private key in");
        check_error(&certificate, &generated().signing_key.serialize_pem(), "cannot be used");
        check_error(&certificate[..certificate.len() / 2], &key, "damaged PEM block");
        let missing = read_identity(Path::new("/nonexistent"), Path::new("/nonexistent"), None);
        assert!(missing.unwrap_err().to_string().starts_with("cannot read /nonexistent: "));
    }

    #[test]
    fn an_encrypted_key_says_so() {
        let certificate = generated().cert.pem();
        let pkcs8 =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        check_error(&certificate, pkcs8, "is encrypted");
        let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                           DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        check_error(&certificate, traditional, "is encrypted");
    }

    #[test]
    fn certificates_come_in_pem_or_der() {
        let pair = generated();
        let folder = tempfile::tempdir().unwrap();
        let (pem, der) = (folder.path().join("ca.pem"), folder.path().join("ca.der"));
        fs::write(&pem, format!("# two\n{0}{0}", pair.cert.pem())).unwrap();
        fs::write(&der, pair.cert.der()).unwrap();
        assert_eq!(read_certificates(&pem).unwrap().len(), 2);
        assert_eq!(read_certificates(&der).unwrap(), [pair.cert.der().clone()]);
    }

    #[test]
    fn the_public_key_of_every_kind_of_key_is_found() {
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &rcgen::PKCS_ED25519,
            &rcgen::PKCS_RSA_SHA256,
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let (_folder, _, path) = written("", &key.serialize_pem());
            let found = read_public_key(&path, None).unwrap();
            assert_eq!(found, key.subject_public_key_info(), "{algorithm:?}");
        }
    }

    #[test]
    fn an_endless_file_is_not_read() {
        let error = read_certificates(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "cannot read /dev/zero: not a regular file, but a device");
    }
}
