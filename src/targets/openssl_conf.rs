//! OpenSSL's configuration file, as nginx's OpenSSL reads it from this machine's disk.

use std::fs;
use std::path::Path;

use super::disk::below;
use super::regular_file;
use crate::nginx::defaults::NginxRelease;
use crate::openssl::config_file::OpensslConfig;

/// The largest file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The most files of an included folder.
const MAX_FILES: usize = 1000;

/// From this release on, nginx looks for a section of its own name.
const OWN_SECTION: NginxRelease = NginxRelease::new(1, 25, 2);

/// The commands that apply to every connection of this nginx, before its own settings. Below a root, names are those of
/// the root.
pub fn system_commands(
    name: &str,
    root: Option<&Path>,
    version: Option<NginxRelease>,
) -> Result<Vec<String>, String> {
    let text = |path: &Path| {
        let bytes = regular_file::read(path, MAX_FILE).map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let main = text(&below(root, name)).map_err(|why| format!("cannot read {name}: {why}"))?;
    let include = |name: &str| {
        // A relative name starts at the folder in which nginx was started, which is not known.
        let path = Some(below(root, name)).filter(|_| name.starts_with('/'))?;
        if !path.is_dir() {
            return Some(vec![text(&path).ok()?]);
        }
        let entries = fs::read_dir(&path).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let is_config = |path: &std::path::PathBuf| {
            path.extension().is_some_and(|end| end == "cnf" || end == "conf")
        };
        let mut names: Vec<_> = entries.filter(is_config).take(MAX_FILES).collect();
        names.sort();
        Some(names.iter().filter_map(|path| text(path).ok()).collect())
    };
    let config = OpensslConfig::read(&main, &include);
    let has_own = version.is_none_or(|version| version >= OWN_SECTION);
    Ok(config.system_default(has_own.then_some("nginx")))
}

/// The cipher list that `PROFILE=SYSTEM` stands for on Red Hat's systems.
const SYSTEM_PROFILE: &str = "/etc/crypto-policies/back-ends/openssl.config";

/// A cipher list in which `PROFILE=SYSTEM` is replaced by the system's policy, if that can be read.
pub(super) fn with_profile(list: &str, root: Option<&Path>) -> String {
    if list != "PROFILE=SYSTEM" {
        return list.to_owned();
    }
    let policy = regular_file::read(&below(root, SYSTEM_PROFILE), MAX_FILE);
    policy.map_or_else(|_| list.to_owned(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_its_includes_is_read_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "etc/pki/tls/openssl.cnf",
            "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n\
             .include = /etc/crypto-policies/back-ends/opensslcnf.config\n.include /etc/more\n",
        );
        write(
            "etc/crypto-policies/back-ends/opensslcnf.config",
            "CipherString = @SECLEVEL=2:kEECDH\nTLS.MinProtocol = TLSv1.2\n",
        );
        write("etc/more/b.cnf", "Groups = P-256\n");
        write("etc/more/a.conf", "Groups = P-384\n");
        write("etc/more/c.txt", "Groups = P-521\n");
        write("etc/crypto-policies/back-ends/openssl.config", "@SECLEVEL=2:kEECDH\n");
        let read = |name| system_commands(name, Some(root.path()), None);
        assert_eq!(
            read("/etc/pki/tls/openssl.cnf").unwrap(),
            ["CipherString @SECLEVEL=2:kEECDH", "MinProtocol TLSv1.2", "Groups P-256"]
        );
        assert!(read("/none").is_err());
        assert_eq!(with_profile("PROFILE=SYSTEM", Some(root.path())), "@SECLEVEL=2:kEECDH");
        assert_eq!(with_profile("DEFAULT", Some(root.path())), "DEFAULT");
    }
}
