//! Long files, which are read in pieces: opened by their names, or standard input, and unpacked where they are gzipped.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::errors::UsageError;

/// The first bytes of a gzip file (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first bytes of files compressed by other programs.
const PACKED: [(&[u8], &str); 3] =
    [(b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd")];

/// The number of bytes that show how a file is compressed.
const MAGIC: u64 = 6;

/// A file's content.
pub(super) enum Unpacked {
    Plain(Box<dyn Read>),
    Gzip(Box<dyn Read>),
}

impl Unpacked {
    /// Decides by the first bytes, not by the file's name; `command` is the subcommand, for advice.
    pub(super) fn new(mut raw: Box<dyn Read>, command: &str) -> io::Result<Self> {
        let mut magic = Vec::new();
        raw.by_ref().take(MAGIC).read_to_end(&mut magic)?;
        let packed = PACKED.iter().find(|(start, _)| magic.starts_with(start));
        if let Some((_, program)) = packed {
            let advice = format!(
                "compressed with {program}: unpack it, as in {program} -dc FILE | shakedown {command} -"
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, advice));
        }
        let gzipped = magic.starts_with(&GZIP);
        let whole = Cursor::new(magic).chain(raw);
        Ok(if gzipped {
            Self::Gzip(Box::new(MultiGzDecoder::new(io::BufReader::new(whole))))
        } else {
            Self::Plain(Box::new(whole))
        })
    }
}

/// Opens a file that was named on the command line; `help` says what to name.
pub(super) fn open_file(path: &Path, help: &str) -> anyhow::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "the path comes from the command line")]
    let file = File::open(path);
    let problem = match file {
        Ok(file) if file.metadata().is_ok_and(|data| data.is_dir()) => "it is a folder".to_owned(),
        Ok(file) => return Ok(file),
        Err(error) => error.to_string(),
    };
    Err(UsageError::new(format!("cannot read {}: {problem}", path.display()), help))
}

/// Whether what the path names can be opened only once: a pipe, or standard input.
pub(super) fn opens_once(path: &Path) -> bool {
    is_stdin(path) || path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// Whether the path stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// A file's name in a report.
pub(super) fn name(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}
