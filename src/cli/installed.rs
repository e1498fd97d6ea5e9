//! The installed nginx: its release and its TLS library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

use super::errors::warn;
use crate::nginx::defaults::{Build, NginxRelease};
use crate::openssl::release::OpensslRelease;

/// The release and the library of this nginx, from `-V`.
pub(super) fn ask(binary: &Path) -> anyhow::Result<(Option<NginxRelease>, Option<OpensslRelease>)> {
    Ok(releases(&build(binary)?))
}

/// The release and the library of a build.
pub(super) fn releases(build: &Build) -> (Option<NginxRelease>, Option<OpensslRelease>) {
    let library = build.library.as_deref().and_then(OpensslRelease::of);
    if let (Some(named), None) = (&build.library, library) {
        warn(&format!("unknown TLS library {named}; treating it as OpenSSL"));
    }
    (Some(build.version), library)
}

/// The build of this nginx, from `-V`.
pub(super) fn build(binary: &Path) -> anyhow::Result<Build> {
    let output = Command::new(binary)
        .arg("-V")
        .output()
        .map_err(|error| anyhow!("cannot run {}: {error}", binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    Build::read(&said)
        .ok_or_else(|| anyhow!("{} -V does not print a release of nginx", binary.display()))
}

/// Where packages install nginx, as it may not be in an ordinary user's PATH.
const USUAL: [&str; 3] =
    ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"];

/// The nginx on this machine.
pub(super) fn find() -> Option<PathBuf> {
    USUAL.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// The nginx on this machine, if this configuration is in the folder that it reads by default. Other configurations may
/// belong to another nginx.
pub(super) fn owner_of(config: &Path) -> Option<PathBuf> {
    let config = config.canonicalize().ok()?;
    let binary = find()?;
    let output = Command::new(&binary).arg("-V").output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let folder = built_to_read(&said)?.canonicalize().ok()?;
    config.starts_with(folder).then_some(binary)
}

/// The folder of `--conf-path`, as `nginx -V` prints it.
fn built_to_read(said: &str) -> Option<PathBuf> {
    let path = said.split_whitespace().find_map(|word| word.strip_prefix("--conf-path="))?;
    Path::new(path).parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_configuration_comes_from_the_build() {
        let said = "configure arguments: --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --with-debug";
        assert_eq!(built_to_read(said), Some(PathBuf::from("/etc/nginx")));
        assert_eq!(built_to_read("configure arguments: --with-debug"), None);
    }
}
