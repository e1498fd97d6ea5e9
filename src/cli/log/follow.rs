//! `--follow`: prints failures as they are written, across rotation, until a signal.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::input::{LogInput, open_file};
use crate::cli::stop::signalled;
use crate::cli::whole_file::Output;
use crate::log::intake::Intake;
use crate::report::log::{clock, table};

/// The interval at which files are checked.
const PAUSE: Duration = Duration::from_millis(250);

/// Each class is printed at most this often; lines in between are counted.
const QUIET: Duration = Duration::from_secs(5);

/// The position in a followed file.
struct FilePosition {
    inode: u64,
    length: u64,
}

/// When a class was last printed, and the lines since.
struct LastShown {
    at: Instant,
    held_back: u64,
}

/// Prints failures until SIGINT or SIGTERM, or until stdout is closed.
pub(super) fn follow(readings: &mut [LogInput], intake: &mut Intake) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stopped = pin!(signalled());
        let mut places: Vec<Option<FilePosition>> =
            readings.iter().map(|reading| reading.growing.as_ref().map(FilePosition::of)).collect();
        let mut shown = HashMap::new();
        let mut output = Output::open(None)?;
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
            for (reading, place) in readings.iter_mut().zip(&mut places) {
                let Some(known) = place else { continue };
                let text = look(reading, known, intake, &mut shown);
                output.write_all(text.as_bytes())?;
                output.flush()?;
            }
        }
    })
}

/// Reads appended lines, or the new file after a rotation.
fn look(
    reading: &mut LogInput,
    place: &mut FilePosition,
    intake: &mut Intake,
    shown: &mut HashMap<usize, LastShown>,
) -> String {
    let mut text = String::new();
    text += &lines(reading, intake, shown);
    let Ok(data) = reading.path.metadata() else { return text };
    if let Some(file) = place.moves_on(&data, || reopened(&reading.path)) {
        // Lines in the old file since the last check.
        text += &lines(reading, intake, shown);
        reading.go_on(file);
        text += &lines(reading, intake, shown);
    }
    text
}

impl FilePosition {
    fn of(data: &Metadata) -> Self {
        Self { inode: data.ino(), length: data.len() }
    }

    /// Notes where the file is now; a new one where it was rotated. nginx writes to the old file until it reopens its
    /// logs, so a new file that is still empty is not in use yet. If it cannot be opened yet, the position stays, so
    /// that it is tried again.
    fn moves_on<T>(&mut self, data: &Metadata, open: impl FnOnce() -> Option<T>) -> Option<T> {
        let now = Self::of(data);
        let other = now.inode != self.inode;
        let rotated = if other { now.length > 0 } else { now.length < self.length };
        let opened = if rotated { open() } else { None };
        if opened.is_some() || !(rotated || other) {
            *self = now;
        }
        opened
    }
}

fn reopened(path: &Path) -> Option<File> {
    let mut file = open_file(path).ok()?;
    file.seek(SeekFrom::Start(0)).ok()?;
    Some(file)
}

fn lines(
    reading: &mut LogInput,
    intake: &mut Intake,
    shown: &mut HashMap<usize, LastShown>,
) -> String {
    let mut text = String::new();
    reading.read_with(|line, count| {
        *count += 1;
        if let Some(place) = intake.line(line) {
            text += &failure_line(place, line, intake, shown);
        }
    });
    reading.add_unreadable(std::mem::take(&mut intake.unreadable));
    text
}

/// One line for a failure, unless its class was just printed.
fn failure_line(
    place: usize,
    line: &[u8],
    intake: &Intake,
    shown: &mut HashMap<usize, LastShown>,
) -> String {
    let Some(class) = intake.errors.tally.class_at(place) else { return String::new() };
    let now = Instant::now();
    let known = shown.entry(place).or_insert(LastShown { at: now, held_back: 0 });
    if known.at != now && now.duration_since(known.at) < QUIET {
        known.held_back += 1;
        return String::new();
    }
    let mut buffer = Vec::new();
    let parsed = crate::log::json::parse_any(line, &mut buffer);
    let about = parsed.upstream.or(parsed.client).unwrap_or_default();
    let more = match known.held_back {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let about = String::from_utf8_lossy(about).into_owned() + &more;
    *known = LastShown { at: now, held_back: 0 };
    let cause =
        class.mechanism().and_then(|row| row.causes.first()).map_or("", |(cause, _)| cause.id);
    let time = parsed.time.and_then(clock);
    table::follow_line(time.as_deref(), class.direction, class.name, &about, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_that_cannot_be_opened_yet_is_tried_again() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let data = file.as_file().metadata().unwrap();
        let mut place = FilePosition { inode: data.ino() + 1, length: 7 };
        assert_eq!(place.moves_on(&data, || Some(0)), None, "nginx has not reopened it yet");
        file.write_all(b"x").unwrap();
        let data = file.as_file().metadata().unwrap();
        assert_eq!(place.moves_on(&data, || None::<u8>), None);
        assert_eq!(place.moves_on(&data, || Some(1)), Some(1));
        assert_eq!(place.moves_on(&data, || Some(2)), None);
    }
}
