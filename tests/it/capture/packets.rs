//! Packets and capture files, written by code.

use super::recorder::{Event, Happened};

/// Bytes of data in one packet.
const SEGMENT: usize = 1400;

/// When the captures begin, in seconds since 1970.
const BEGIN: u64 = 1_800_000_000;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// One packet of TCP.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Which connection it belongs to; it tells the client's port.
    pub(super) connection: u16,
    pub(super) by_client: bool,
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
    pub(super) payload: Vec<u8>,
    /// Microseconds since the capture's beginning.
    pub(super) time: u64,
}

/// The packets of one connection, opened before and acknowledged behind what happened.
pub(super) fn packets(connection: u16, happened: &[Happened]) -> Vec<Packet> {
    let start = happened.first().map_or(0, |it| it.time).saturating_sub(100);
    // Numbers that pass zero on the way, as they may.
    let mut next = [u32::MAX - 100, 4_000_000_000];
    let mut out = Vec::new();
    let mut packet = |next: &[u32; 2], side: usize, flags: u8, payload: &[u8], time: u64| {
        out.push(Packet {
            connection,
            by_client: side == 0,
            sequence: next[side],
            acknowledged: if flags & ACK == 0 { 0 } else { next[1 - side] },
            flags,
            payload: payload.to_vec(),
            time,
        });
    };
    packet(&next, 0, SYN, &[], start);
    next[0] = next[0].wrapping_add(1);
    packet(&next, 1, SYN | ACK, &[], start + 10);
    next[1] = next[1].wrapping_add(1);
    packet(&next, 0, ACK, &[], start + 20);
    for it in happened {
        let side = usize::from(!it.by_client);
        let time = it.time.max(start + 30);
        match &it.event {
            Event::Data(bytes) => {
                for part in bytes.chunks(SEGMENT) {
                    packet(&next, side, ACK, part, time);
                    next[side] = next[side].wrapping_add(u32::try_from(part.len()).unwrap());
                }
                packet(&next, 1 - side, ACK, &[], time + 1);
            }
            Event::Fin => {
                packet(&next, side, FIN | ACK, &[], time);
                next[side] = next[side].wrapping_add(1);
            }
            Event::Reset => packet(&next, side, RST | ACK, &[], time),
        }
    }
    out
}

/// The packets of several connections by time.
pub(super) fn all_packets(connections: &[Vec<Happened>]) -> Vec<Packet> {
    let numbered = (0..).zip(connections);
    let mut all: Vec<Packet> =
        numbered.flat_map(|(number, happened)| packets(number, happened)).collect();
    all.sort_by_key(|packet| packet.time);
    all
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Sll,
    Sll2,
    Raw,
    Loopback,
    Pppoe,
    Mpls,
    Gre,
    GreEthernet,
    Mirrored,
    Vxlan,
    Geneve,
    IpInIp,
}

impl Link {
    pub(super) const ALL: [Self; 15] = [
        Self::Ethernet,
        Self::Vlan,
        Self::QinQ,
        Self::Sll,
        Self::Sll2,
        Self::Raw,
        Self::Loopback,
        Self::Pppoe,
        Self::Mpls,
        Self::Gre,
        Self::GreEthernet,
        Self::Mirrored,
        Self::Vxlan,
        Self::Geneve,
        Self::IpInIp,
    ];

    pub(super) fn number(self) -> u32 {
        match self {
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Raw => 101,
            Self::Loopback => 0,
            _ => 1,
        }
    }

