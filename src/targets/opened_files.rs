//! Files of certificates and keys, each read once: many servers may share one, and to derive a key from a password takes
//! time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls_pki_types::CertificateDer;

use super::identity::{
    FileError, certificates_in, public_key_in, read_certificates, read_public_key,
};
use crate::certificate::Certificate;
use crate::certificate::file::{self, FileChain, FileKey};

/// The files of a key and of its passwords.
type KeyFiles = (PathBuf, Option<PathBuf>);

/// What files contain.
#[derive(Clone, Debug, Default)]
pub struct OpenedFiles(Arc<Mutex<FileContents>>);

#[derive(Debug, Default)]
struct FileContents {
    keys: HashMap<KeyFiles, PublicKeyRead>,
    certificates: HashMap<PathBuf, Option<CertificatesRead>>,
    /// Without their names and keys, which differ by who uses them.
    chains: HashMap<PathBuf, Vec<FileChain>>,
}

/// A `SubjectPublicKeyInfo` in DER, or why there is none.
pub(super) type PublicKeyRead = Arc<Result<Vec<u8>, FileError>>;

/// The certificates of a file, in their order.
pub(super) type CertificatesRead = Arc<[Arc<Certificate>]>;

impl OpenedFiles {
    /// The public key of a key file, which one of these passwords may open.
    pub(super) fn public_key(&self, key: &Path, passwords: Option<&Path>) -> PublicKeyRead {
        self.public_key_or(key, passwords, || read_public_key(key, passwords))
    }

    /// The same, of a file that was just read.
    pub(super) fn public_key_in(
        &self,
        key: &Path,
        bytes: &[u8],
        passwords: Option<&Path>,
    ) -> PublicKeyRead {
        self.public_key_or(key, passwords, || public_key_in(key, bytes, passwords))
    }

    fn public_key_or(
        &self,
        key: &Path,
        passwords: Option<&Path>,
        read: impl FnOnce() -> Result<Vec<u8>, FileError>,
    ) -> PublicKeyRead {
        let files = (key.to_owned(), passwords.map(Path::to_owned));
        Arc::clone(self.lock().keys.entry(files).or_insert_with(|| Arc::new(read())))
    }

    /// The certificates of a file; `None` if it cannot be read.
    pub(super) fn certificates(&self, path: &Path) -> Option<CertificatesRead> {
        self.certificates_or(path, || read_certificates(path))
    }

    /// The same, of a file that was just read.
    pub(super) fn certificates_in(&self, path: &Path, bytes: &[u8]) -> Option<CertificatesRead> {
        self.certificates_or(path, || certificates_in(path, bytes))
    }

    fn certificates_or(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<Vec<CertificateDer<'static>>, FileError>,
    ) -> Option<CertificatesRead> {
        let parsed = || {
            let ders = read().ok()?;
            let parsed = ders.iter().filter_map(|der| Certificate::parse(der).ok());
            Some(parsed.map(Arc::new).collect())
        };
        self.lock().certificates.entry(path.to_owned()).or_insert_with(parsed).clone()
    }

    /// The chains of a file, which the user knows by this name, with a key; `None` if it cannot be read.
    pub(super) fn chains(
        &self,
        path: &Path,
        name: &str,
        key: Option<&FileKey>,
    ) -> Option<Vec<FileChain>> {
        let certificates = self.certificates(path)?;
        let mut contents = self.lock();
        let chains = contents.chains.entry(path.to_owned());
        let chains = chains.or_insert_with(|| file::chains("", &certificates, None));
        let complete = |chain: &FileChain| FileChain {
            path: name.to_owned(),
            key: key.cloned(),
            ..chain.clone()
        };
        Some(chains.iter().map(complete).collect())
    }

    fn lock(&self) -> MutexGuard<'_, FileContents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_several_servers_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        std::fs::write(&path, own.cert.pem()).unwrap();
        let opened = OpenedFiles::default();
        let first = opened.certificates(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &opened.certificates(&path).unwrap()));
        assert!(OpenedFiles::default().certificates(&path).is_none());
    }
}
