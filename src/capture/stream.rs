//! One direction of a connection of TCP, put together again: in order, each byte once, and what is missing named.

use std::collections::BTreeMap;

/// Bytes that may wait for what comes before them.
const MAX_HELD: usize = 64 * 1024;

/// Segments that may wait.
const MAX_WAITING: usize = 64;

/// A segment further ahead than this belongs to something else.
const MAX_AHEAD: u64 = 8 * 1024 * 1024;

/// A run of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRun<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// That many bytes, which the capture does not hold.
    Missing(u64),
}

/// Data that waits for what comes before it.
#[derive(Clone, Debug)]
struct HeldData {
    bytes: Vec<u8>,
    cut: u64,
}

/// All that waits.
#[derive(Clone, Debug, Default)]
struct WaitingData {
    parts: BTreeMap<u64, HeldData>,
    bytes: usize,
}

/// One direction of a connection. Places are counted from the first byte of the direction. Very many may be kept at once.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The place of the next byte that is awaited.
    next: u64,
    waiting: Option<Box<WaitingData>>,
    /// The sequence number of the byte at `next`, once the direction has begun.
    base: u32,
    has_begun: bool,
    /// Whether the first byte is known to be the first.
    pub from_start: bool,
    /// Whether bytes are missing so far.
    pub has_gap: bool,
}

impl Stream {
    /// The direction was opened: its first byte has the number after the SYN's.
    pub fn open(&mut self, syn: u32) {
        if !self.has_begun {
            self.begin(syn.wrapping_add(1));
            self.from_start = true;
        }
    }

    /// Where nothing opened it, it begins here.
    pub fn begin(&mut self, sequence: u32) {
        if !self.has_begun {
            (self.base, self.has_begun) = (sequence, true);
        }
    }

    /// Whether it is known where the direction begins.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The place up to which all is known or known to be missing.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// The place of a sequence number; negative before the first byte.
    pub fn place(&self, sequence: u32) -> Option<i64> {
        if !self.has_begun {
            return None;
        }
        let ahead = sequence.wrapping_sub(self.base).cast_signed();
        i64::try_from(self.next).ok()?.checked_add(ahead.into())
    }

