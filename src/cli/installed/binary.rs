//! What the files of nginx and of its TLS library say of themselves, without running them.

use std::path::Path;

use memchr::memmem;

use crate::nginx::build::Build;
use crate::nginx::source::Source;
use crate::targets::disk::{Disk, below};
use crate::targets::regular_file;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The longest text that is taken from one; configure arguments are long.
const MAX_TEXT: usize = 16 * 1024;

/// The build of the nginx in this file: a binary contains what it prints with `-V`.
pub(super) fn build(path: &Path) -> Option<Build> {
    let bytes = regular_file::read(path, MAX_FILE).ok()?;
    let mut lines: Vec<String> = Vec::new();
    for marker in
        ["Angie version: ", "Tengine version: ", "nginx version: ", "configure arguments:"]
    {
        lines.extend(texts(&bytes, marker).next());
    }
    if let Some(library) = library_in(&bytes) {
        lines.push(format!("built with {library}"));
    }
    Build::read(&lines.join("\n"))
}

/// The nginx below this root folder, at one of these places, with the TLS library that it would load there; and its path.
pub(super) fn below_root(root: &Path, places: &[&str]) -> Option<(Build, String)> {
    let found = |place: &&str| {
        let path = below(Some(root), place);
        Some((build(&path)?, path))
    };
    let (mut build, path) = places.iter().find_map(found)?;
    let bytes = regular_file::read(&path, MAX_FILE).ok()?;
    if let Some(needed) = texts(&bytes, "libcrypto.so").next() {
        let disk = Disk { root: Some(root.to_owned()) };
        let patterns = LIBRARY_FOLDERS.iter().map(|folder| format!("{folder}/{needed}"));
        let names =
            patterns.filter_map(|pattern| disk.glob(&pattern)).flatten().collect::<Vec<_>>();
        build.library = names.iter().find_map(|name| library(&below(Some(root), name)));
    }
    Some((build, path.display().to_string()))
}

/// Where distributions put libraries.
const LIBRARY_FOLDERS: [&str; 6] =
    ["/usr/lib/*", "/lib/*", "/usr/lib64", "/lib64", "/usr/lib", "/lib"];

/// The TLS library in this file, as it names itself: `OpenSSL 3.0.17 1 Jul 2025`.
pub(super) fn library(path: &Path) -> Option<String> {
    library_in(&regular_file::read(path, MAX_FILE).ok()?)
}

/// The folder in which this library, or this program with one, looks for its configuration.
pub(super) fn openssl_folder(path: &Path) -> Option<String> {
    let bytes = regular_file::read(path, MAX_FILE).ok()?;
    let text = texts(&bytes, "OPENSSLDIR: ").next()?;
    Some(text.strip_prefix("OPENSSLDIR: ")?.trim_matches('"').to_owned())
}

fn library_in(bytes: &[u8]) -> Option<String> {
    let is_release = |text: &String| {
        let release = text.split_whitespace().nth(1).unwrap_or_default();
        release.starts_with(|first: char| first.is_ascii_digit()) && release.contains('.')
    };
    let own = ["LibreSSL ", "AWS-LC ", "OpenSSL "];
    let named = own.iter().find_map(|marker| texts(bytes, marker).find(is_release));
    named.or_else(|| texts(bytes, "BoringSSL").find(|text| text == "BoringSSL"))
}

/// The texts in a binary that start with a marker.
fn texts<'b>(bytes: &'b [u8], marker: &'b str) -> impl Iterator<Item = String> + 'b {
    let starts = memmem::find_iter(bytes, marker).filter(|at| {
        at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|byte| *byte == 0)
    });
    starts.map(|at| {
        let rest = &bytes[at..bytes.len().min(at + MAX_TEXT)];
        let end = rest.iter().position(|byte| matches!(byte, 0 | b'\n' | b'\r'));
        String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        file
    }

    #[test]
    fn a_binary_is_read_and_not_run() {
        let nginx = file(
            b"\x7fELF\0nginx version: nginx/1.22.1\n\0built with OpenSSL 3.0.20 7 Apr 2026 (running with \0\
              OpenSSL 3.0.20 7 Apr 2026\0configure arguments: --prefix=/a --conf-path=/a/b.conf\n\0",
        );
        let build = build(nginx.path()).unwrap();
        assert_eq!(build.to_string(), "nginx 1.22.1");
        assert_eq!(build.library.as_deref(), Some("OpenSSL 3.0.20 7 Apr 2026"));
        assert_eq!(build.argument("--conf-path"), Some("/a/b.conf"));
        assert_eq!(super::build(file(b"\x7fELF no nginx").path()), None);
    }

    #[test]
    fn a_library_names_itself() {
        let names = |contents: &[u8]| library(file(contents).path());
        assert_eq!(
            names(b"\0OpenSSL CMP Client\0OpenSSL 3.0.22 25 Aug 2026\0").as_deref(),
            Some("OpenSSL 3.0.22 25 Aug 2026")
        );
        assert_eq!(names(b"\0LibreSSL 3.8.2\0OpenSSL 2.0\0").as_deref(), Some("LibreSSL 3.8.2"));
        assert_eq!(names(b"nothing"), None);
        let folder = openssl_folder(file(b"\0OPENSSLDIR: \"/usr/lib/ssl\"\0").path());
        assert_eq!(folder.as_deref(), Some("/usr/lib/ssl"));
    }
}
