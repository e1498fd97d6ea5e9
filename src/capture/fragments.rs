//! Fragmented IP packets, put together again within bounds.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use etherparse::defrag::IpDefragBuf;
use etherparse::{IpFragOffset, IpNumber};

/// Packets that are put together at once; the oldest is given up.
const MAX_PACKETS: usize = 256;

/// Fragments of one packet: no honest packet has more.
const MAX_FRAGMENTS: usize = 256;

/// What fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FragmentKey {
    pub(super) source: IpAddr,
    pub(super) target: IpAddr,
    pub(super) identification: u32,
    pub(super) protocol: u8,
}

/// One fragment.
pub(super) struct Fragment<'a> {
    pub(super) offset: IpFragOffset,
    pub(super) more: bool,
    pub(super) payload: &'a [u8],
}

/// Fragments that wait for the rest of their packet.
#[derive(Debug, Default)]
pub(super) struct Defragmenter {
    packets: HashMap<FragmentKey, (IpDefragBuf, usize)>,
    order: VecDeque<FragmentKey>,
    /// Packets that never came together.
    pub(super) given_up: u64,
}

impl Defragmenter {
    /// Takes a fragment; the packet's payload once it is whole.
    pub(super) fn add(&mut self, key: FragmentKey, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
        if !self.packets.contains_key(&key) {
            self.make_room();
            self.order.push_back(key);
        }
        let fresh = || (IpDefragBuf::new(IpNumber(key.protocol), Vec::new(), Vec::new()), 0);
        let (packet, count) = self.packets.entry(key).or_insert_with(fresh);
        *count += 1;
        let added = packet.add(fragment.offset, fragment.more, fragment.payload);
        if added.is_err() || *count > MAX_FRAGMENTS {
            self.given_up += 1;
            self.remove(key);
            return None;
        }
        if !packet.is_complete() {
            return None;
        }
        self.remove(key).map(|packet| packet.take_bufs().0)
    }

    fn remove(&mut self, key: FragmentKey) -> Option<IpDefragBuf> {
        self.order.retain(|known| *known != key);
        self.packets.remove(&key).map(|(packet, _)| packet)
    }

    fn make_room(&mut self) {
        if self.order.len() >= MAX_PACKETS
            && let Some(oldest) = self.order.pop_front()
        {
            self.given_up += 1;
            self.packets.remove(&oldest);
        }
    }
}
