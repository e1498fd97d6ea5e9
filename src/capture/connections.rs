//! The connections that are open at one time, within bounds: they are given up by age, by number, and by what they hold.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::kept::Keeping;
use super::keylog::KeyLog;
use super::packet::TcpSegment;
use super::seen_certificates::SeenCertificates;
use super::shown::ClearTls;
use super::slots::{SlotPlace, Slots};
use super::talk::Talk;

/// Connections that are followed at once.
const MAX_OPEN: usize = 131_072;

/// With more than this, a handshake that has succeeded is let go of before its connection ends.
const CROWDED: usize = 16_384;

/// Bytes of packets that are kept at once.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// Bytes that all of them together hold of what has begun and is not whole.
const MAX_HELD: usize = 16 * 1024 * 1024;

/// Different messages that are kept to be shared.
const MAX_SHARED: usize = 4096;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// A connection without packets is given up after this.
const IDLE: i64 = 300 * SECOND;

/// Packets that were captured out of order may follow the end of a connection.
const LINGER: i64 = SECOND;

/// Late packets of a connection that is done with are known for this long.
const REMEMBERED: i64 = 60 * SECOND;

/// A clock that leaps further than this is wrong.
const LEAP: i64 = 7 * 86_400 * SECOND;

/// When to look at a connection again.
type Queue = VecDeque<(i64, SlotPlace)>;

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// All of them.
    pub connections: u64,
    /// The most that were open at one time.
    pub most_open: u64,
    /// Given up because too many were open, or held too much.
    pub given_up: u64,
}

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Connections {
    /// What became of them.
    pub counts: ConnectionCounts,
    /// Keys with which encrypted records are opened.
    pub keys: KeyLog,
    /// The certificates in them.
    pub certificates: SeenCertificates,
    slots: Slots,
    idle: Queue,
    closing: Queue,
    done: Queue,
    /// Those that began to hold something.
    holding: VecDeque<SlotPlace>,
    held: usize,
    /// What several connections may have in common.
    shared: HashSet<Arc<ClearTls>, RandomState>,
    clock: i64,
    keeping: Keeping,
    /// Bytes of packets that the open connections keep.
    kept: usize,
}

impl Connections {
    /// Before the first packet.
    pub fn new(keeping: Keeping) -> Self {
        Self { keeping, ..Self::default() }
    }

    /// Takes a packet, and hands on the connections of which no more is awaited.
    pub fn segment(&mut self, segment: &TcpSegment<'_>, mut take: impl FnMut(Talk)) {
        self.advance(segment.time, &mut take);
        let mut known = self.slots.find(segment);
        if let Some(place) = known
            && self.slots.is_succeeded_by(place, segment)
        {
            let talk = self.slots.remove(place);
            self.hand_on(talk, &mut take);
            known = None;
        }
        let place = match known {
            Some(place) => place,
            None => self.open(segment, &mut take),
        };
        let crowded = self.slots.len() > CROWDED;
        let Some(talk) = self.slots.open(place) else { return };
        let (was_over, held, kept) = (talk.is_over(), talk.held(), talk.kept_size());
        talk.segment(segment);
        if self.keys.sessions() > 0 {
            talk.open_with(&self.keys);
        }
        if self.kept + talk.kept_size() > MAX_KEPT + kept
            && let Some(kept) = &mut talk.kept
        {
            kept.give_up();
        }
        self.kept = (self.kept + talk.kept_size()).saturating_sub(kept);
        share(&mut self.shared, &mut self.certificates, talk);
        let (is_over, is_settled, holds) = (talk.is_over(), talk.is_settled(), talk.held());
        self.held = self.held.saturating_sub(held).saturating_add(holds);
        if is_over && !was_over {
            self.closing.push_back((segment.time + LINGER, place));
        }
        if crowded && is_settled {
            self.let_go(place, &mut take);
        } else if held == 0 && holds > 0 {
            self.holding.push_back(place);
            self.hold_less(&mut take);
        }
    }

    /// There is no more to come.
    pub fn finish(&mut self, mut take: impl FnMut(Talk)) {
        for talk in self.slots.take_open() {
            self.hand_on(Some(talk), &mut take);
        }
        (self.idle, self.closing, self.done) = Default::default();
        (self.holding, self.held) = Default::default();
        (self.clock, self.kept) = (0, 0);
    }

    fn open(&mut self, segment: &TcpSegment<'_>, take: &mut impl FnMut(Talk)) -> SlotPlace {
        self.make_room(take);
        self.counts.connections += 1;
        let keeping = Keeping { randoms: self.keys.sessions() > 0, ..self.keeping };
        let place = self.slots.insert(Talk::new(segment, keeping));
        self.idle.push_back((segment.time + IDLE, place));
        self.tidy();
        self.counts.most_open = self.counts.most_open.max(self.slots.len() as u64);
        place
    }

    /// Drops what the queues hold of connections that are done with, before it outgrows the table.
    fn tidy(&mut self) {
        let slots = &mut self.slots;
        if self.idle.len() > 2 * MAX_OPEN {
            self.idle.retain(|(_, place)| slots.open(*place).is_some());
        }
        if self.done.len() > 2 * MAX_OPEN {
            self.done.retain(|(_, place)| slots.knows(*place));
        }
    }

