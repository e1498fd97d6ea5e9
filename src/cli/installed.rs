//! What nginx says of itself: its release and its TLS library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

use super::errors::warn;
use crate::nginx::defaults::{Build, Version};
use crate::openssl::release::Release;

/// The release and the library of this nginx, as `-V` tells them.
pub(super) fn ask(binary: &Path) -> anyhow::Result<(Option<Version>, Option<Release>)> {
    let output = Command::new(binary)
        .arg("-V")
        .output()
        .map_err(|error| anyhow!("cannot run {}: {error}", binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let build = Build::read(&said)
        .ok_or_else(|| anyhow!("{} -V names no release of nginx", binary.display()))?;
    let library = build.library.as_deref().and_then(Release::of);
    if let (Some(named), None) = (&build.library, library) {
        warn(&format!("{named} is not known here; it is read as an OpenSSL"));
    }
    Ok((Some(build.version), library))
}

/// Where packages put nginx, which need not be on the path of an ordinary user.
const USUAL: [&str; 3] =
    ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"];

/// The nginx of this machine.
pub(super) fn find() -> Option<PathBuf> {
    USUAL.iter().map(PathBuf::from).find(|path| path.is_file())
}
