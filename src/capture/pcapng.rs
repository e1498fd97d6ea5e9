//! Connections as a small pcapng file: packets of raw IP, each with the headers that its contents need.

use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;

use super::failing::FailingConnection;
use super::kept::KeptPacket;

/// The kind of link of packets without a header of a link.
const RAW_IP: u16 = 101;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// Options: the end of them, a comment, the program, the resolution of times.
const END: u16 = 0;
const COMMENT: u16 = 1;
const PROGRAM: u16 = 4;
const RESOLUTION: u16 = 9;

/// The largest packet of IP, in bytes.
const MAX_PACKET: usize = 65_535;

/// The file; each connection's first packet has a comment that says why the handshake failed.
pub fn file(
    connections: &[FailingConnection],
    rename: impl Fn(SocketAddr) -> SocketAddr,
) -> Vec<u8> {
    let program = concat!("shakedown ", env!("CARGO_PKG_VERSION"));
    // The byte order, version 1.0, and no length, as it is not known in advance.
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut out = block(SECTION, &[section, options(&[(PROGRAM, program.as_bytes())])].concat());
    let interface = [&RAW_IP.to_le_bytes()[..], &[0, 0], &[0; 4]].concat();
    // Nanoseconds.
    out.extend(block(INTERFACE, &[interface, options(&[(RESOLUTION, &[9])])].concat()));
    let mut all: Vec<(i64, usize, usize)> = Vec::new();
    for (place, connection) in connections.iter().enumerate() {
        all.extend(
            connection.packets.iter().enumerate().map(|(at, packet)| (packet.time, place, at)),
        );
    }
    all.sort_unstable();
    for (_, place, at) in all {
        let Some(connection) = connections.get(place) else { continue };
        let Some(packet) = connection.packets.get(at) else { continue };
        let ends = [connection.client, connection.server].map(&rename);
        let comment = (at == 0).then_some(connection.why.as_str());
        out.extend(frame(packet, ends, comment).unwrap_or_default());
    }
    out
}

/// The block of a packet; `None` where no packet of IP can be that large.
fn frame(packet: &KeptPacket, ends: [SocketAddr; 2], comment: Option<&str>) -> Option<Vec<u8>> {
    let whole = packet.payload.len().checked_add(packet.cut)?;
    if whole + 60 > MAX_PACKET {
        return None;
    }
    let mut payload = packet.payload.to_vec();
    payload.resize(whole, 0);
    let mut bytes = ip_packet(packet, ends, &payload)?;
    let length = bytes.len();
    bytes.truncate(length - packet.cut);
    let [kept, length] =
        [bytes.len(), length].map(|it| u32::try_from(it).unwrap_or(u32::MAX).to_le_bytes());
    let time = packet.time.max(0).unsigned_abs().to_le_bytes();
    let (low, high) = time.split_at(4);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let comment = comment.map(|text| options(&[(COMMENT, text.as_bytes())])).unwrap_or_default();
    Some(block(PACKET, &[&[0; 4][..], high, low, &kept, &length, &bytes, &comment].concat()))
}

fn ip_packet(packet: &KeptPacket, ends: [SocketAddr; 2], payload: &[u8]) -> Option<Vec<u8>> {
    let [client, server] = ends;
    let (from, to) = if packet.side == 0 { (client, server) } else { (server, client) };
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => return None,
    };
    let mut tcp = ip.tcp(from.port(), to.port(), packet.sequence, u16::MAX);
    if let Some(acknowledged) = packet.acknowledged {
        tcp = tcp.ack(acknowledged);
    }
    if packet.syn {
        tcp = tcp.syn();
    }
    if packet.fin {
        tcp = tcp.fin();
    }
    if packet.rst {
        tcp = tcp.rst();
    }
    let mut bytes = Vec::with_capacity(tcp.size(payload.len()));
    tcp.write(&mut bytes, payload).ok()?;
    Some(bytes)
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

fn options(all: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (code, body) in all.iter().chain(&[(END, &[][..])]) {
        out.extend(code.to_le_bytes());
        out.extend(u16::try_from(body.len()).unwrap_or(0).to_le_bytes());
        out.extend(*body);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}