    /// What is before a packet of that many bytes.
    fn header(self, v6: bool, length: usize) -> Vec<u8> {
        let kind: [u8; 2] = if v6 { [0x86, 0xdd] } else { [8, 0] };
        let ends = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        match self {
            Self::Ethernet => [&ends, kind.as_slice()].concat(),
            Self::Vlan => [&ends, [0x81, 0, 0, 7].as_slice(), &kind].concat(),
            Self::QinQ => [&ends, [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9].as_slice(), &kind].concat(),
            Self::Sll => [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], kind.as_slice()].concat(),
            Self::Sll2 => {
                [&kind, [0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0].as_slice()].concat()
            }
            Self::Raw => Vec::new(),
            Self::Loopback => vec![if v6 { 30 } else { 2 }, 0, 0, 0],
            Self::Pppoe => {
                let size = u16::try_from(length + 2).unwrap().to_be_bytes();
                let ppp: [u8; 2] = if v6 { [0, 0x57] } else { [0, 0x21] };
                [&ends, [0x88, 0x64, 0x11, 0, 0, 1].as_slice(), &size, &ppp].concat()
            }
            Self::Mpls => [&ends, [0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64].as_slice()].concat(),
            Self::Gre => tunnel(47, &[[0x20, 0].as_slice(), &kind, &[0, 0, 0, 9]].concat(), length),
            Self::GreEthernet => {
                tunnel(47, &[[0, 0, 0x65, 0x58].as_slice(), &ends, &kind].concat(), length)
            }
            Self::Mirrored => {
                let head = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 0, 0, 0, 0, 0];
                tunnel(47, &[head.as_slice(), &ends, &kind].concat(), length)
            }
            Self::Vxlan => {
                let inner = [&[8, 0, 0, 0, 0, 0, 1, 0], ends.as_slice(), &kind].concat();
                in_udp(4789, &inner, length)
            }
            Self::Geneve => {
                let head = [1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 0];
                in_udp(6081, &[head.as_slice(), &ends, &kind].concat(), length)
            }
            Self::IpInIp => tunnel(if v6 { 41 } else { 4 }, &[], length),
        }
    }
}

/// A frame of Ethernet with IPv4 in front of that many bytes of a tunnel.
fn tunnel(protocol: u8, head: &[u8], length: usize) -> Vec<u8> {
    let size = u16::try_from(20 + head.len() + length).unwrap().to_be_bytes();
    let mut bytes = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0].to_vec();
    bytes.extend(size);
    bytes.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2]);
    bytes.extend(head);
    bytes
}

fn in_udp(port: u16, head: &[u8], length: usize) -> Vec<u8> {
    let size = u16::try_from(8 + head.len() + length).unwrap().to_be_bytes();
    let udp = [[0xc0, 0].as_slice(), &port.to_be_bytes(), &size, &[0, 0], head].concat();
    tunnel(17, &udp, length)
}

/// A frame: its time in microseconds, its bytes, and how long it was.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) time: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) length: usize,
}

impl Frame {
    pub(super) fn new(time: u64, bytes: Vec<u8>) -> Self {
        Self { time, length: bytes.len(), bytes }
    }

    /// What is left of it where frames are cut.
    pub(super) fn cut(mut self, most: usize) -> Self {
        self.bytes.truncate(most);
        self
    }
}

