//! Key files, each opened once: to derive a key from a password takes time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::identity::{FileError, read_public_key};

/// The files of a key and of its passwords.
type KeyFiles = (PathBuf, Option<PathBuf>);

/// The public keys of key files.
#[derive(Clone, Debug, Default)]
pub struct OpenedKeys(Arc<Mutex<HashMap<KeyFiles, PublicKeyRead>>>);

/// A `SubjectPublicKeyInfo` in DER, or why there is none.
pub(super) type PublicKeyRead = Arc<Result<Vec<u8>, FileError>>;

impl OpenedKeys {
    /// The public key of a key file, which one of these passwords may open.
    pub(super) fn public_key(&self, key: &Path, passwords: Option<&Path>) -> PublicKeyRead {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let files = (key.to_owned(), passwords.map(Path::to_owned));
        let read = || Arc::new(read_public_key(key, passwords));
        Arc::clone(known.entry(files).or_insert_with(read))
    }
}
