//! Link layers: from a frame to the IP packet in it.

use crate::tls::codec::{ByteReader, DecodeError};

/// VLAN tags around one packet that are taken off.
const MAX_TAGS: usize = 8;

/// Labels of MPLS in front of one packet.
const MAX_LABELS: usize = 16;

/// Kinds of link by their registered numbers (LINKTYPE_*, and where they differ DLT_* as files have them).
pub(super) mod kind {
    pub(super) const NULL: u16 = 0;
    pub(in crate::capture) const ETHERNET: u16 = 1;
    pub(super) const PPP: [u16; 2] = [9, 50];
    pub(super) const PPP_ETHER: u16 = 51;
    pub(super) const RAW: [u16; 5] = [12, 14, 101, 228, 229];
    pub(super) const LOOP: u16 = 108;
    pub(super) const LINUX_SLL: u16 = 113;
    pub(super) const LINUX_SLL2: u16 = 276;
}

/// Numbers of what is in a frame (EtherType).
mod ether {
    pub(super) const IP: [u16; 2] = [0x0800, 0x86dd];
    pub(super) const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
    pub(super) const MPLS: [u16; 2] = [0x8847, 0x8848];
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried<'a> {
    /// An IP packet, with whatever fills the frame up behind it.
    Ip(&'a [u8]),
    /// Another protocol, such as ARP.
    Other,
    /// Too few bytes were kept.
    Cut,
    /// A kind of link that is not read here.
    UnknownLink,
}

/// What a frame of that kind of link holds.
pub fn carried(link: u16, frame: &[u8]) -> Carried<'_> {
    let mut reader = ByteReader::new(frame);
    let ether_type = match link {
        kind::ETHERNET => reader.take(12).and_then(|_| reader.u16()),
        kind::LINUX_SLL => reader.take(14).and_then(|_| reader.u16()),
        kind::LINUX_SLL2 => reader.u16().and_then(|kind| reader.take(18).map(|_| kind)),
        kind::NULL | kind::LOOP => return family(reader),
        kind::PPP_ETHER => return pppoe(reader).unwrap_or(Carried::Cut),
        _ if kind::PPP.contains(&link) => return ppp(reader),
        _ if kind::RAW.contains(&link) => return ip(frame),
        _ => return Carried::UnknownLink,
    };
    ether_type.and_then(|kind| of_ether_type(kind, reader)).unwrap_or(Carried::Cut)
}

/// What follows that EtherType; VLAN tags are taken off.
pub(super) fn of_ether_type(
    mut kind: u16,
    mut reader: ByteReader<'_>,
) -> Result<Carried<'_>, DecodeError> {
    for _ in 0..MAX_TAGS {
        if !ether::TAGS.contains(&kind) {
            break;
        }
        let _tag = reader.u16()?;
        kind = reader.u16()?;
    }
    match kind {
        ether::PPPOE_SESSION => pppoe(reader),
        _ if ether::MPLS.contains(&kind) => mpls(reader),
        _ if ether::IP.contains(&kind) => Ok(ip(reader.rest())),
        _ => Ok(Carried::Other),
    }
}

/// RFC 2516.
fn pppoe(mut reader: ByteReader<'_>) -> Result<Carried<'_>, DecodeError> {
    let [kind, code, ..] = reader.array::<6>()?;
    Ok(if (kind, code) == (0x11, 0) { ppp(reader) } else { Carried::Other })
}

/// RFC 3032: the last label says that it is the last, and not what follows.
fn mpls(mut reader: ByteReader<'_>) -> Result<Carried<'_>, DecodeError> {
    for _ in 0..MAX_LABELS {
        let [_, _, last, _] = reader.array()?;
        if last & 1 != 0 {
            return Ok(ip(reader.rest()));
        }
    }
    Ok(Carried::Other)
}

/// BSD loopback: the address family in the capturing host's byte order.
fn family(mut reader: ByteReader<'_>) -> Carried<'_> {
    let Ok([a, b, c, d]) = reader.array() else { return Carried::Cut };
    // AF_INET is 2 everywhere; AF_INET6 is 10, 24, 28 or 30.
    match (a, b, c, d) {
        (family, 0, 0, 0) | (0, 0, 0, family) if matches!(family, 2 | 10 | 24 | 28 | 30) => {
            ip(reader.rest())
        }
        _ => Carried::Other,
    }
}

pub(super) fn ppp(mut reader: ByteReader<'_>) -> Carried<'_> {
    if reader.rest().starts_with(&[0xff, 0x03]) && reader.take(2).is_err() {
        return Carried::Cut;
    }
    // A number that needs no second byte may be sent as one.
    if let [number @ (0x21 | 0x57), packet @ ..] = reader.rest() {
        let version = if *number == 0x21 { 4 } else { 6 };
        if packet.first().is_some_and(|first| first >> 4 == version) {
            return ip(packet);
        }
    }
    match reader.u16() {
        Ok(0x0021 | 0x0057) => ip(reader.rest()),
        Ok(_) => Carried::Other,
        Err(_) => Carried::Cut,
    }
}

pub(super) fn ip(bytes: &[u8]) -> Carried<'_> {
    match bytes.first().map(|first| first >> 4) {
        Some(4 | 6) => Carried::Ip(bytes),
        Some(_) => Carried::Other,
        None => Carried::Cut,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKET: &[u8] = &[0x45, 1, 2, 3];

    #[track_caller]
    fn check(link: u16, header: &[u8]) {
        let frame = [header, PACKET].concat();
        assert_eq!(carried(link, &frame), Carried::Ip(PACKET), "{link}");
        for end in 0..header.len() {
            assert!(!matches!(carried(link, &frame[..end]), Carried::Ip(_)), "{link} {end}");
        }
    }

    #[test]
    fn each_link_layer_is_taken_off() {
        let ethernet = [[0; 12].as_slice(), &[8, 0]].concat();
        check(1, &ethernet);
        check(1, &[[0; 12].as_slice(), &[0x81, 0, 0, 5, 8, 0]].concat());
        check(1, &[[0; 12].as_slice(), &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd]].concat());
        check(113, &[[0; 14].as_slice(), &[8, 0]].concat());
        check(276, &[[8, 0].as_slice(), &[0; 18]].concat());
        check(101, &[]);
        check(0, &[2, 0, 0, 0]);
        check(108, &[0, 0, 0, 2]);
        check(9, &[0xff, 3, 0, 0x21]);
        check(50, &[0, 0x21]);
        check(9, &[0x21]);
        check(51, &[0x11, 0, 0, 1, 0, 6, 0, 0x21]);
        check(1, &[[0; 12].as_slice(), &[0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0, 0x21]].concat());
        check(1, &[[0; 12].as_slice(), &[0x88, 0x47, 0, 0, 0, 9, 0, 0, 1, 9]].concat());
        assert_eq!(carried(147, PACKET), Carried::UnknownLink);
        assert_eq!(carried(1, &[[0; 12].as_slice(), &[8, 6, 0, 0]].concat()), Carried::Other);
    }

    proptest! {
        #[test]
        fn no_frame_breaks_it(link in 0_u16..300, frame in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = carried(link, &frame);
        }
    }
}
