//! Reads whole files with a limit: pipes could block, and devices have no end.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
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
    let found = fs::metadata(path)?;
    match EntryKind::of(found.file_type()) {
        EntryKind::File => {}
        EntryKind::Folder => return Err(io::ErrorKind::IsADirectory.into()),
        _ if is_open(path) => {}
        other => {
            let words = format!("not a regular file, but a {other}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
    }
    let file = fs::File::open(path)?;
    if found.len() > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(found.len()).unwrap_or_default())?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    within(bytes, most)
}

/// Whether a path leads to something that this process has already opened.
fn is_open(path: &Path) -> bool {
    let places = ["/dev/fd", "/proc/self/fd", "/dev/stdin"];
    places.iter().any(|place| path.starts_with(place))
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A named pipe: who opens it waits for who writes to it.
    Pipe,
    /// A socket, which cannot be opened.
    Socket,
    /// A device; what it gives, and when, is not known.
    Device,
}

impl EntryKind {
    fn of(kind: fs::FileType) -> Self {
        match kind {
            _ if kind.is_file() => Self::File,
            _ if kind.is_dir() => Self::Folder,
            _ if kind.is_fifo() => Self::Pipe,
            _ if kind.is_socket() => Self::Socket,
            _ => Self::Device,
        }
    }

    /// Whether reading it may wait for something else, or never end.
    pub fn keeps_waiting(self) -> bool {
        matches!(self, Self::Pipe | Self::Device)
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Folder => "folder",
            Self::Pipe => "named pipe",
            Self::Socket => "socket",
            Self::Device => "device",
        })
    }
}

/// Looks what is at a path, without opening it. `/dev/null` is an empty file.
pub fn kind(path: &Path) -> io::Result<EntryKind> {
    if path == Path::new("/dev/null") {
        return Ok(EntryKind::File);
    }
    Ok(EntryKind::of(fs::metadata(path)?.file_type()))
}

fn within(bytes: Vec<u8>, most: u64) -> io::Result<Vec<u8>> {
    if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(read(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(read(folder.path(), 3).is_err());
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"abc").unwrap();
        drop(writer);
        let pipe = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(read(Path::new(&pipe), 3).unwrap(), b"abc");
        let zero = read(Path::new("/dev/zero"), 3).unwrap_err().to_string();
        assert_eq!(zero, "not a regular file, but a device");
    }
}
