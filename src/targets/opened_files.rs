//! Files of certificates and keys, each read once: many servers may share one, and to derive a key from a password takes
//! time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::identity::{FileError, read_certificates, read_public_key};
use crate::certificate::Certificate;

/// The files of a key and of its passwords.
type KeyFiles = (PathBuf, Option<PathBuf>);

/// What files contain.
#[derive(Clone, Debug, Default)]
pub struct OpenedFiles(Arc<Mutex<FileContents>>);

#[derive(Debug, Default)]
struct FileContents {
    keys: HashMap<KeyFiles, PublicKeyRead>,
    certificates: HashMap<PathBuf, Option<CertificatesRead>>,
}

/// A `SubjectPublicKeyInfo` in DER, or why there is none.
pub(super) type PublicKeyRead = Arc<Result<Vec<u8>, FileError>>;

/// The certificates of a file, in their order.
pub(super) type CertificatesRead = Arc<[Arc<Certificate>]>;

impl OpenedFiles {
    /// The public key of a key file, which one of these passwords may open.
    pub(super) fn public_key(&self, key: &Path, passwords: Option<&Path>) -> PublicKeyRead {
        let files = (key.to_owned(), passwords.map(Path::to_owned));
        let read = || Arc::new(read_public_key(key, passwords));
        Arc::clone(self.lock().keys.entry(files).or_insert_with(read))
    }

    /// The certificates of a file; `None` if it cannot be read.
    pub(super) fn certificates(&self, path: &Path) -> Option<CertificatesRead> {
        let read = || {
            let ders = read_certificates(path).ok()?;
            let parsed = ders.iter().filter_map(|der| Certificate::parse(der).ok());
            Some(parsed.map(Arc::new).collect())
        };
        self.lock().certificates.entry(path.to_owned()).or_insert_with(read).clone()
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
