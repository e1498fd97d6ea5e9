//! The files of an nginx configuration on disk.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::regular_file;
use crate::nginx::glob;
use crate::nginx::source::{ReadFailure, Source};

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;

/// Files or folders that one part of a pattern may match.
const MAX_MATCHES: usize = 20_000;

/// The files of this machine.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Prefix of every name, if the configuration is for another root folder.
    pub root: Option<PathBuf>,
}

/// Links that are followed on the way to one file.
const MAX_LINKS: usize = 40;

/// The path of a file that nginx knows by this full name. Below a root, links and `..` are resolved as after `chroot`.
pub fn below(root: Option<&Path>, name: &str) -> PathBuf {
    let Some(root) = root else { return PathBuf::from(name) };
    let mut todo: Vec<OsString> = parts(Path::new(name));
    let (mut path, mut links) = (Vec::<OsString>::new(), 0);
    // How long the path was when nothing was there; nothing below can be a link.
    let mut missing = usize::MAX;
    let on_disk = |path: &[OsString]| {
        let mut whole = root.to_owned();
        whole.extend(path);
        whole
    };
    while let Some(part) = todo.pop() {
        if part == ".." {
            path.pop();
            missing = if path.len() < missing { usize::MAX } else { missing };
            continue;
        }
        path.push(part);
        if path.len() > missing {
            continue;
        }
        let link = match fs::read_link(on_disk(&path)) {
            Ok(link) => link,
            Err(error) => {
                missing =
                    if error.kind() == io::ErrorKind::NotFound { path.len() } else { missing };
                continue;
            }
        };
        links += 1;
        if links > MAX_LINKS {
            break;
        }
        path.pop();
        if link.is_absolute() {
            path.clear();
        }
        todo.extend(parts(&link));
    }
    todo.reverse();
    path.extend(todo);
    on_disk(&path)
}

/// The components of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DiskEntry {
    /// A file, with the beginning of its contents.
    File(Vec<u8>),
    /// Nothing.
    Missing {
        /// Whether its folder is there.
        folder: bool,
    },
    /// Something that cannot be read, and the reason.
    Unreadable(String),
}

/// Looks up a file.
pub(super) fn entry(path: &Path) -> DiskEntry {
    match read(path) {
        Ok(text) => DiskEntry::File(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DiskEntry::Missing { folder: path.parent().is_some_and(Path::is_dir) }
        }
        Err(error) => DiskEntry::Unreadable(failure(&error).text),
    }
}

impl Disk {
    fn real(&self, path: &str) -> PathBuf {
        below(self.root.as_deref(), path)
    }

    fn is_there(&self, path: &str, real: &Path) -> bool {
        let Some((folder, name)) = path.rsplit_once('/') else {
            return real.symlink_metadata().is_ok();
        };
        let folder = if folder.is_empty() { "/" } else { folder };
        self.real(folder).join(name).symlink_metadata().is_ok()
    }

