//! Reads whole files with a limit: pipes could block, and devices have no end.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::secret_files;

/// The contents of a file with at most `most` bytes. A pipe is read only if it is already open, as with the shell's
/// `<(command)`.
#[expect(clippy::disallowed_methods, reason = "files are read by this room")]
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if path == Path::new("/dev/null") {
        return Ok(Vec::new());
    }
    if let Some(contents) = secret_files::read(path) {
        return contents.and_then(|bytes| within(bytes, most));
    }
    let is_open = path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    if !is_open && path != Path::new("/dev/stdin") {
        let kind = fs::metadata(path)?.file_type();
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !kind.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    within(bytes, most)
}

fn within(bytes: Vec<u8>, most: u64) -> io::Result<Vec<u8>> {
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(read(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(read(folder.path(), 3).is_err());
        assert_eq!(read(Path::new("/dev/zero"), 3).unwrap_err().to_string(), "not a regular file");
    }
}
