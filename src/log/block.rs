//! Blocks of whole lines, taken apart as far as that needs no other block, so that several can be read side by side.

use std::num::NonZero;

use memchr::memchr;

use super::quick::{LastMinute, QuickCandidate, QuickFields, QuickLine};

/// The longest line, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// Whole lines, each with its line break, and what they are.
#[derive(Debug, Default)]
pub struct LineBlock {
    bytes: Vec<u8>,
    /// The number of lines.
    pub lines: u64,
    /// Lines of nginx's own files.
    pub(super) plain: u64,
    /// Those below warn.
    pub(super) verbose: u64,
    /// Lines that need more than counting, in order.
    found: Vec<FoundLine>,
    candidates: Vec<FoundCandidate>,
}

/// A line of a block, and its place among the candidates, if it is one. Every line may be here, so this is small.
#[derive(Clone, Copy, Debug)]
struct FoundLine {
    whole: LinePart,
    candidate: Option<NonZero<u32>>,
}

/// A [`QuickCandidate`] whose parts are places in the block.
#[derive(Clone, Copy, Debug)]
struct FoundCandidate {
    time: Option<i64>,
    connection: Option<(u64, u64)>,
    message: LinePart,
    client: Option<LinePart>,
    server: Option<LinePart>,
    upstream: Option<LinePart>,
    flags: usize,
}

/// A part of a block, by its first byte and its length; a block is far smaller than 4 GB.
#[derive(Clone, Copy, Debug)]
struct LinePart(u32, u32);

impl LineBlock {
    /// Takes whole lines apart; the last one may lack its line break.
    pub fn read(bytes: Vec<u8>) -> Self {
        let mut block = Self::default();
        let mut minute = LastMinute::default();
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
            rest = rest.get(line.len() + 1..).unwrap_or_default();
            block.line(&bytes, line, &mut minute);
        }
        Self { bytes, ..block }
    }

    fn line(&mut self, bytes: &[u8], line: &[u8], minute: &mut LastMinute) {
        self.lines += 1;
        let whole = LinePart::of(line, bytes);
        let quick =
            if line.len() > MAX_LINE { QuickLine::Unusual } else { QuickLine::of(line, minute) };
        let (verbose, candidate) = match quick {
            QuickLine::Unusual => {
                self.found.push(FoundLine { whole, candidate: None });
                return;
            }
            QuickLine::Other(verbose) => (verbose, None),
            QuickLine::Candidate(verbose, candidate) => (verbose, Some(candidate)),
        };
        self.plain += 1;
        self.verbose += u64::from(verbose);
        if let Some(QuickCandidate { time, connection, message, fields }) = candidate {
            let part = |text: &[u8]| LinePart::of(text, bytes);
            let candidate = FoundCandidate {
                time,
                connection,
                message: part(message),
                client: fields.client.map(part),
                server: fields.server.map(part),
                upstream: fields.upstream.map(part),
                flags: fields.flags,
            };
            self.candidates.push(candidate);
            let candidate = u32::try_from(self.candidates.len()).ok().and_then(NonZero::new);
            self.found.push(FoundLine { whole, candidate });
        }
    }

    /// The lines that need more than counting, in order; without a candidate, the slow parser reads the line.
    pub(super) fn found(&self) -> impl Iterator<Item = (&[u8], Option<QuickCandidate<'_>>)> {
        self.found.iter().map(|line| {
            let place = line.candidate.and_then(|place| usize::try_from(place.get() - 1).ok());
            let candidate = place.and_then(|place| self.candidates.get(place));
            let candidate = candidate.map(|found| QuickCandidate {
                time: found.time,
                connection: found.connection,
                message: found.message.in_block(&self.bytes),
                fields: QuickFields {
                    client: found.client.map(|part| part.in_block(&self.bytes)),
                    server: found.server.map(|part| part.in_block(&self.bytes)),
                    upstream: found.upstream.map(|part| part.in_block(&self.bytes)),
                    flags: found.flags,
                    escaped: false,
                },
            });
            (line.whole.in_block(&self.bytes), candidate)
        })
    }

    /// The bytes, to be filled again.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl LinePart {
    /// A text that lies in the block.
    fn of(text: &[u8], block: &[u8]) -> Self {
        let at = text.as_ptr().addr().saturating_sub(block.as_ptr().addr());
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self(number(at), number(text.len()))
    }

    fn in_block(self, block: &[u8]) -> &[u8] {
        let [at, length] = [self.0, self.1].map(|number| usize::try_from(number).unwrap_or(0));
        block.get(at..at.saturating_add(length)).unwrap_or_default()
    }
}