/// The TCP segment in a packet.
fn segment(packet: &Packet) -> Vec<u8> {
    let (client, server) = (40_000 + packet.connection, 443_u16);
    let (from, to) = if packet.by_client { (client, server) } else { (server, client) };
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
    bytes.extend(packet.sequence.to_be_bytes());
    bytes.extend(packet.acknowledged.to_be_bytes());
    bytes.extend([5 << 4, packet.flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(&packet.payload);
    bytes
}

fn ends(packet: &Packet, v6: bool) -> [Vec<u8>; 2] {
    let address = |last: u8| {
        if v6 {
            [&[0x20, 1, 0x0d, 0xb8], [0; 11].as_slice(), &[last]].concat()
        } else {
            vec![192, 0, 2, last]
        }
    };
    let both = [address(7), address(1)];
    let [client, server] = both;
    if packet.by_client { [client, server] } else { [server, client] }
}

fn ipv4(packet: &Packet, identification: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let [from, to] = ends(packet, false);
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend(identification.to_be_bytes());
    bytes.extend(flags.to_be_bytes());
    bytes.extend([64, 6, 0, 0]);
    [bytes, from, to, payload.to_vec()].concat()
}

fn ipv6(packet: &Packet, next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let [from, to] = ends(packet, true);
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([next, 64]);
    [bytes, from, to, payload.to_vec()].concat()
}

/// Each packet as a frame.
pub(super) fn frames(packets: &[Packet], link: Link, v6: bool) -> Vec<Frame> {
    let frame = |packet: &Packet| {
        let segment = segment(packet);
        let ip = if v6 { ipv6(packet, 6, &segment) } else { ipv4(packet, 0, 0x4000, &segment) };
        let mut bytes = [link.header(v6, ip.len()), ip].concat();
        if link == Link::Ethernet {
            // Short frames are filled up.
            bytes.resize(bytes.len().max(60), 0);
        }
        Frame::new(packet.time, bytes)
    };
    packets.iter().map(frame).collect()
}

/// Each packet in fragments, the last one first.
pub(super) fn fragmented(packets: &[Packet], v6: bool) -> Vec<Frame> {
    let mut out = Vec::new();
    for (number, packet) in (0_u16..).zip(packets) {
        let segment = segment(packet);
        let parts: Vec<&[u8]> = segment.chunks(64).collect();
        let mut frames = Vec::new();
        for (place, part) in (0_u16..).zip(&parts) {
            let more = usize::from(place) + 1 < parts.len();
            let ip = if v6 {
                let mut header = vec![6, 0];
                header.extend(((place * 8) << 3 | u16::from(more)).to_be_bytes());
                header.extend(u32::from(number).to_be_bytes());
                ipv6(packet, 44, &[header, part.to_vec()].concat())
            } else {
                let flags = (place * 8) | if more { 0x2000 } else { 0 };
                ipv4(packet, number, flags, part)
            };
            frames
                .push(Frame::new(packet.time, [Link::Ethernet.header(v6, ip.len()), ip].concat()));
        }
        frames.reverse();
        out.extend(frames);
    }
    out
}

/// The kinds of pcap files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    pub(super) big_endian: bool,
    pub(super) nanoseconds: bool,
}

/// A pcap file.
pub(super) fn pcap(frames: &[Frame], link: Link, kind: Pcap) -> Vec<u8> {
    pcap_from(BEGIN, frames, link, kind)
}

/// One of the usual kind that began then, in seconds since 1970.
pub(super) fn plain_pcap_from(began: u64, frames: &[Frame], link: Link) -> Vec<u8> {
    pcap_from(began, frames, link, Pcap { big_endian: false, nanoseconds: false })
}

fn pcap_from(began: u64, frames: &[Frame], link: Link, kind: Pcap) -> Vec<u8> {
    let u32 = |number: u32| {
        if kind.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let u16 = |number: u16| {
        if kind.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let magic = if kind.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = u32(magic).to_vec();
    out.extend([u16(2), u16(4)].concat());
    out.extend([u32(0), u32(0), u32(262_144), u32(link.number())].concat());
    for frame in frames {
        let seconds = u32::try_from(began + frame.time / 1_000_000).unwrap();
        let scale = if kind.nanoseconds { 1000 } else { 1 };
        let fraction = u32::try_from(frame.time % 1_000_000 * scale).unwrap();
        let lengths = [frame.bytes.len(), frame.length].map(|it| u32(it.try_into().unwrap()));
        out.extend([u32(seconds), u32(fraction), lengths[0], lengths[1]].concat());
        out.extend(&frame.bytes);
    }
    out
}

/// The usual kind.
pub(super) fn plain_pcap(frames: &[Frame], link: Link) -> Vec<u8> {
    pcap(frames, link, Pcap { big_endian: false, nanoseconds: false })
}

/// A pcapng file with nanoseconds and a name for its interface, in either byte order.
pub(super) fn pcapng(frames: &[Frame], link: Link, big_endian: bool) -> Vec<u8> {
    let u32 = |number: u32| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let u16 = |number: u16| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32(u32::try_from(body.len() + 12).unwrap());
        [u32(kind).as_slice(), &length, &body, &length].concat()
    };
    let section = [u32(0x1a2b_3c4d).as_slice(), &u16(1), &u16(0), &[0xff; 8]].concat();
    let link = u16(u16::try_from(link.number()).unwrap());
    let option = |code: u16, body: &[u8]| {
        let mut padded = body.to_vec();
        padded.resize(body.len().next_multiple_of(4), 0);
        [u16(code).as_slice(), &u16(u16::try_from(body.len()).unwrap()), &padded].concat()
    };
    let options = [option(2, b"lo"), option(9, &[9]), option(0, &[])].concat();
    let interface = [link.as_slice(), &u16(0), &u32(0), &options].concat();
    let mut out = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for frame in frames {
        let time = (BEGIN * 1_000_000 + frame.time) * 1000;
        let (high, low) =
            (u32::try_from(time >> 32).unwrap(), u32::try_from(time & 0xffff_ffff).unwrap());
        let lengths = [frame.bytes.len(), frame.length].map(|it| u32(it.try_into().unwrap()));
        let head = [u32(0), u32(high), u32(low), lengths[0], lengths[1]].concat();
        out.extend(block(6, &[head, frame.bytes.clone()].concat()));
    }
    out
}
