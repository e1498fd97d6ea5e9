//! Reads log files, plain or gzipped, in blocks, so that neither long logs nor long lines use much memory.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use memchr::{memchr, memrchr};

use super::side_by_side::{self, BLOCK};
use crate::cli::unpacked::{self, Unpacked, is_stdin, opens_once};
use crate::log::block::MAX_LINE;
use crate::log::buffer::LineBuffer;
use crate::log::intake::Intake;
use crate::report::log::document::FileOut;

/// One file while it is read.
pub(in crate::cli) struct LogInput {
    /// Its path, as given.
    pub(super) path: PathBuf,
    /// The file as it was opened, where it can grow: neither standard input nor gzip.
    pub(super) growing: Option<Metadata>,
    source: LogSource,
    /// The bytes after the last line break.
    pending: Vec<u8>,
    /// Whether the line that is being read is too long.
    skipping: bool,
    lines: u64,
    unreadable: u64,
    error: Option<String>,
}

enum LogSource {
    Plain(Box<dyn Read>),
    Gzip(Box<dyn Read>),
    /// Not opened yet.
    Unopened,
}

impl LogInput {
    /// Opens a file, or standard input for `-`.
    pub(in crate::cli) fn open(path: &Path, follow: bool) -> anyhow::Result<Self> {
        if !follow && !opens_once(path) {
            // There may be more files than a process may have open.
            drop(open_file(path)?);
            return Ok(Self::new(path, LogSource::Unopened));
        }
        let mut reading = Self::new(path, LogSource::Plain(Box::new(io::empty())));
        reading.start()?;
        Ok(reading)
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let path = &*self.path;
        let (raw, metadata): (Box<dyn Read>, _) = if is_stdin(path) {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = open_file(path)?;
            let metadata = file.metadata().ok().filter(Metadata::is_file);
            (Box::new(file), metadata)
        };
        self.source = LogSource::Plain(Box::new(io::empty()));
        match Unpacked::new(raw, "log") {
            Ok(Unpacked::Plain(reader)) => {
                self.growing = metadata;
                self.source = LogSource::Plain(reader);
            }
            Ok(Unpacked::Gzip(reader)) => self.source = LogSource::Gzip(reader),
            Err(error) => self.error = Some(error.to_string()),
        }
        Ok(())
    }

    fn new(path: &Path, source: LogSource) -> Self {
        Self {
            path: path.to_owned(),
            growing: None,
            source,
            pending: Vec::new(),
            skipping: false,
            lines: 0,
            unreadable: 0,
            error: None,
        }
    }

    /// Reads every whole line that there is, or as far as it goes.
    pub(super) fn read(&mut self, intake: &mut Intake) {
        self.lines += side_by_side::read(|buffer| self.next_block(buffer), intake);
        self.unreadable += std::mem::take(&mut intake.unreadable);
    }

    /// Passes on every line of a file, and the lines that could not be read.
    pub(in crate::cli) fn read_all(mut self, mut take: impl FnMut(&[u8])) -> FileOut {
        self.read_with(|line, lines| {
            take(line);
            *lines += 1;
        });
        if !self.skipping && !self.pending.is_empty() {
            take(&self.pending);
            self.lines += 1;
        }
        self.finish()
    }

    /// Passes on every complete line that is available.
    pub(super) fn read_with(&mut self, mut take: impl FnMut(&[u8], &mut u64)) {
        let mut buffer = LineBuffer::default();
        while self.next_block(&mut buffer) {
            let mut rest = &*buffer;
            while let Some(end) = memchr(b'\n', rest) {
                take(&rest[..end], &mut self.lines);
                rest = &rest[end + 1..];
            }
        }
    }

    /// Fills the buffer with the next whole lines; `false` if there are none.
    fn next_block(&mut self, buffer: &mut LineBuffer) -> bool {
        if matches!(self.source, LogSource::Unopened)
            && let Err(error) = self.start()
        {
            self.error = Some(error.to_string());
        }
        loop {
            let reader = match &mut self.source {
                LogSource::Plain(reader) | LogSource::Gzip(reader) => reader,
                LogSource::Unopened => return false,
            };
            buffer.truncate(0);
            buffer.append(&self.pending);
            self.pending.clear();
            let before = buffer.len();
            let result = fill(reader, buffer);
            if let Err(error) = &result {
                // A damaged end loses the lines there, and is reported.
                self.unreadable += 1;
                self.error = Some(self.message(error));
                self.source = LogSource::Plain(Box::new(io::empty()));
            }
            let ended = buffer.len() == before;
            self.keep_whole_lines(buffer);
            if ended || !buffer.is_empty() {
                return !buffer.is_empty();
            }
        }
    }

    /// Moves the bytes after the last line break to the next block, and drops lines that are too long.
    fn keep_whole_lines(&mut self, buffer: &mut LineBuffer) {
        if self.skipping {
            let Some(end) = memchr(b'\n', buffer) else {
                buffer.truncate(0);
                return;
            };
            self.skipping = false;
            self.lines += 1;
            self.unreadable += 1;
            buffer.remove_start(end + 1);
        }
        let whole = memrchr(b'\n', buffer).map_or(0, |end| end + 1);
        self.pending.extend_from_slice(&buffer[whole..]);
        buffer.truncate(whole);
        if self.pending.len() > MAX_LINE {
            self.pending = Vec::new();
            self.skipping = true;
        }
    }

