//! Loads trust stores: the roots of each distinct [`Trust`], once.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::identity::{FileError, read_certificates};
use super::{Roots, Trust};
use crate::certificate::trust::TrustStore;

/// Why the roots could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of certificates cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// None of the certificates in a file can be an anchor.
    #[error("no certificate in {} can be a trust anchor", .0.display())]
    NoAnchor(PathBuf),
    /// The operating system has no roots.
    #[error(
        "no system roots were found ({0}); install ca-certificates, or use --trust mozilla or --ca-file"
    )]
    NoSystemRoots(String),
}

/// Loads the roots of `trust`.
pub fn load(trust: &Trust) -> Result<TrustStore, TrustError> {
    let base = match &trust.roots {
        Roots::File(path) => from_file(path)?,
        Roots::Mozilla => TrustStore::mozilla(),
        Roots::Native => native()?,
    };
    trust.additional.iter().try_fold(base, |store, path| {
        let (store, unreadable) = store.with(path.display().to_string(), read_certificates(path)?);
        if unreadable > 0 { Err(TrustError::NoAnchor(path.clone())) } else { Ok(store) }
    })
}

fn from_file(path: &Path) -> Result<TrustStore, TrustError> {
    let (store, _) =
        TrustStore::from_certificates(path.display().to_string(), read_certificates(path)?, false);
    if store.anchors.is_empty() { Err(TrustError::NoAnchor(path.to_owned())) } else { Ok(store) }
}

fn native() -> Result<TrustStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let (store, _) =
        TrustStore::from_certificates("the system's roots".to_owned(), found.certs, true);
    if !store.anchors.is_empty() {
        return Ok(store);
    }
    let reason =
        found.errors.first().map_or_else(|| "the store is empty".to_owned(), ToString::to_string);
    Err(TrustError::NoSystemRoots(reason))
}

/// The operating system's roots as PEM; `None` if there are none.
pub fn system_bundle() -> Option<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs().certs;
    let blocks = found.iter().map(|der| pem(der)).collect::<String>();
    (!blocks.is_empty()).then(|| blocks.into_bytes())
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;

    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn root() -> String {
        generate_simple_self_signed(vec!["root.test".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_file_replaces_the_roots_and_another_adds_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let additional = vec![file(&folder, "b.pem", root())];
        let roots = Roots::File(file(&folder, "a.pem", format!("{}{}", root(), root())));
        assert_eq!(
            load(&Trust { roots, additional: additional.clone() }).unwrap().anchors.len(),
            3
        );
        let mozilla = TrustStore::mozilla().anchors.len();
        let both = Trust { roots: Roots::Mozilla, additional };
        assert_eq!(load(&both).unwrap().anchors.len(), mozilla + 1);
    }

    #[test]
    fn a_file_of_no_use_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], expected: &str| {
            let trust =
                Trust { roots: Roots::File(file(&folder, name, bytes)), additional: vec![] };
            let error = load(&trust).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expected), "{error}");
        };
        check("empty.pem", b"", "no certificate in");
        check("broken.der", b"\x30\x03\x02\x01\x00", "can be a trust anchor");
    }
}
