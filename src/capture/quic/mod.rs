//! QUIC: the handshakes that Initial packets carry, whose keys follow from the packets themselves.

mod ending;
mod frames;
mod header;
mod keys;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use foldhash::fast::RandomState;

use self::header::{QuicPacket, split};
use self::talk::QuicTalk;
use super::exchange::Exchange;
use super::packet::UdpDatagram;

/// Connections that are followed at once.
const MAX_OPEN: usize = 16_384;

/// Packets of one datagram that are looked at.
const MAX_PACKETS: usize = 8;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// A connection without packets is given up after this.
const IDLE: i64 = 60 * SECOND;

/// The client, then the server.
type Key = (SocketAddr, SocketAddr);

/// The connections of QUIC that are open.
#[derive(Debug, Default)]
pub struct QuicConnections {
    /// Given up because too many were open.
    pub given_up: u64,
    /// Datagrams that begin a connection and cannot be read: of another version, or damaged.
    pub unread: u64,
    open: HashMap<Key, Box<QuicTalk>, RandomState>,
    order: VecDeque<(i64, Key)>,
    clock: i64,
}

impl QuicConnections {
    /// Takes a datagram, and hands on the handshakes of which no more is awaited.
    pub fn datagram(&mut self, datagram: &UdpDatagram<'_>, mut take: impl FnMut(Exchange)) {
        let (from, to) = (datagram.source, datagram.target);
        if let Some(talk) = self.open.get_mut(&(from, to)) {
            if !talk.take(0, datagram) && talk.is_succeeded_by(datagram) {
                self.let_go((from, to), &mut take);
                self.begin(datagram, &mut take);
            }
        } else if let Some(talk) = self.open.get_mut(&(to, from)) {
            talk.take(1, datagram);
        } else if begins(datagram) {
            self.advance(datagram.time, &mut take);
            self.begin(datagram, &mut take);
        }
    }

    /// There is no more to come.
    pub fn finish(&mut self, mut take: impl FnMut(Exchange)) {
        for (_, key) in std::mem::take(&mut self.order) {
            self.let_go(key, &mut take);
        }
        self.clock = 0;
    }

    fn begin(&mut self, datagram: &UdpDatagram<'_>, take: &mut impl FnMut(Exchange)) {
        let Some(talk) = QuicTalk::begin(datagram) else {
            self.unread += u64::from(is_long_enough(datagram));
            return;
        };
        if self.open.len() >= MAX_OPEN
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.given_up += 1;
            self.let_go(oldest, take);
        }
        let key = (datagram.source, datagram.target);
        self.open.insert(key, Box::new(talk));
        self.order.push_back((datagram.time + IDLE, key));
    }

    fn advance(&mut self, time: i64, take: &mut impl FnMut(Exchange)) {
        self.clock = self.clock.max(time);
        while let Some((until, key)) = self.order.front().copied() {
            if until > self.clock {
                return;
            }
            self.order.pop_front();
            let last = self.open.get(&key).map(|talk| talk.last + IDLE);
            if let Some(until) = last.filter(|until| *until > self.clock) {
                self.order.push_back((until, key));
            } else {
                self.let_go(key, take);
            }
        }
    }

    fn let_go(&mut self, key: Key, take: &mut impl FnMut(Exchange)) {
        if let Some(talk) = self.open.remove(&key) {
            take(talk.finish(self.clock));
        }
    }
}

/// Whether a packet with a long header of a version begins here, which only the beginnings of connections have.
fn begins(datagram: &UdpDatagram<'_>) -> bool {
    matches!(datagram.payload, [0xc0..=0xff, version @ .., _] if version.len() >= 4 && version[..4] != [0; 4])
}

/// A client fills its first datagrams up (RFC 9000 section 14.1).
fn is_long_enough(datagram: &UdpDatagram<'_>) -> bool {
    let mut rest = datagram.payload;
    let initial =
        matches!(split(&mut rest), Some(QuicPacket::Initial(_) | QuicPacket::UnknownVersion));
    initial && datagram.payload.len() >= 1200
}
