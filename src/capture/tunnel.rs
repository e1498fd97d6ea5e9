//! Tunnels: packets within packets.

use super::link::{Carried, carried, ip, kind, of_ether_type, ppp};
use crate::tls::codec::{ByteReader, DecodeError};

/// What a packet of GRE carries may be a frame of Ethernet.
const ETHERNET_IN_GRE: u16 = 0x6558;

/// Ports of UDP at which tunnels end.
mod port {
    pub(super) const VXLAN: [u16; 2] = [4789, 8472];
    pub(super) const VXLAN_GPE: u16 = 4790;
    pub(super) const GENEVE: u16 = 6081;
}

/// What a datagram to that port carries, if it is a tunnel's.
pub(super) fn in_udp(target: u16, payload: &[u8]) -> Option<Carried<'_>> {
    match target {
        _ if port::VXLAN.contains(&target) => vxlan(payload),
        port::VXLAN_GPE => vxlan_gpe(payload),
        port::GENEVE => geneve(payload),
        _ => None,
    }
}

/// RFC 7348.
fn vxlan(payload: &[u8]) -> Option<Carried<'_>> {
    match payload {
        [flags, _, _, _, _, _, _, _, frame @ ..] if flags & 8 != 0 => {
            Some(carried(kind::ETHERNET, frame))
        }
        _ => None,
    }
}

/// A draft that names what it carries.
fn vxlan_gpe(payload: &[u8]) -> Option<Carried<'_>> {
    match payload {
        [flags, _, _, next, _, _, _, _, frame @ ..] if flags & 8 != 0 => match next {
            1 | 2 => Some(ip(frame)),
            3 => Some(carried(kind::ETHERNET, frame)),
            _ => None,
        },
        _ => None,
    }
}

/// RFC 8926.
fn geneve(payload: &[u8]) -> Option<Carried<'_>> {
    let mut reader = ByteReader::new(payload);
    let [first, _, high, low, ..] = reader.array::<8>().ok()?;
    if first >> 6 != 0 {
        return None;
    }
    let _options = reader.take(usize::from(first & 0x3f) * 4).ok()?;
    Some(within(u16::from_be_bytes([high, low]), reader))
}

/// What a packet of GRE carries (RFC 2784, RFC 2890, and RFC 2637 for that of PPTP).
pub(super) fn gre(packet: &[u8]) -> Carried<'_> {
    read_gre(packet).unwrap_or(Carried::Cut)
}

fn read_gre(packet: &[u8]) -> Result<Carried<'_>, DecodeError> {
    const POINT_TO_POINT: u16 = 0x880b;
    let mut reader = ByteReader::new(packet);
    let (flags, carries) = (reader.u16()?, reader.u16()?);
    let is_set = |bit: u16| flags & bit != 0;
    // Routes of the old kind are not used any more.
    if is_set(0x4000) || flags & 7 > 1 {
        return Ok(Carried::Other);
    }
    let optional = [0x8000, 0x2000, 0x1000].into_iter().filter(|bit| is_set(*bit)).count();
    let _options = reader.take(4 * optional)?;
    if flags & 7 == 1 {
        let _acknowledged = reader.take(if is_set(0x80) { 4 } else { 0 })?;
        return Ok(if carries == POINT_TO_POINT { ppp(reader) } else { Carried::Other });
    }
    match carries {
        // What switches mirror; without numbers there is no header in between.
        0x88be if !is_set(0x1000) => Ok(carried(kind::ETHERNET, reader.rest())),
        0x88be => reader.take(8).map(|_| carried(kind::ETHERNET, reader.rest())),
        0x22eb => {
            let header = reader.array::<12>()?;
            let _more = reader.take(if header[11] & 1 == 0 { 0 } else { 8 })?;
            Ok(carried(kind::ETHERNET, reader.rest()))
        }
        _ => Ok(within(carries, reader)),
    }
}

fn within(carries: u16, reader: ByteReader<'_>) -> Carried<'_> {
    if carries == ETHERNET_IN_GRE {
        return carried(kind::ETHERNET, reader.rest());
    }
    of_ether_type(carries, reader).unwrap_or(Carried::Cut)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKET: &[u8] = &[0x45, 1, 2, 3];

    fn frame(header: &[u8]) -> Vec<u8> {
        [header, &[0; 12], &[8, 0], PACKET].concat()
    }

    #[test]
    fn what_tunnels_carry_is_found() {
        let packet = |header: &[u8]| [header, PACKET].concat();
        let inner = Carried::Ip(PACKET);
        assert_eq!(gre(&packet(&[0, 0, 8, 0])), inner);
        assert_eq!(gre(&packet(&[0xb0, 0, 8, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])), inner);
        assert_eq!(
            gre(&packet(&[0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x21])),
            inner
        );
        assert_eq!(gre(&frame(&[0x20, 0, 0x65, 0x58, 9, 9, 9, 9])), inner);
        assert_eq!(gre(&frame(&[0, 0, 0x88, 0xbe])), inner);
        assert_eq!(gre(&frame(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])), inner);
        assert_eq!(in_udp(4789, &frame(&[8, 0, 0, 0, 0, 0, 1, 0])), Some(inner));
        assert_eq!(in_udp(4790, &packet(&[12, 0, 0, 1, 0, 0, 1, 0])), Some(inner));
        assert_eq!(in_udp(6081, &frame(&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0])), Some(inner));
        assert_eq!(in_udp(443, &frame(&[8, 0, 0, 0, 0, 0, 1, 0])), None);
        assert_eq!(gre(&[0, 0, 8]), Carried::Cut);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..64), port in 0_usize..5) {
            let _ = in_udp([4789, 8472, 4790, 6081, 443][port], &bytes);
            let _ = gre(&bytes);
        }
    }
}
