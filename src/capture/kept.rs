//! What is kept of connections beside what they tell: hellos as they came, and the packets of handshakes that fail.

use super::packet::TcpSegment;

/// Packets that are kept of one connection.
const MAX_PACKETS: usize = 400;

/// Bytes of data that are kept of one connection.
const MAX_BYTES: usize = 256 * 1024;

/// What is to be kept.
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether it is kept")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// The first hello of each connection as it came.
    pub hellos: bool,
    /// Packets, until a handshake has succeeded.
    pub packets: bool,
    /// When clients asked for something, and when they were answered.
    pub turns: bool,
    /// What leads to the keys of a key log.
    pub randoms: bool,
}

/// A packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPacket {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Who sent it: the sender of the connection's first packet, or the other.
    pub side: usize,
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Number of the next byte that is expected from the peer.
    pub acknowledged: Option<u32>,
    /// It opens the connection.
    pub syn: bool,
    /// The sender has no more to send.
    pub fin: bool,
    /// The connection is broken off.
    pub rst: bool,
    /// What was captured of the data.
    pub payload: Box<[u8]>,
    /// Bytes of the data that were not captured.
    pub cut: usize,
}

/// The packets of a connection so far.
#[derive(Clone, Debug, Default)]
pub struct KeptPackets {
    packets: Vec<KeptPacket>,
    bytes: usize,
    incomplete: bool,
}

impl KeptPackets {
    /// Takes a packet of one side.
    pub fn add(&mut self, side: usize, segment: &TcpSegment<'_>) {
        let bytes = self.bytes + segment.payload.len();
        if self.incomplete || self.packets.len() >= MAX_PACKETS || bytes > MAX_BYTES {
            self.give_up();
            return;
        }
        self.bytes = bytes;
        self.packets.push(KeptPacket {
            time: segment.time,
            side,
            sequence: segment.sequence,
            acknowledged: segment.acknowledged,
            syn: segment.syn,
            fin: segment.fin,
            rst: segment.rst,
            payload: segment.payload.into(),
            cut: segment.cut,
        });
    }

    /// Lets go of all of them: some would not tell the same as all.
    pub fn give_up(&mut self) {
        *self = Self { incomplete: true, ..Self::default() };
    }

    /// The same, with the packets of this side as those of side 0.
    #[must_use]
    pub fn seen_from(&self, side: usize) -> Self {
        let mut seen = self.clone();
        for packet in &mut seen.packets {
            packet.side = usize::from(packet.side != side);
        }
        seen
    }

    /// How much memory they take, nearly.
    pub fn size(&self) -> usize {
        self.bytes + self.packets.len() * size_of::<KeptPacket>()
    }

    /// All of them; `None` where there were too many.
    pub fn all(&self) -> Option<&[KeptPacket]> {
        (!self.incomplete).then_some(&self.packets)
    }
}
