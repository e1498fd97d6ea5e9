//! One connection of TCP: both directions, who opened it, and how it ended.

use std::net::SocketAddr;

use super::half::Half;
use super::kept::{Keeping, KeptPackets};
use super::keylog::{KeyLog, Opener};
use super::packet::TcpSegment;
use super::shown::{CaptureMoment, HalfEnd, place};

/// Bytes of a direction after which an undecided handshake is given up.
const MAX_FOLLOWED: u64 = 512 * 1024;

/// Encrypted records in both directions that show that data flows.
const FLOWING: u64 = 16;

/// A connection. Very many may be open at once.
#[derive(Debug)]
pub struct Talk {
    /// The sender of the first packet, and the other.
    pub ends: [SocketAddr; 2],
    /// What each of them sent.
    pub halves: [Half; 2],
    /// When the first packet came.
    pub first: i64,
    /// When the last packet came.
    pub last: i64,
    /// Its packets, if they are to be kept.
    pub kept: Option<Box<KeptPackets>>,
    /// Who opened the connection, where that was seen.
    opener: Option<u8>,
    /// The side that ended the connection first.
    first_end: Option<u8>,
    /// Whether what is to be known of the handshake is known.
    settled: bool,
}

impl Talk {
    /// Begins with its first packet.
    pub fn new(segment: &TcpSegment<'_>, keeping: Keeping) -> Self {
        Self {
            ends: [segment.source, segment.target],
            halves: [Half::new(keeping), Half::new(keeping)],
            kept: keeping.packets.then(Box::default),
            first: segment.time,
            last: segment.time,
            opener: None,
            first_end: None,
            settled: false,
        }
    }

    fn side(&self, segment: &TcpSegment<'_>) -> u8 {
        u8::from(self.ends.first() != Some(&segment.source))
    }

    /// Whether the segment opens another connection between the same ends.
    pub fn is_succeeded_by(&self, segment: &TcpSegment<'_>) -> bool {
        let side = self.side(segment);
        let half = &self.halves[usize::from(side)];
        if !segment.syn {
            return false;
        }
        if let Some(known) = half.syn {
            return known != segment.sequence;
        }
        // Where nobody saw it open: a new one if it begins elsewhere than what came by.
        let place = half.stream.place(segment.sequence.wrapping_add(1));
        half.stream.has_begun() && (half.end().is_some() || place != Some(0))
    }

    /// Takes a packet.
    pub fn segment(&mut self, segment: &TcpSegment<'_>) {
        let side = self.side(segment);
        self.last = self.last.max(segment.time);
        if let Some(kept) = &mut self.kept {
            kept.add(usize::from(side), segment);
        }
        if segment.syn {
            let opened_by = if segment.acknowledged.is_some() { 1 - side } else { side };
            self.opener.get_or_insert(opened_by);
        }
        let side = usize::from(side);
        let received = self.received(1 - side, segment);
        let half = &mut self.halves[side];
        half.packets = half.packets.saturating_add(1);
        half.received = half.received.max(place(received));
        let mut sequence = segment.sequence;
        if segment.syn {
            half.syn.get_or_insert(segment.sequence);
            half.stream.open(segment.sequence);
            sequence = sequence.wrapping_add(1);
        } else if !segment.rst {
            half.stream.begin(sequence);
        }
        if !self.settled {
            self.push(side, sequence, segment, received);
        }
        let ends = segment.fin || segment.rst;
        if ends {
            self.end(side, sequence, segment, received);
        }
        if !self.settled {
            self.settle();
        }
    }

    /// The place in that direction up to which the sender of the segment had received all.
    fn received(&self, side: usize, segment: &TcpSegment<'_>) -> u64 {
        let place = segment.acknowledged.and_then(|ack| self.halves[side].stream.place(ack));
        place.map_or(0, |place| place.max(0).unsigned_abs())
    }

    fn push(&mut self, side: usize, sequence: u32, segment: &TcpSegment<'_>, received: u64) {
        let (half, received) = (&mut self.halves[side], place(received));
        let before = half.shown.sealed_count;
        let mut stream = std::mem::take(&mut half.stream);
        stream.push(sequence, segment.payload, segment.cut, |span, end| {
            half.feed(span, CaptureMoment { time: segment.time, end: place(end), received });
        });
        half.stream = stream;
        if half.shown.sealed_count > before {
            let client = self.client();
            self.halves[client].turn(side != client, segment.time);
        }
    }

    fn end(&mut self, side: usize, sequence: u32, segment: &TcpSegment<'_>, received: u64) {
        let half = &mut self.halves[side];
        if half.end().is_some() {
            return;
        }
        let length = u32::try_from(segment.payload.len() + segment.cut).unwrap_or(0);
        let end = half.stream.place(sequence.wrapping_add(length)).unwrap_or(0);
        let at = CaptureMoment {
            time: segment.time,
            end: place(end.max(0).unsigned_abs()),
            received: place(received),
        };
        half.end_at(HalfEnd { reset: segment.rst, place: end, at });
        self.first_end.get_or_insert(u8::from(side > 0));
    }