    fn make_room(&mut self, take: &mut impl FnMut(Talk)) {
        while self.slots.len() >= MAX_OPEN {
            if let Some((_, place)) = self.done.pop_front() {
                self.slots.forget_done(place);
            } else if let Some((_, place)) = self.idle.pop_front() {
                if self.slots.open(place).is_some() {
                    self.counts.given_up += 1;
                    self.let_go(place, take);
                }
            } else {
                return;
            }
        }
    }

    /// Gives up the connections that have held something for the longest time.
    fn hold_less(&mut self, take: &mut impl FnMut(Talk)) {
        let slots = &mut self.slots;
        let mut holds = |place: SlotPlace| slots.open(place).is_some_and(|talk| talk.held() > 0);
        if self.holding.len() > 2 * MAX_OPEN {
            self.holding.retain(|place| holds(*place));
        }
        while self.held > MAX_HELD
            && let Some(place) = self.holding.pop_front()
        {
            if self.slots.open(place).is_some_and(|talk| talk.held() > 0) {
                self.counts.given_up += 1;
                self.let_go(place, take);
            }
        }
    }

    /// Looks at the connections whose time has come.
    fn advance(&mut self, time: i64, take: &mut impl FnMut(Talk)) {
        let leaps = self.clock != 0 && time.saturating_sub(self.clock) > LEAP;
        if !leaps {
            self.clock = self.clock.max(time);
        }
        while let Some(place) = due(&mut self.closing, self.clock) {
            self.let_go(place, take);
        }
        while let Some(place) = due(&mut self.idle, self.clock) {
            let Some(talk) = self.slots.open(place) else { continue };
            let until = talk.last + IDLE;
            if until <= self.clock {
                self.let_go(place, take);
            } else {
                self.idle.push_back((until, place));
            }
        }
        while let Some(place) = due(&mut self.done, self.clock) {
            self.slots.forget_done(place);
        }
    }

    /// Hands a connection on, and remembers that it is done with.
    fn let_go(&mut self, place: SlotPlace, take: &mut impl FnMut(Talk)) {
        let Some(talk) = self.slots.close(place) else { return };
        self.done.push_back((self.clock + REMEMBERED, place));
        self.hand_on(Some(talk), take);
    }

    fn hand_on(&mut self, talk: Option<Box<Talk>>, take: &mut impl FnMut(Talk)) {
        let Some(mut talk) = talk else { return };
        self.held = self.held.saturating_sub(talk.held());
        self.kept = self.kept.saturating_sub(talk.kept_size());
        talk.finish();
        take(*talk);
    }
}

/// Clients of one kind send the same again and again, and so do servers: it is kept once.
fn share(
    known: &mut HashSet<Arc<ClearTls>, RandomState>,
    certificates: &mut SeenCertificates,
    talk: &mut Talk,
) {
    for clear in talk.halves.iter_mut().filter_map(|half| half.shown.unshared()) {
        if let Some(own) = Arc::get_mut(clear) {
            let ders = std::mem::take(&mut own.ders);
            for (fingerprint, der) in own.certificates.iter().flatten().zip(ders) {
                certificates.add(*fingerprint, der);
            }
        }
        if let Some(same) = known.get(clear) {
            *clear = Arc::clone(same);
            continue;
        }
        if known.len() >= MAX_SHARED {
            known.clear();
        }
        known.insert(Arc::clone(clear));
    }
}

fn due(queue: &mut Queue, clock: i64) -> Option<SlotPlace> {
    let (time, place) = *queue.front()?;
    (time <= clock).then(|| {
        queue.pop_front();
        place
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn segment(client: u32, sequence: u32, syn: bool, payload: &[u8]) -> TcpSegment<'_> {
        let address = |number: u32, port| SocketAddr::from((Ipv4Addr::from(number), port));
        TcpSegment {
            time: 1,
            source: address(0x0a00_0000 + client, 40_000),
            target: address(0xc000_0201, 443),
            sequence,
            acknowledged: None,
            syn,
            fin: false,
            rst: false,
            payload,
            cut: 0,
        }
    }

    #[test]
    fn an_open_connection_takes_little() {
        // With 100 000 of them this is most of what the program takes.
        let size = size_of::<Talk>();
        assert!(size <= 400, "{size}");
    }

    #[test]
    fn what_waits_for_its_end_is_bounded_for_all_connections_together() {
        let mut start = vec![22, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc, 3, 3];
        start.resize(4096, 7);
        let mut connections = Connections::default();
        let mut handed_on = 0;
        for client in 0..5000 {
            connections.segment(&segment(client, 9, true, &[]), |_| handed_on += 1);
            connections.segment(&segment(client, 10, false, &start), |_| handed_on += 1);
            assert!(connections.held <= MAX_HELD);
        }
        assert_eq!(connections.counts.given_up, handed_on);
        assert!((500..2000).contains(&handed_on), "{handed_on}");
        connections.finish(|_| handed_on += 1);
        assert_eq!((handed_on, connections.held), (5000, 0));
    }

    #[test]
    fn a_port_that_is_used_again_is_another_connection() {
        let mut connections = Connections::default();
        let mut handed_on = 0;
        for sequence in [9, 9, 500, 9] {
            connections.segment(&segment(1, sequence, true, &[]), |_| handed_on += 1);
        }
        assert_eq!((handed_on, connections.counts.connections), (2, 3));
        connections.finish(|_| handed_on += 1);
        assert_eq!(handed_on, 3);
    }
}
