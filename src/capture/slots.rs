//! Where connections are kept: found by their two ends, named by a place that no later connection has.

use std::hash::BuildHasher;
use std::net::SocketAddr;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::packet::TcpSegment;
use super::talk::Talk;

/// What is kept of a connection that is done with: the sequence numbers of its SYNs tell a new one between the same ends.
#[derive(Debug)]
struct DoneTalk {
    ends: [SocketAddr; 2],
    syns: [Option<u32>; 2],
}

#[derive(Debug)]
enum Slot {
    Free,
    Open(Box<Talk>),
    Done(Box<DoneTalk>),
}

/// Which connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotPlace {
    index: u32,
    generation: u32,
}

/// The connections that are known.
#[derive(Debug, Default)]
pub(super) struct Slots {
    kept: Vec<(u32, Slot)>,
    free: Vec<u32>,
    found: HashTable<u32>,
    hasher: RandomState,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// The connection between these two, either way round.
    pub(super) fn find(&self, segment: &TcpSegment<'_>) -> Option<SlotPlace> {
        let (one, other) = (segment.source, segment.target);
        let same = |index: &u32| {
            let ends = self.slot(*index).and_then(Slot::ends);
            ends.is_some_and(|ends| ends == [one, other] || ends == [other, one])
        };
        let index = *self.found.find(hash(&self.hasher, [one, other]), same)?;
        let (generation, _) = self.kept.get(as_index(index))?;
        Some(SlotPlace { index, generation: *generation })
    }

    /// Keeps one between ends of which none is known.
    pub(super) fn insert(&mut self, talk: Talk) -> SlotPlace {
        let hashed = hash(&self.hasher, talk.ends);
        let talk = Slot::Open(Box::new(talk));
        let index = self.free.pop().filter(|index| as_index(*index) < self.kept.len());
        let index = index.unwrap_or_else(|| {
            self.kept.push((0, Slot::Free));
            u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(place) = self.kept.get_mut(as_index(index)) {
            generation = place.0.wrapping_add(1);
            *place = (generation, talk);
        }
        let Self { kept, found, hasher, .. } = self;
        found.insert_unique(hashed, index, |index| {
            let ends = kept.get(as_index(*index)).and_then(|(_, slot)| slot.ends());
            ends.map_or(0, |ends| hash(hasher, ends))
        });
        SlotPlace { index, generation }
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        self.kept.get(as_index(index)).map(|(_, slot)| slot)
    }

    fn slot_at(&mut self, place: SlotPlace) -> Option<&mut Slot> {
        let (generation, slot) = self.kept.get_mut(as_index(place.index))?;
        (*generation == place.generation).then_some(slot)
    }

    /// Whether it is known, open or done with.
    pub(super) fn knows(&mut self, place: SlotPlace) -> bool {
        self.slot_at(place).is_some_and(|slot| slot.ends().is_some())
    }

    /// The connection, if it is open.
    pub(super) fn open(&mut self, place: SlotPlace) -> Option<&mut Talk> {
        match self.slot_at(place)? {
            Slot::Open(talk) => Some(talk),
            _ => None,
        }
    }

    /// Takes an open connection out, and remembers that it is done with.
    pub(super) fn close(&mut self, place: SlotPlace) -> Option<Box<Talk>> {
        let slot = self.slot_at(place)?;
        let Slot::Open(talk) = slot else { return None };
        let syns = talk.halves.each_ref().map(|half| half.syn);
        let done = Slot::Done(Box::new(DoneTalk { ends: talk.ends, syns }));
        match std::mem::replace(slot, done) {
            Slot::Open(talk) => Some(talk),
            _ => None,
        }
    }

    /// Forgets a connection that is done with.
    pub(super) fn forget_done(&mut self, place: SlotPlace) {
        if matches!(self.slot_at(place), Some(Slot::Done(_))) {
            self.remove(place);
        }
    }

    /// Takes a connection out; it is handed back if it was open.
    pub(super) fn remove(&mut self, place: SlotPlace) -> Option<Box<Talk>> {
        let ends = self.slot_at(place)?.ends()?;
        let hashed = hash(&self.hasher, ends);
        if let Ok(entry) = self.found.find_entry(hashed, |index| *index == place.index) {
            entry.remove();
        }
        let slot = std::mem::replace(self.slot_at(place)?, Slot::Free);
        self.free.push(place.index);
        match slot {
            Slot::Open(talk) => Some(talk),
            _ => None,
        }
    }

    /// Takes all out that are open, the first ones first.
    #[expect(clippy::vec_box, reason = "very many are sorted, and not moved")]
    pub(super) fn take_open(&mut self) -> Vec<Box<Talk>> {
        let kept = std::mem::take(self).kept.into_iter();
        let mut open: Vec<Box<Talk>> = kept.filter_map(|(_, slot)| slot.into_open()).collect();
        open.sort_by_key(|talk| (talk.first, talk.ends));
        open
    }

    /// Whether the segment opens another connection between the same ends.
    pub(super) fn is_succeeded_by(&self, place: SlotPlace, segment: &TcpSegment<'_>) -> bool {
        match self.slot(place.index) {
            Some(Slot::Open(talk)) => talk.is_succeeded_by(segment),
            Some(Slot::Done(done)) => {
                let side = usize::from(done.ends[0] != segment.source);
                segment.syn && done.syns.get(side).copied().flatten() != Some(segment.sequence)
            }
            _ => false,
        }
    }
}

impl Slot {
    fn ends(&self) -> Option<[SocketAddr; 2]> {
        match self {
            Self::Free => None,
            Self::Open(talk) => Some(talk.ends),
            Self::Done(done) => Some(done.ends),
        }
    }

    fn into_open(self) -> Option<Box<Talk>> {
        match self {
            Self::Open(talk) => Some(talk),
            _ => None,
        }
    }
}

fn as_index(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The same for either direction.
fn hash(hasher: &RandomState, [one, other]: [SocketAddr; 2]) -> u64 {
    if one <= other { hasher.hash_one((one, other)) } else { hasher.hash_one((other, one)) }
}
