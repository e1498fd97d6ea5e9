//! The files of an nginx configuration on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::regular_file;
use crate::nginx::glob;
use crate::nginx::source::{ReadFailure, Source};

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;

/// Names that a pattern may match.
const MAX_MATCHES: usize = 20_000;

/// The files of this machine.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Stands before every name, where a configuration lies elsewhere than nginx would look for it.
    pub root: Option<PathBuf>,
}

/// Where a file lies whose full name is this for nginx.
pub(super) fn below(root: Option<&Path>, name: &str) -> PathBuf {
    match root {
        Some(root) => root.join(name.trim_start_matches('/')),
        None => PathBuf::from(name),
    }
}

impl Disk {
    fn real(&self, path: &str) -> PathBuf {
        below(self.root.as_deref(), path)
    }

    /// The names in a folder; what is no text cannot be included.
    fn names(&self, folder: &str) -> Vec<String> {
        let folder = if folder.is_empty() { "." } else { folder };
        let Ok(entries) = fs::read_dir(self.real(folder)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.take(MAX_MATCHES).collect()
    }

    /// The paths in these folders that one part of a pattern matches.
    fn step(&self, folders: &[String], part: &str, is_last: bool) -> Vec<String> {
        let mut found = Vec::new();
        for folder in folders {
            let names = if glob::is_pattern(part) {
                let mut names = self.names(folder);
                names.retain(|name| glob::part_matches(part, name));
                names
            } else {
                vec![part.to_owned()]
            };
            let paths = names.into_iter().map(|name| format!("{folder}{name}"));
            let paths = paths.filter(|path| {
                let real = self.real(path);
                if is_last { real.exists() } else { real.is_dir() }
            });
            found.extend(paths.map(|path| if is_last { path } else { format!("{path}/") }));
            found.truncate(MAX_MATCHES);
        }
        found
    }
}

impl Source for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        read(&self.real(path)).map_err(|error| failure(&error))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let (mut found, rest) = match pattern.strip_prefix('/') {
            Some(rest) => (vec!["/".to_owned()], rest),
            None => (vec![String::new()], pattern),
        };
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        for (at, part) in parts.iter().enumerate() {
            found = self.step(&found, part, at + 1 == parts.len());
        }
        found.sort_unstable();
        found
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular_file::read(path, MAX_FILE)
}

/// The system's number and words, without what the standard library puts behind them.
fn failure(error: &io::Error) -> ReadFailure {
    let text = error.to_string();
    let number = error.raw_os_error();
    let suffix = number.map(|number| format!(" (os error {number})")).unwrap_or_default();
    ReadFailure {
        number: number.unwrap_or(0),
        text: text.strip_suffix(&suffix).unwrap_or(&text).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_files_in_order_below_a_root() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["etc/b/x.conf", "etc/a/y.conf", "etc/a/.z.conf", "etc/a/sub/w.conf"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a;").unwrap();
        }
        let disk = Disk { root: Some(folder.path().to_owned()) };
        assert_eq!(disk.glob("/etc/*/*.conf"), ["/etc/a/y.conf", "/etc/b/x.conf"]);
        assert_eq!(disk.glob("/etc/[a]/*"), ["/etc/a/sub", "/etc/a/y.conf"]);
        assert_eq!(disk.glob("/none/*"), [""; 0]);
        assert_eq!(disk.glob("etc//b/*"), ["etc/b/x.conf"]);
        assert_eq!(disk.read("/etc/a/y.conf").unwrap(), b"a;");
        assert_eq!(disk.read("/etc/a/n.conf").unwrap_err(), ReadFailure::missing());
        assert!(disk.read("/etc/a").is_err());
    }
}