    /// Bytes that wait.
    pub fn held(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Takes a segment's data, and hands on what can be handed on.
    pub fn push(
        &mut self,
        sequence: u32,
        bytes: &[u8],
        cut: usize,
        mut take: impl FnMut(StreamRun<'_>, u64),
    ) {
        let cut = cut as u64;
        let Some(place) = self.place(sequence) else { return };
        let known = i64::try_from(self.next).unwrap_or(i64::MAX).saturating_sub(place);
        // What came before is known, or lies before the first byte.
        let skipped = usize::try_from(known.max(0)).unwrap_or(usize::MAX);
        let fresh = bytes.get(skipped..).unwrap_or_default();
        let cut = cut.saturating_sub(skipped.saturating_sub(bytes.len()) as u64);
        if fresh.is_empty() && cut == 0 {
            return;
        }
        if known >= 0 {
            self.deliver(fresh, cut, &mut take);
            self.deliver_waiting(&mut take);
            return;
        }
        if known.unsigned_abs() > MAX_AHEAD {
            return;
        }
        let place = place.max(0).unsigned_abs();
        let waiting = self.waiting.get_or_insert_default();
        waiting.add(place, fresh, cut);
        while self.waiting.as_ref().is_some_and(|waiting| waiting.is_too_much()) {
            self.skip(&mut take);
        }
    }

    /// There is no more to come: what waits is handed on, over the gaps.
    pub fn flush(&mut self, mut take: impl FnMut(StreamRun<'_>, u64)) {
        while self.waiting.is_some() {
            self.skip(&mut take);
        }
    }

    /// Gives up the bytes before the first segment that waits.
    fn skip(&mut self, take: &mut impl FnMut(StreamRun<'_>, u64)) {
        let first = self.waiting.as_ref().and_then(|waiting| waiting.parts.keys().next().copied());
        let Some(first) = first else {
            self.waiting = None;
            return;
        };
        let missing = first.saturating_sub(self.next);
        if missing > 0 {
            self.advance(missing);
            self.has_gap = true;
            take(StreamRun::Missing(missing), self.next);
        }
        self.deliver_waiting(take);
    }

    fn deliver_waiting(&mut self, take: &mut impl FnMut(StreamRun<'_>, u64)) {
        let Some(mut waiting) = self.waiting.take() else { return };
        while let Some((place, held)) = waiting.first_up_to(self.next) {
            let skipped = usize::try_from(self.next - place).unwrap_or(usize::MAX);
            let fresh = held.bytes.get(skipped..).unwrap_or_default();
            let cut = held.cut.saturating_sub(skipped.saturating_sub(held.bytes.len()) as u64);
            self.deliver(fresh, cut, take);
        }
        if !waiting.parts.is_empty() {
            self.waiting = Some(waiting);
        }
    }

    fn deliver(&mut self, bytes: &[u8], cut: u64, take: &mut impl FnMut(StreamRun<'_>, u64)) {
        if !bytes.is_empty() {
            self.advance(bytes.len() as u64);
            take(StreamRun::Bytes(bytes), self.next);
        }
        if cut > 0 {
            self.advance(cut);
            self.has_gap = true;
            take(StreamRun::Missing(cut), self.next);
        }
    }

    fn advance(&mut self, count: u64) {
        self.next = self.next.saturating_add(count);
        let [a, b, c, d, ..] = count.to_le_bytes();
        self.base = self.base.wrapping_add(u32::from_le_bytes([a, b, c, d]));
    }
}

impl WaitingData {
    fn add(&mut self, place: u64, bytes: &[u8], cut: u64) {
        if self.parts.get(&place).is_some_and(|held| held.bytes.len() >= bytes.len()) {
            return;
        }
        self.bytes += bytes.len();
        if let Some(old) = self.parts.insert(place, HeldData { bytes: bytes.to_vec(), cut }) {
            self.bytes -= old.bytes.len();
        }
    }

    fn is_too_much(&self) -> bool {
        self.bytes > MAX_HELD || self.parts.len() > MAX_WAITING
    }

    /// Takes the first out, if it begins no later than here.
    fn first_up_to(&mut self, place: u64) -> Option<(u64, HeldData)> {
        let entry = self.parts.first_entry().filter(|entry| *entry.key() <= place)?;
        let (place, held) = entry.remove_entry();
        self.bytes -= held.bytes.len();
        Some((place, held))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out for these segments: `.` for each missing byte.
    fn joined(syn: u32, segments: &[(u32, &[u8], usize)]) -> String {
        let mut stream = Stream::default();
        stream.open(syn);
        let mut out = Vec::new();
        let mut take = |span: StreamRun<'_>, _| match span {
            StreamRun::Bytes(bytes) => out.extend_from_slice(bytes),
            StreamRun::Missing(count) => {
                out.extend(std::iter::repeat_n(b'.', usize::try_from(count).unwrap()));
            }
        };
        for (sequence, bytes, cut) in segments {
            stream.push(*sequence, bytes, *cut, &mut take);
        }
        stream.flush(&mut take);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn segments_come_out_in_order_and_once() {
        assert_eq!(joined(9, &[(10, b"ab", 0), (12, b"cd", 0)]), "abcd");
        assert_eq!(joined(9, &[(12, b"cd", 0), (10, b"ab", 0)]), "abcd");
        assert_eq!(joined(9, &[(10, b"ab", 0), (10, b"abc", 0), (11, b"bcd", 0)]), "abcd");
        assert_eq!(joined(9, &[(13, b"d", 0), (11, b"bc", 0), (10, b"a", 0)]), "abcd");
        assert_eq!(joined(u32::MAX - 1, &[(1, b"cd", 0), (u32::MAX, b"ab", 0)]), "abcd");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(joined(9, &[(10, b"ab", 0), (14, b"ef", 0)]), "ab..ef");
        assert_eq!(joined(9, &[(10, b"ab", 2), (14, b"ef", 0)]), "ab..ef");
        assert_eq!(joined(9, &[(14, b"ef", 0), (10, b"ab", 2)]), "ab..ef");
        assert_eq!(joined(9, &[(10, b"ab", 2), (10, b"abcd", 0)]), "ab..");
    }

    proptest! {
        #[test]
        fn any_cutting_and_order_gives_the_same_bytes(
            text in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec((0_usize..200, 1_usize..60), 1..40),
            syn: u32,
        ) {
            let mut pieces: Vec<(usize, usize)> = cuts.iter()
                .map(|(at, length)| (at % text.len(), *length)).collect();
            // The whole comes last, in pieces, so that nothing is missing.
            pieces.extend((0..text.len()).step_by(7).map(|at| (at, 7)));
            let mut stream = Stream::default();
            stream.open(syn);
            let mut out = Vec::new();
            for (at, length) in pieces {
                let end = (at + length).min(text.len());
                let sequence = syn.wrapping_add(1).wrapping_add(u32::try_from(at).unwrap());
                stream.push(sequence, &text[at..end], 0, |span, _| {
                    if let StreamRun::Bytes(bytes) = span { out.extend_from_slice(bytes) }
                });
            }
            prop_assert!(!stream.has_gap);
            prop_assert_eq!(out, text);
        }

        #[test]
        fn no_segments_break_it(segments in prop::collection::vec(
            (any::<u32>(), prop::collection::vec(any::<u8>(), 0..40), 0_usize..100_000), 0..200)) {
            let mut stream = Stream::default();
            stream.begin(1 << 31);
            for (sequence, bytes, cut) in segments {
                stream.push(sequence, &bytes, cut, |_, _| {});
                prop_assert!(stream.held() <= MAX_HELD + 40);
            }
            stream.flush(|_, _| {});
        }
    }
}
