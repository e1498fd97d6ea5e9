//! One connection of QUIC: both sides' Initial packets, and how much came after them.

use std::net::SocketAddr;

use super::MAX_PACKETS;
use super::frames::{self, InitialFrame};
use super::header::{InitialPacket, QuicPacket, split};
use super::keys::{InitialKeys, OpenPacket};
use crate::capture::half::Half;
use crate::capture::packet::UdpDatagram;
use crate::capture::shown::CaptureMoment;

/// Initial packets of one side that are opened.
const MAX_INITIALS: u32 = 64;

/// What came of one side.
#[derive(Debug, Default)]
pub(super) struct QuicSide {
    /// What its Initial packets said.
    pub(super) half: Half,
    /// The largest number of these.
    largest: Option<u64>,
    /// How many there were.
    pub(super) initials: u32,
    /// Packets of the handshake that cannot be opened.
    pub(super) handshakes: u32,
    /// Packets after the handshake.
    pub(super) shorts: u32,
    /// When the first packet came.
    pub(super) began: Option<i64>,
    /// When the last packet came.
    pub(super) last: Option<i64>,
    /// The error with which it closed the connection, and when.
    pub(super) closed: Option<(u64, i64)>,
}

/// A connection of QUIC.
#[derive(Debug)]
pub(super) struct QuicTalk {
    /// The client, then the server.
    pub(super) ends: [SocketAddr; 2],
    /// What each of them sent.
    pub(super) sides: [QuicSide; 2],
    /// When the first packet came.
    pub(super) first: i64,
    /// When the last packet came.
    pub(super) last: i64,
    /// The connection id from which the keys follow.
    connection: Vec<u8>,
    /// Whether the server asked the client to begin again.
    pub(super) retried: bool,
    /// Whether the server does not speak the client's version.
    pub(super) renegotiated: bool,
    /// Packets that the server sent after the client's first one after the handshake.
    pub(super) answers: u32,
}

impl QuicTalk {
    /// Begins with a client's first datagram, if it is one.
    pub(super) fn begin(datagram: &UdpDatagram<'_>) -> Option<Self> {
        let mut rest = datagram.payload;
        let Some(QuicPacket::Initial(packet)) = split(&mut rest) else { return None };
        open(&packet, packet.target, 0, None)?;
        let mut talk = Self {
            ends: [datagram.source, datagram.target],
            sides: Default::default(),
            first: datagram.time,
            last: datagram.time,
            connection: packet.target.to_vec(),
            retried: false,
            renegotiated: false,
            answers: 0,
        };
        for side in &mut talk.sides {
            side.half.stream.open(u32::MAX);
        }
        talk.take(0, datagram);
        Some(talk)
    }

    /// Takes a datagram of the client (0) or the server (1); whether it belongs to the connection, as far as can be told.
    pub(super) fn take(&mut self, side: usize, datagram: &UdpDatagram<'_>) -> bool {
        let time = datagram.time;
        let mut rest = datagram.payload;
        let mut belongs = true;
        for _ in 0..MAX_PACKETS {
            let Some(packet) = split(&mut rest) else { break };
            let after = self.sides[0].shorts > 0;
            let own = &mut self.sides[side];
            match packet {
                QuicPacket::Initial(packet) => belongs &= self.initial(side, &packet, time),
                QuicPacket::Handshake => own.handshakes = own.handshakes.saturating_add(1),
                QuicPacket::Short => {
                    own.shorts = own.shorts.saturating_add(1);
                    self.answers = self.answers.saturating_add(u32::from(side == 1 && after));
                }
                QuicPacket::Retry => self.retried |= side == 1,
                QuicPacket::VersionNegotiation => self.renegotiated |= side == 1,
                QuicPacket::EarlyData | QuicPacket::UnknownVersion => {}
            }
            if rest.is_empty() {
                break;
            }
        }
        if belongs {
            self.last = self.last.max(time);
            let own = &mut self.sides[side];
            own.began.get_or_insert(time);
            own.last = Some(own.last.map_or(time, |last| last.max(time)));
        }
        belongs
    }

    /// Whether the datagram begins another connection between the same ends.
    pub(super) fn is_succeeded_by(&self, datagram: &UdpDatagram<'_>) -> bool {
        self.sides[1].half.shown.clear().has_answered() && Self::begin(datagram).is_some()
    }

    fn initial(&mut self, side: usize, packet: &InitialPacket<'_>, time: i64) -> bool {
        if self.sides[side].initials >= MAX_INITIALS {
            return true;
        }
        let largest = self.sides[side].largest;
        let answered = self.sides[1].half.shown.clear().has_answered();
        let mut opened = open(packet, &self.connection, side, largest);
        if opened.is_none() && side == 0 && !answered {
            // After a Retry, the keys follow from the id that the server chose.
            opened = open(packet, packet.target, side, largest);
            if opened.is_some() {
                self.connection = packet.target.to_vec();
            }
        }
        let Some(opened) = opened else { return false };
        let own = &mut self.sides[side];
        own.initials += 1;
        own.largest = Some(own.largest.map_or(opened.number, |known| known.max(opened.number)));
        own.frames(&opened.frames, time);
        true
    }
}

impl QuicSide {
    fn frames(&mut self, bytes: &[u8], time: i64) {
        let Self { half, closed, .. } = self;
        let read = frames::read(bytes, |frame| match frame {
            InitialFrame::Crypto(place, bytes) => {
                let Ok(place) = u32::try_from(place) else { return };
                let mut stream = std::mem::take(&mut half.stream);
                stream.push(place, bytes, 0, |span, _| {
                    half.bare(span, CaptureMoment { time, ..CaptureMoment::default() });
                });
                half.stream = stream;
            }
            InitialFrame::Close(error) => {
                closed.get_or_insert((error, time));
            }
        });
        half.shown.unread |= read.is_none();
    }
}

fn open(
    packet: &InitialPacket<'_>,
    connection: &[u8],
    side: usize,
    largest: Option<u64>,
) -> Option<OpenPacket> {
    let keys = InitialKeys::new(packet.version, connection)?;
    keys.open(side, packet.bytes, packet.number_at, largest)
}