    fn message(&self, error: &io::Error) -> String {
        match self.source {
            LogSource::Gzip(_) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the gzip stream is truncated".to_owned()
            }
            LogSource::Gzip(_) => format!("the gzip stream is damaged: {error}"),
            LogSource::Plain(_) | LogSource::Unopened => error.to_string(),
        }
    }

    /// Ends the file: the last line may lack its line break.
    pub(super) fn end(&mut self, intake: &mut Intake) {
        if self.skipping {
            self.lines += 1;
            self.unreadable += 1;
        } else if !self.pending.is_empty() {
            intake.line(&self.pending);
            self.lines += 1;
        }
        self.unreadable += std::mem::take(&mut intake.unreadable);
        self.source = LogSource::Plain(Box::new(io::empty()));
    }

    /// Continues with appended bytes, or with the file that replaced it.
    pub(super) fn go_on(&mut self, file: File) {
        self.source = LogSource::Plain(Box::new(file));
        self.pending.clear();
        self.skipping = false;
    }

    /// Adds lines that could not be read.
    pub(super) fn add_unreadable(&mut self, count: u64) {
        self.unreadable += count;
    }

    /// The statistics of the file.
    pub(super) fn finish(self) -> FileOut {
        FileOut {
            path: unpacked::name(&self.path),
            lines: self.lines,
            unreadable: self.unreadable,
            error: self.error,
        }
    }
}

/// Reads until a block is full or the file ends; what was read before an error stays.
fn fill(reader: &mut dyn Read, buffer: &mut LineBuffer) -> io::Result<()> {
    let end = buffer.len() + BLOCK;
    while buffer.len() < end {
        match reader.read(buffer.room(end - buffer.len())) {
            Ok(0) => break,
            Ok(count) => buffer.add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a file that was named on the command line.
pub(super) fn open_file(path: &Path) -> anyhow::Result<File> {
    unpacked::open_file(path, "name log files, or - for standard input")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::report::log::document::LogReport;

    const LINE: &str = "2026/01/31 10:00:00 [info] 7#7: *1 client closed connection while SSL handshaking, client: 192.0.2.1, server: 0.0.0.0:443\n";

    fn read(bytes: &[u8]) -> (FileOut, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("error.log");
        File::create(&path).unwrap().write_all(bytes).unwrap();
        let mut intake = Intake::default();
        let mut reading = LogInput::open(&path, false).unwrap();
        reading.read(&mut intake);
        reading.end(&mut intake);
        let failures = intake.errors.tally.classes().map(|class| class.count).sum();
        (reading.finish(), failures)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzipped_files_read_alike() {
        let text = LINE.repeat(10_000);
        for bytes in [text.clone().into_bytes(), gzip(&text), [gzip(LINE), gzip(&text)].concat()] {
            let (file, failures) = read(&bytes);
            assert_eq!((file.lines, file.unreadable, &file.error), (failures, 0, &None));
            assert!(failures >= 10_000);
        }
        let (file, failures) = read(LINE.trim_end().as_bytes());
        assert_eq!((file.lines, failures), (1, 1));
    }

    #[test]
    fn blocks_read_side_by_side_count_as_line_by_line() {
        let corpus = include_str!("../../../testdata/logs/error-lines.jsonl");
        let known: Vec<String> = corpus
            .lines()
            .filter_map(|case| serde_json::from_str::<serde_json::Value>(case).ok())
            .filter_map(|case| Some(case["line"].as_str()?.to_owned()))
            .collect();
        let mut text = LINE.replace('\n', "\r\n");
        for round in 0..40 {
            for (at, line) in known.iter().enumerate() {
                let minute = (round + at / 60) % 60;
                text += &line.replacen(":00:", &format!(":{minute:02}:"), 1);
                text += "\n";
                text += &LINE
                    .replace("*1", &format!("*{}", at * round))
                    .replace("192.0.2.1", &format!("192.0.2.{}", at % 9));
            }
            text += &"y".repeat(MAX_LINE + round);
            text += "\n\n{\"message\": \"x\"}\n";
        }
        assert!(text.len() > 6 * BLOCK, "{}", text.len());
        let mut alone = Intake::default();
        text.split_terminator('\n').for_each(|line| {
            alone.line(line.as_bytes());
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("error.log");
        std::fs::write(&path, &text).unwrap();
        let mut together = Intake::default();
        let mut reading = LogInput::open(&path, false).unwrap();
        reading.read(&mut together);
        reading.end(&mut together);
        let file = reading.finish();
        assert_eq!((file.lines, file.unreadable), (text.lines().count() as u64, alone.unreadable));
        assert_eq!(together.errors.verbose_lines, alone.errors.verbose_lines);
        let report = |intake: &Intake| LogReport::new(intake, Vec::new(), None).json().unwrap();
        assert_eq!(report(&together), report(&alone));
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_the_rest_is_read() {
        let long = "x".repeat(5 * 1024 * 1024);
        let (file, failures) =
            read(format!("{LINE}{long}\n{LINE}\u{0}\u{1}junk\n{LINE}{long}").as_bytes());
        assert_eq!((file.lines, file.unreadable, failures), (6, 3, 3));
        let varied: String =
            (0..20_000).map(|at| LINE.replace("*1", &format!("*{}", at * 7919))).collect();
        let whole = gzip(&varied);
        let (file, failures) = read(&whole[..whole.len() / 2]);
        assert_eq!(file.error.as_deref(), Some("the gzip stream is truncated"));
        assert!(failures > 1000 && file.unreadable >= 1, "{failures}");
        let (file, _) = read(b"\xfd7zXZ\0\0\x04");
        assert!(file.error.is_some_and(|error| error.contains("xz -dc FILE")));
        let (file, failures) = read(b"");
        assert_eq!((file.lines, file.unreadable, failures), (0, 0, 0));
    }
}
