//! Where captures come from: files, plain or gzipped, and standard input.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::cli::errors::UsageError;

/// What a gzip file begins with (RFC 1952 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes that are read ahead for unpacking.
const BLOCK: usize = 128 * 1024;

/// Whether a file can be opened.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        return Ok(());
    }
    let problem = match open_file(path) {
        Ok(file) if file.metadata().is_ok_and(|data| data.is_dir()) => "it is a folder".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(UsageError::new(
        format!("cannot read {}: {problem}", path.display()),
        "name captures of tcpdump or Wireshark, or - for standard input",
    ))
}

/// Opens a file, or standard input for `-`; what is gzipped is unpacked.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(open_file(path)?)
    };
    let mut magic = Vec::new();
    raw.by_ref().take(GZIP.len() as u64).read_to_end(&mut magic)?;
    let gzipped = magic == GZIP;
    let whole = Cursor::new(magic).chain(raw);
    Ok(if gzipped {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK, whole)))
    } else {
        Box::new(whole)
    })
}

/// How a file is named in the report.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() }
}

fn open_file(path: &Path) -> io::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "the capture is named on the command line")]
    File::open(path)
}