    /// The names in a folder that match one part of a pattern, at most one more than the limit. Names that are not
    /// valid UTF-8 are left out.
    fn names(&self, folder: &str, part: &str) -> Vec<String> {
        let folder = if folder.is_empty() { "." } else { folder };
        let Ok(entries) = fs::read_dir(self.real(folder)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let matching = names.filter(|name| glob::part_matches(part, name));
        matching.take(MAX_MATCHES + 1).collect()
    }

    /// The paths in these folders that match one part of a pattern.
    fn step(&self, folders: &[String], part: &str, is_last: bool) -> Vec<String> {
        let mut found = Vec::new();
        for folder in folders {
            let is_pattern = glob::is_pattern(part);
            let names = if is_pattern { self.names(folder, part) } else { vec![part.to_owned()] };
            let paths = names.into_iter().map(|name| format!("{folder}{name}"));
            // nginx finds a dangling link too, and then fails to open it.
            let paths = paths.filter(|path| {
                if !is_last {
                    return self.real(path).is_dir();
                }
                is_pattern || self.is_there(path, &self.real(path))
            });
            found.extend(paths.map(|path| if is_last { path } else { format!("{path}/") }));
            found.truncate(MAX_MATCHES + 1);
        }
        found
    }
}

impl Source for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        read(&self.real(path)).map_err(|error| failure(&error))
    }

    fn unlisted(&self, pattern: &str) -> Option<String> {
        let fixed = &pattern[..pattern.find(['*', '?', '[']).unwrap_or(pattern.len())];
        let folder = &fixed[..=fixed.rfind('/')?];
        let error = fs::read_dir(self.real(folder)).err()?;
        (error.kind() == io::ErrorKind::PermissionDenied).then(|| folder.to_owned())
    }

    fn glob(&self, pattern: &str) -> Option<Vec<String>> {
        let (mut found, rest) = match pattern.strip_prefix('/') {
            Some(rest) => (vec!["/".to_owned()], rest),
            None => (vec![String::new()], pattern),
        };
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        for (at, part) in parts.iter().enumerate() {
            found = self.step(&found, part, at + 1 == parts.len());
            if found.len() > MAX_MATCHES {
                return None;
            }
        }
        found.sort_unstable();
        Some(found)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    regular_file::read(path, MAX_FILE)
}

/// The system's error number and message, without the suffix of the standard library.
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
        assert_eq!(disk.glob("/etc/*/*.conf").unwrap(), ["/etc/a/y.conf", "/etc/b/x.conf"]);
        assert_eq!(disk.glob("/etc/[a]/*").unwrap(), ["/etc/a/sub", "/etc/a/y.conf"]);
        assert_eq!(disk.glob("/none/*").unwrap(), [""; 0]);
        assert_eq!(disk.glob("etc//b/*").unwrap(), ["etc/b/x.conf"]);
        assert_eq!(disk.read("/etc/a/y.conf").unwrap(), b"a;");
        assert_eq!(disk.read("/etc/a/n.conf").unwrap_err(), ReadFailure::missing());
        assert!(disk.read("/etc/a").is_err());
    }

    #[test]
    fn more_matches_than_are_read_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MAX_MATCHES {
            fs::write(folder.path().join(format!("{number}.conf")), "").unwrap();
        }
        let disk = Disk { root: Some(folder.path().to_owned()) };
        assert_eq!(disk.glob("/*.conf"), None);
        assert!(disk.glob("/1*.conf").is_some());
        fs::remove_file(folder.path().join("0.conf")).unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        assert_eq!(disk.glob("/*.conf").unwrap().len(), MAX_MATCHES);
    }

    #[test]
    fn links_below_a_root_lead_where_they_would_after_chroot() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("etc/sites")).unwrap();
        fs::write(root.join("etc/a.conf"), "inside").unwrap();
        fs::write(folder.path().join("secret"), "outside").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link("/etc/a.conf", "etc/sites/absolute.conf");
        link("../a.conf", "etc/sites/relative.conf");
        link("../../../../secret", "etc/sites/outside.conf");
        link("/etc/sites", "sites");
        link("loop.conf", "etc/loop.conf");
        link("/nowhere", "etc/sites/dangling.conf");
        let disk = Disk { root: Some(root.clone()) };
        for inside in [
            "/etc/sites/absolute.conf",
            "/sites/relative.conf",
            "/sites/../a.conf",
            "/../etc/a.conf",
        ] {
            assert_eq!(disk.read(inside).unwrap(), b"inside", "{inside}");
        }
        for lost in ["/etc/sites/outside.conf", "/etc/loop.conf", "/etc/sites/dangling.conf"] {
            assert!(disk.read(lost).is_err(), "{lost}");
        }
        assert_eq!(disk.glob("/sites/d*").unwrap(), ["/sites/dangling.conf"]);
        assert_eq!(disk.glob("/sites/*").unwrap().len(), 4);
    }
}
