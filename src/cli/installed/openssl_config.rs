//! Where the OpenSSL of an nginx reads its configuration from.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::running::Master;
use crate::cli::errors::warn;
use crate::nginx::build::Build;
use crate::nginx::defaults::NginxRelease;
use crate::targets::disk::below;
use crate::targets::openssl_conf::system_commands;
use crate::targets::regular_file;

/// The longest file of `/proc` that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Where distributions put it, for a library that does not say.
const USUAL: [&str; 4] = [
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
    "/usr/local/ssl/openssl.cnf",
];

/// From this release on, an nginx that contains OpenSSL reads only the file that `OPENSSL_CONF` names.
const NO_CONFIG: NginxRelease = NginxRelease::new(1, 25, 2);

/// A file and its commands for every connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct SystemDefaults {
    /// The file; empty if there is none.
    pub(in crate::cli) file: String,
    /// The commands, each `NAME VALUE`.
    pub(in crate::cli) commands: Vec<String>,
    /// Whether an option or the environment names the file, so that the library would not read it by itself.
    pub(in crate::cli) is_named: bool,
}

/// The commands in the file that nginx's OpenSSL reads: the named one, the one that the master's environment names, or
/// that of the library.
pub(super) fn defaults(
    named: Option<&Path>,
    build: Option<&Build>,
    master: Option<&Master>,
    root: Option<&Path>,
) -> SystemDefaults {
    let version = build.map(|build| build.version);
    if let Some(file) = named {
        return self::named(file, version);
    }
    let own_root = master.map(|master| PathBuf::from(format!("/proc/{}/root", master.pid)));
    let root = own_root.as_deref().filter(|root| root.is_dir()).or(root);
    let variable = match master {
        Some(master) => openssl_conf(master.pid),
        None => own_variable().filter(|_| root.is_none()),
    };
    let is_named = variable.is_some();
    let reads_none =
        build.is_some_and(|build| build.contains_library() && build.version >= NO_CONFIG);
    let folder = master.and_then(|master| master.library.as_ref()?.folder.clone());
    let built = folder.map(|folder| format!("{folder}/openssl.cnf"));
    let exists = |name: &&str| below(root, name).is_file();
    let usual = || USUAL.iter().copied().find(exists).map(str::to_owned);
    let file = match variable {
        Some(file) => Some(file),
        None if reads_none => None,
        None => built.or_else(usual),
    };
    let Some(file) = file else { return SystemDefaults::default() };
    let commands = system_commands(&file, root, version).unwrap_or_default();
    SystemDefaults { file, commands, is_named }
}

/// What this program's environment says; an nginx that it starts inherits that.
#[expect(clippy::disallowed_methods, reason = "OpenSSL reads this variable")]
fn own_variable() -> Option<String> {
    std::env::var("OPENSSL_CONF").ok().filter(|name| !name.is_empty())
}

/// Those of a file that the user names.
pub(super) fn named(file: &Path, version: Option<NginxRelease>) -> SystemDefaults {
    let file = file.display().to_string();
    match system_commands(&file, None, version) {
        Ok(commands) => SystemDefaults { file, commands, is_named: true },
        Err(why) => {
            warn(&why);
            SystemDefaults::default()
        }
    }
}

/// `OPENSSL_CONF` of a process. nginx overwrites its environment with its title; then the unit that systemd started it
/// from says.
fn openssl_conf(pid: u32) -> Option<String> {
    let read = |name: &str| {
        let bytes = regular_file::read(Path::new(&format!("/proc/{pid}/{name}")), MAX_FILE).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let environment = read("environ").unwrap_or_default();
    let own = environment.split('\0').find_map(|one| one.strip_prefix(VARIABLE));
    if let Some(own) = own.filter(|name| !name.is_empty()) {
        return Some(own.to_owned());
    }
    let cgroups = read("cgroup")?;
    let unit = cgroups.lines().find_map(|line| {
        let name = line.rsplit('/').next()?;
        name.ends_with(".service").then(|| name.to_owned())
    })?;
    let asked = Command::new("systemctl")
        .args(["show", "--property=Environment", "--value", "--", &unit])
        .output()
        .ok()?;
    in_unit(&String::from_utf8_lossy(&asked.stdout))
}

const VARIABLE: &str = "OPENSSL_CONF=";

/// The variable in what systemd says of a unit: assignments, quoted where they need it.
fn in_unit(said: &str) -> Option<String> {
    let words = shlex::split(said.trim())?;
    words.iter().find_map(|word| word.strip_prefix(VARIABLE)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_may_name_the_file() {
        let said = "LANG=C OPENSSL_CONF=/etc/nginx/openssl.cnf \"A=b c\"\n";
        assert_eq!(in_unit(said).as_deref(), Some("/etc/nginx/openssl.cnf"));
        assert_eq!(in_unit("LANG=C\n"), None);
    }

    #[test]
    fn a_named_file_counts_before_every_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nGroups = P-256\n";
        std::fs::write(file.path(), text).unwrap();
        let found = defaults(Some(file.path()), None, None, None);
        assert_eq!(found.commands, ["Groups P-256"]);
        let none = named(Path::new("/nonexistent"), None);
        assert_eq!(none, SystemDefaults::default());
    }
}
