//! Files that are only in memory: certificates and keys of Kubernetes, which never touch the disk.
//!
//! They are known by the names that `nginx::kubernetes::material` gives them, and set once, before anything is read.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use crate::nginx::kubernetes::material::{SecretFiles, source};

static FILES: OnceLock<SecretFiles> = OnceLock::new();

/// Sets the files of this run. A second call has no effect.
pub fn provide(files: SecretFiles) {
    // Whether it was set before makes no difference to the caller.
    let _ = FILES.set(files);
}

/// The contents of such a file, or why they are missing; `None` if it is an ordinary file.
pub(super) fn read(path: &Path) -> Option<io::Result<Vec<u8>>> {
    let name = path.to_str()?;
    if let Some(bytes) = FILES.get().and_then(|files| files.get(name)) {
        return Some(Ok(bytes.clone()));
    }
    let source = source(name)?;
    let id = name.split_once(':').map_or("", |(_, id)| id);
    let id = id.split_once(':').map_or(id, |(id, _)| id);
    let words = format!("{source} is not in the input; add it, or give it with --secret {id}=FILE");
    Some(Err(io::Error::new(io::ErrorKind::NotFound, words)))
}
