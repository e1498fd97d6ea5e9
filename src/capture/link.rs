//! Link layers: from a frame to the IP packet in it.

use crate::tls::codec::{ByteReader, DecodeError};

/// VLAN tags around one packet that are taken off.
const MAX_TAGS: usize = 8;

/// Kinds of link by their registered numbers (LINKTYPE_*, and where they differ DLT_* as files have them).
mod kind {
    pub(super) const NULL: u16 = 0;
    pub(super) const ETHERNET: u16 = 1;
    pub(super) const PPP: u16 = 9;
    pub(super) const RAW: [u16; 5] = [12, 14, 101, 228, 229];
    pub(super) const LOOP: u16 = 108;
    pub(super) const LINUX_SLL: u16 = 113;
    pub(super) const LINUX_SLL2: u16 = 276;
}

/// Numbers of what is in a frame (EtherType).
mod ether {
    pub(super) const IP: [u16; 2] = [0x0800, 0x86dd];
    pub(super) const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
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
        kind::PPP => return ppp(reader),
        _ if kind::RAW.contains(&link) => return ip(frame),
        _ => return Carried::UnknownLink,
    };
    ether_type.and_then(|kind| untagged(kind, reader)).unwrap_or(Carried::Cut)
}

/// Takes VLAN tags off.
fn untagged(mut kind: u16, mut reader: ByteReader<'_>) -> Result<Carried<'_>, DecodeError> {
    for _ in 0..MAX_TAGS {
        if !ether::TAGS.contains(&kind) {
            break;
        }
        let _tag = reader.u16()?;
        kind = reader.u16()?;
    }
    Ok(if ether::IP.contains(&kind) { ip(reader.rest()) } else { Carried::Other })
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

fn ppp(mut reader: ByteReader<'_>) -> Carried<'_> {
    if reader.rest().starts_with(&[0xff, 0x03]) && reader.take(2).is_err() {
        return Carried::Cut;
    }
    match reader.u16() {
        Ok(0x0021 | 0x0057) => ip(reader.rest()),
        Ok(_) => Carried::Other,
        Err(_) => Carried::Cut,
    }
}

fn ip(bytes: &[u8]) -> Carried<'_> {
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