    /// Looks for the keys of a connection whose hello is new, and tells one side what the other agreed on.
    pub fn open_with(&mut self, keys: &KeyLog) {
        for side in 0..2 {
            let random = self.halves[side].take_client_random();
            if let Some(random) = random
                && let Some(secrets) = keys.secrets(&random)
            {
                self.halves[side].give(Opener::new(secrets.clone(), random, 0));
                self.halves[1 - side].give(Opener::new(secrets, random, 1));
            }
        }
        let agreed = |half: &Half| half.opener().and_then(Opener::agreement);
        let [one, other] = self.halves.each_ref().map(agreed);
        match (one, other) {
            (Some(agreement), None) => self.halves[1].agree(agreement),
            (None, Some(agreement)) => self.halves[0].agree(agreement),
            _ => {}
        }
    }

    /// How much memory its packets take.
    pub fn kept_size(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.size())
    }

    /// Whether both sides have said that they are done.
    pub fn is_over(&self) -> bool {
        let [one, other] = self.halves.each_ref().map(Half::end);
        let reset = |end: Option<HalfEnd>| end.is_some_and(|end| end.reset);
        one.is_some() && other.is_some() || reset(one) || reset(other)
    }

    /// Whether what is to be known of the handshake is known, so that it may be forgotten.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Bytes that are kept to read on.
    pub fn held(&self) -> usize {
        self.halves.iter().map(Half::held).sum()
    }

    /// Lets go of the streams where data flows both ways, or nothing can come of it.
    fn settle(&mut self) {
        let halves = &self.halves;
        let flows =
            |half: &Half| u64::from(half.shown.sealed_count) + u64::from(half.shown.finished) > 1;
        let count: u64 = halves.iter().map(|half| u64::from(half.shown.sealed_count)).sum();
        let [one, other] = halves;
        let flowing = halves.iter().all(flows) && count > FLOWING;
        let flowing = flowing && one.answers(other) && other.answers(one);
        let plain =
            halves.iter().all(Half::is_plain) && halves.iter().all(|half| half.text().len() > 64);
        let foreign = plain && halves.iter().all(|half| half.stream.end() > 16 * 1024);
        let endless = halves.iter().any(|half| half.stream.end() > MAX_FOLLOWED);
        if flowing || foreign || endless {
            self.settled = true;
            if let Some(kept) = &mut self.kept {
                kept.give_up();
            }
            self.halves.iter_mut().for_each(Half::release);
        }
    }

    /// There is no more to come.
    pub fn finish(&mut self) {
        if self.settled {
            return;
        }
        for half in &mut self.halves {
            let at = CaptureMoment { time: self.last, end: 0, received: half.received };
            let mut stream = std::mem::take(&mut half.stream);
            stream.flush(|span, end| half.feed(span, CaptureMoment { end: place(end), ..at }));
            half.stream = stream;
        }
    }

    /// The side that is the client: the one that opened the connection, or that sent a hello, or whose port is higher.
    pub fn client(&self) -> usize {
        if let Some(opener) = self.opener {
            return opener.into();
        }
        let sent_hello = |half: &Half| half.shown.clear().hello.is_some() || half.is_http();
        let answered = |half: &Half| half.shown.clear().has_answered();
        let [one, other] = &self.halves;
        if sent_hello(one) || answered(other) {
            return 0;
        }
        if sent_hello(other) || answered(one) {
            return 1;
        }
        usize::from(self.ends[0].port() < self.ends[1].port())
    }

    /// The side that ended the connection first, as far as packets tell: what a side had received when it ended counts
    /// more than the order in which packets were captured.
    pub fn first_to_end(&self) -> Option<usize> {
        let [one, other] = self.halves.each_ref().map(Half::end);
        let (Some(one), Some(other)) = (one, other) else {
            return self.first_end.map(usize::from);
        };
        let after = |end: &HalfEnd, peer: &HalfEnd| end.at.received > peer.at.end;
        if after(&one, &other) {
            return Some(1);
        }
        if after(&other, &one) { Some(0) } else { self.first_end.map(usize::from) }
    }

    /// Whether everything that this side sent was captured, as far as both sides' numbers tell.
    pub fn is_whole(&self, side: usize) -> bool {
        let (half, peer) = (&self.halves[side], &self.halves[1 - side]);
        let end = half.stream.end();
        let begun = half.stream.from_start || half.is_tls() || half.packets == 0;
        // A FIN takes a number of its own.
        let ended = half.end().is_some_and(|end| !end.reset);
        let acknowledged = u64::from(peer.received) <= end + u64::from(ended);
        let reached =
            half.end().is_none_or(|it| it.place <= i64::try_from(end).unwrap_or(i64::MAX));
        begun && !half.stream.has_gap && acknowledged && reached
    }
}
