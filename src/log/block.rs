//! Blocks of whole lines, taken apart as far as that needs no other block, so that several can be read side by side.

use std::num::NonZero;

use memchr::memchr;

use super::buffer::LineBuffer;
use super::known::{FoundLine, JudgedLine, KnownVerdicts};
use super::sketch::HashedText;
use super::tally::{LineVerdict, LoggedFailure};

/// The longest line, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// Whole lines, each with its line break, and what they are.
#[derive(Debug, Default)]
pub struct LineBlock {
    /// The lines; the last one may lack its line break.
    pub bytes: LineBuffer,
    /// The number of lines.
    pub lines: u64,
    /// Lines of nginx's own files.
    pub(super) plain: u64,
    /// Those below warn.
    pub(super) verbose: u64,
    /// Every verdict that a line of the block may have.
    pub(super) verdicts: Vec<LineVerdict>,
    /// Lines that need more than counting, in order.
    kept: Vec<KeptPlace>,
    found: Vec<FoundPlaces>,
}

/// Takes blocks apart, and remembers verdicts from one to the next.
#[derive(Debug, Default)]
pub struct BlockReader(KnownVerdicts);

/// A line that needs more than counting.
pub(super) enum KeptLine<'a> {
    /// The slow parser reads it.
    Unusual(&'a [u8]),
    /// A failure or a reload.
    Found(FoundLine<'a>),
}

/// A line of a block, and its place among those found, if it is one. Every line may be here, so this is small.
#[derive(Clone, Copy, Debug)]
struct KeptPlace {
    whole: LinePart,
    found: Option<NonZero<u32>>,
}

/// A [`FoundLine`] whose parts are places in the block.
#[derive(Clone, Copy, Debug)]
struct FoundPlaces {
    time: Option<i64>,
    connection: Option<(u64, u64)>,
    client: Option<(LinePart, u64)>,
    server: Option<LinePart>,
    upstream: Option<(LinePart, u64)>,
    verdict: Option<usize>,
    reload: bool,
}

/// A part of a block, by its first byte and its length; a block is far smaller than 4 GB.
#[derive(Clone, Copy, Debug)]
struct LinePart(u32, u32);

impl BlockReader {
    /// Takes the lines of a block apart.
    pub fn read(&mut self, block: &mut LineBlock) {
        let LineBlock { bytes, lines, plain, verbose, verdicts, kept, found } = block;
        (*lines, *plain, *verbose) = (0, 0, 0);
        kept.clear();
        found.clear();
        let bytes: &[u8] = bytes;
        let mut rest = bytes;
        while !rest.is_empty() {
            let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
            rest = rest.get(line.len() + 1..).unwrap_or_default();
            *lines += 1;
            let judged =
                if line.len() > MAX_LINE { JudgedLine::Unusual } else { self.0.judge(line) };
            let (line, found) = match judged {
                JudgedLine::Unusual => (line, None),
                JudgedLine::Other(below) => {
                    *plain += 1;
                    *verbose += u64::from(below);
                    continue;
                }
                JudgedLine::Found(below, line) => {
                    *plain += 1;
                    *verbose += u64::from(below);
                    found.push(FoundPlaces::of(&line, bytes));
                    let place = u32::try_from(found.len()).ok().and_then(NonZero::new);
                    (line.failure.line, place)
                }
            };
            kept.push(KeptPlace { whole: LinePart::of(line, bytes), found });
        }
        verdicts.clear();
        verdicts.extend_from_slice(self.0.all());
    }
}

impl LineBlock {
    /// The lines that need more than counting, in order.
    pub(super) fn kept(&self) -> impl Iterator<Item = KeptLine<'_>> {
        let bytes: &[u8] = &self.bytes;
        self.kept.iter().map(move |line| {
            let whole = line.whole.in_block(bytes);
            let place = line.found.and_then(|place| usize::try_from(place.get() - 1).ok());
            match place.and_then(|place| self.found.get(place)) {
                Some(found) => KeptLine::Found(found.in_block(bytes, whole)),
                None => KeptLine::Unusual(whole),
            }
        })
    }
}

impl FoundPlaces {
    #[inline]
    fn of(found: &FoundLine<'_>, block: &[u8]) -> Self {
        let hashed = |text: HashedText<'_>| (LinePart::of(text.text, block), text.hash);
        let failure = &found.failure;
        Self {
            time: failure.time,
            connection: failure.connection,
            client: failure.client.map(hashed),
            server: failure.server.map(|text| LinePart::of(text, block)),
            upstream: failure.upstream.map(hashed),
            verdict: found.verdict,
            reload: found.reload,
        }
    }

    #[inline]
    fn in_block<'a>(&self, block: &'a [u8], line: &'a [u8]) -> FoundLine<'a> {
        let hashed =
            |(part, hash): (LinePart, u64)| HashedText { text: part.in_block(block), hash };
        let failure = LoggedFailure {
            time: self.time,
            connection: self.connection,
            client: self.client.map(hashed),
            server: self.server.map(|part| part.in_block(block)),
            upstream: self.upstream.map(hashed),
            line,
        };
        FoundLine { failure, verdict: self.verdict, reload: self.reload }
    }
}

impl LinePart {
    /// A text that lies in the block.
    fn of(text: &[u8], block: &[u8]) -> Self {
        let at = text.as_ptr().addr().saturating_sub(block.as_ptr().addr());
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self(number(at), number(text.len()))
    }

    #[inline]
    fn in_block(self, block: &[u8]) -> &[u8] {
        let [at, length] = [self.0, self.1].map(|number| usize::try_from(number).unwrap_or(0));
        block.get(at..at.saturating_add(length)).unwrap_or_default()
    }
}
