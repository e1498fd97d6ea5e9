//! The connections that are open at one time, within bounds: they are given up by age and by number.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::kept::Keeping;
use super::packet::TcpSegment;
use super::seen_hello::SeenHello;
use super::talk::Talk;

/// Connections that are followed at once.
const MAX_OPEN: usize = 131_072;

/// With more than this, a handshake that has succeeded is let go of before its connection ends.
const CROWDED: usize = 16_384;

/// Bytes of packets that are kept at once.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// Different hellos that are kept to be shared.
const MAX_HELLOS: usize = 4096;

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

type Key = (SocketAddr, SocketAddr);

#[derive(Debug)]
enum Slot {
    Open(Box<Talk>),
    /// Done with; the sequence numbers of its SYNs tell a new connection between the same ends.
    Done {
        first: SocketAddr,
        syns: [Option<u32>; 2],
    },
}

#[derive(Debug)]
struct Entry {
    slot: Slot,
    serial: u64,
}

/// When to look at a connection again.
type Queue = VecDeque<(i64, Key, u64)>;

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// All of them.
    pub connections: u64,
    /// The most that were open at one time.
    pub most_open: u64,
    /// Given up because too many were open.
    pub given_up: u64,
}

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Connections {
    /// What became of them.
    pub counts: ConnectionCounts,
    table: HashMap<Key, Entry, RandomState>,
    idle: Queue,
    closing: Queue,
    done: Queue,
    /// Hellos that several connections may have in common.
    hellos: HashSet<Arc<SeenHello>, RandomState>,
    clock: i64,
    serial: u64,
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
        let key = key(segment);
        let known = self.table.get(&key);
        let succeeds = known.is_some_and(|entry| entry.slot.is_succeeded_by(segment));
        if succeeds && let Some(Entry { slot: Slot::Open(talk), .. }) = self.table.remove(&key) {
            self.kept = self.kept.saturating_sub(talk.kept_size());
            hand_on(*talk, &mut take);
        }
        if !self.table.contains_key(&key) {
            self.make_room(&mut take);
            self.open(key, segment);
        }
        let crowded = self.table.len() > CROWDED;
        let Some(entry) = self.table.get_mut(&key) else { return };
        let Slot::Open(talk) = &mut entry.slot else { return };
        let (was_over, kept) = (talk.is_over(), talk.kept_size());
        talk.segment(segment);
        if self.kept + talk.kept_size() > MAX_KEPT + kept
            && let Some(kept) = &mut talk.kept
        {
            kept.give_up();
        }
        self.kept = (self.kept + talk.kept_size()).saturating_sub(kept);
        share(&mut self.hellos, talk);
        if talk.is_over() && !was_over {
            self.closing.push_back((segment.time + LINGER, key, entry.serial));
        }
        if crowded && talk.is_settled() {
            let serial = entry.serial;
            self.let_go(key, serial, &mut take);
        }
    }

    /// There is no more to come.
    pub fn finish(&mut self, mut take: impl FnMut(Talk)) {
        let entries = std::mem::take(&mut self.table).into_values();
        let mut open: Vec<Box<Talk>> = entries.filter_map(|entry| entry.slot.open()).collect();
        open.sort_by_key(|talk| (talk.first, talk.ends));
        for talk in open {
            hand_on(*talk, &mut take);
        }
        (self.idle, self.closing, self.done) = Default::default();
        (self.clock, self.kept) = (0, 0);
    }

    fn open(&mut self, key: Key, segment: &TcpSegment<'_>) {
        self.serial += 1;
        self.counts.connections += 1;
        let slot = Slot::Open(Box::new(Talk::new(segment, self.keeping)));
        self.table.insert(key, Entry { slot, serial: self.serial });
        self.idle.push_back((segment.time + IDLE, key, self.serial));
        self.tidy();
        self.counts.most_open = self.counts.most_open.max(self.table.len() as u64);
    }

    /// Drops what the queues hold of connections that are done with, before it outgrows the table.
    fn tidy(&mut self) {
        if self.idle.len() > 2 * MAX_OPEN {
            let mut idle = std::mem::take(&mut self.idle);
            idle.retain(|(_, key, serial)| self.is_open(*key, *serial));
            self.idle = idle;
        }
        if self.done.len() > 2 * MAX_OPEN {
            let table = &self.table;
            self.done
                .retain(|(_, key, serial)| table.get(key).is_some_and(|it| it.serial == *serial));
        }
    }

    fn make_room(&mut self, take: &mut impl FnMut(Talk)) {
        while self.table.len() >= MAX_OPEN {
            if let Some((_, key, serial)) = self.done.pop_front() {
                self.forget(key, serial);
            } else if let Some((_, key, serial)) = self.idle.pop_front() {
                if self.is_open(key, serial) {
                    self.counts.given_up += 1;
                    self.let_go(key, serial, take);
                }
            } else {
                return;
            }
        }
    }

    /// Looks at the connections whose time has come.
    fn advance(&mut self, time: i64, take: &mut impl FnMut(Talk)) {
        let leaps = self.clock != 0 && time.saturating_sub(self.clock) > LEAP;
        if !leaps {
            self.clock = self.clock.max(time);
        }
        while let Some((key, serial)) = due(&mut self.closing, self.clock) {
            if self.is_open(key, serial) {
                self.let_go(key, serial, take);
            }
        }
        while let Some((key, serial)) = due(&mut self.idle, self.clock) {
            let Some(last) = self.last(key, serial) else { continue };
            if last + IDLE <= self.clock {
                self.let_go(key, serial, take);
            } else {
                self.idle.push_back((last + IDLE, key, serial));
            }
        }
        while let Some((key, serial)) = due(&mut self.done, self.clock) {
            self.forget(key, serial);
        }
    }

    fn last(&self, key: Key, serial: u64) -> Option<i64> {
        match self.table.get(&key) {
            Some(Entry { slot: Slot::Open(talk), serial: known }) if *known == serial => {
                Some(talk.last)
            }
            _ => None,
        }
    }

    fn is_open(&self, key: Key, serial: u64) -> bool {
        self.last(key, serial).is_some()
    }

    /// Hands a connection on, and remembers that it is done with.
    fn let_go(&mut self, key: Key, serial: u64, take: &mut impl FnMut(Talk)) {
        let Some(entry) = self.table.get_mut(&key).filter(|entry| entry.serial == serial) else {
            return;
        };
        let Slot::Open(talk) = &entry.slot else { return };
        let done =
            Slot::Done { first: talk.ends[0], syns: talk.halves.each_ref().map(|half| half.syn) };
        let slot = std::mem::replace(&mut entry.slot, done);
        self.done.push_back((self.clock + REMEMBERED, key, serial));
        if let Slot::Open(talk) = slot {
            self.kept = self.kept.saturating_sub(talk.kept_size());
            hand_on(*talk, take);
        }
    }

    fn forget(&mut self, key: Key, serial: u64) {
        let done =
            |entry: &Entry| entry.serial == serial && matches!(entry.slot, Slot::Done { .. });
        if self.table.get(&key).is_some_and(done) {
            self.table.remove(&key);
        }
    }
}

