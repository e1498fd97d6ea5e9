//! Lines of error and access logs, in any order.

use super::block::{KeptLine, LineBlock, MAX_LINE};
use super::reader::{LineKind, LogReader};
use super::shape::AccessLineShape;
use super::traffic::Traffic;

/// What was read.
#[derive(Debug, Default)]
pub struct Intake {
    /// Failures of error logs.
    pub errors: LogReader,
    /// Requests of access logs.
    pub traffic: Traffic,
    /// How access lines are parsed.
    pub shape: AccessLineShape,
    /// Lines that could not be parsed.
    pub unreadable: u64,
}

impl Intake {
    /// Reads one line, without its line break; returns the index of its class if it is a failure.
    pub fn line(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        if bytes.len() > MAX_LINE {
            self.unreadable += 1;
            return None;
        }
        // If the given format is JSON, such a line is not an error log in JSON.
        if bytes[0] == b'{' && matches!(self.shape, AccessLineShape::Given(_)) && self.access(bytes)
        {
            return None;
        }
        match self.errors.line(bytes) {
            LineKind::Failure(place) => return Some(place),
            LineKind::Other => {}
            LineKind::Unknown if self.access(bytes) => {}
            LineKind::Unknown => match self.errors.foreign(bytes) {
                LineKind::Failure(place) => return Some(place),
                LineKind::Other | LineKind::Unknown => self.unreadable += 1,
            },
        }
        None
    }

    /// Reads the lines of a block, as [`Self::line`] would one after the other.
    pub fn block(&mut self, block: &LineBlock) {
        self.errors.lines += block.plain;
        self.errors.verbose_lines += block.verbose;
        let mut places = vec![None; block.verdicts.len()];
        for line in block.kept() {
            match line {
                KeptLine::Found(found) => {
                    self.errors.found(&found, |tally| {
                        let number = found.verdict?;
                        let verdict = block.verdicts[number];
                        Some(*places[number].get_or_insert_with(|| tally.place(verdict)))
                    });
                }
                KeptLine::Unusual(line) => {
                    self.line(line);
                }
            }
        }
    }

    fn access(&mut self, bytes: &[u8]) -> bool {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let Some(access) = self.shape.read(bytes) else { return false };
        let early = |time: i64| self.errors.since.is_some_and(|since| time < since);
        if !access.time().is_some_and(early) {
            self.traffic.add(&access, &mut self.errors.tally.moments);
        }
        true
    }
}