impl Slot {
    fn open(self) -> Option<Box<Talk>> {
        match self {
            Self::Open(talk) => Some(talk),
            Self::Done { .. } => None,
        }
    }

    fn is_succeeded_by(&self, segment: &TcpSegment<'_>) -> bool {
        match self {
            Self::Open(talk) => talk.is_succeeded_by(segment),
            Self::Done { first, syns } => {
                let side = usize::from(*first != segment.source);
                segment.syn && syns.get(side).copied().flatten() != Some(segment.sequence)
            }
        }
    }
}

/// Clients of one kind send the same hello again and again, which is kept once.
fn share(known: &mut HashSet<Arc<SeenHello>, RandomState>, talk: &mut Talk) {
    let hellos = talk.halves.iter_mut().flat_map(|half| &mut half.shown.hellos);
    for hello in hellos.filter(|hello| Arc::strong_count(hello) == 1) {
        if let Some(same) = known.get(hello) {
            *hello = Arc::clone(same);
            continue;
        }
        if known.len() >= MAX_HELLOS {
            known.clear();
        }
        known.insert(Arc::clone(hello));
    }
}

fn hand_on(mut talk: Talk, take: &mut impl FnMut(Talk)) {
    talk.finish();
    take(talk);
}

fn due(queue: &mut Queue, clock: i64) -> Option<(Key, u64)> {
    let (time, key, serial) = *queue.front()?;
    (time <= clock).then(|| {
        queue.pop_front();
        (key, serial)
    })
}

/// Both directions have one key.
fn key(segment: &TcpSegment<'_>) -> Key {
    let (one, other) = (segment.source, segment.target);
    if one <= other { (one, other) } else { (other, one) }
}
