//! Headers of QUIC packets (RFC 9000 section 17, RFC 9369 section 3).

use crate::tls::codec::ByteReader;

/// The longest connection id of versions 1 and 2.
const MAX_CONNECTION_ID: usize = 20;

/// A version of QUIC whose packets are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuicVersion {
    /// RFC 9000.
    V1,
    /// RFC 9369.
    V2,
}

impl QuicVersion {
    fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            0x6b33_43cf => Some(Self::V2),
            _ => None,
        }
    }
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuicPacket<'a> {
    /// One that begins a connection.
    Initial(InitialPacket<'a>),
    /// One of the handshake, with keys that no one else knows.
    Handshake,
    /// Early data.
    EarlyData,
    /// The server asks the client to begin again, with a token.
    Retry,
    /// The server does not speak the client's version.
    VersionNegotiation,
    /// One of a version that is not read here.
    UnknownVersion,
    /// One after the handshake.
    Short,
}

/// An Initial packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialPacket<'a> {
    /// Its version.
    pub(super) version: QuicVersion,
    /// The connection id to which it goes.
    pub(super) target: &'a [u8],
    /// The whole packet.
    pub(super) bytes: &'a [u8],
    /// Where its number begins.
    pub(super) number_at: usize,
}

/// Splits the first packet off a datagram; `None` where it is none.
pub(super) fn split<'a>(datagram: &mut &'a [u8]) -> Option<QuicPacket<'a>> {
    let whole = *datagram;
    let mut reader = ByteReader::new(whole);
    let first = reader.u8().ok()?;
    if first & 0x80 == 0 {
        *datagram = &[];
        return (first & 0x40 != 0).then_some(QuicPacket::Short);
    }
    let version = u32::from_be_bytes(reader.array().ok()?);
    let target = connection_id(&mut reader)?;
    let _source = connection_id(&mut reader)?;
    let Some(version) = QuicVersion::of(version) else {
        *datagram = &[];
        return Some(if version == 0 {
            QuicPacket::VersionNegotiation
        } else {
            QuicPacket::UnknownVersion
        });
    };
    if first & 0x40 == 0 {
        return None;
    }
    let kind = first >> 4 & 3;
    // Version 2 numbers them otherwise.
    let kind = if version == QuicVersion::V2 { kind.wrapping_sub(1) & 3 } else { kind };
    if kind == 3 {
        *datagram = &[];
        return Some(QuicPacket::Retry);
    }
    if kind == 0 {
        let token = variable(&mut reader)?;
        let _token = reader.take(usize::try_from(token).ok()?).ok()?;
    }
    let length = usize::try_from(variable(&mut reader)?).ok()?;
    let number_at = whole.len() - reader.rest().len();
    let _body = reader.take(length).ok()?;
    let (bytes, rest) = whole.split_at(number_at + length);
    *datagram = rest;
    Some(match kind {
        0 => QuicPacket::Initial(InitialPacket { version, target, bytes, number_at }),
        1 => QuicPacket::EarlyData,
        _ => QuicPacket::Handshake,
    })
}

fn connection_id<'a>(reader: &mut ByteReader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(reader.u8().ok()?);
    if length > MAX_CONNECTION_ID {
        return None;
    }
    reader.take(length).ok()
}

/// A number of one, two, four or eight bytes (RFC 9000 section 16).
pub(super) fn variable(reader: &mut ByteReader<'_>) -> Option<u64> {
    let first = reader.u8().ok()?;
    let rest = reader.take((1 << (first >> 6)) - 1).ok()?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variable_numbers_are_read() {
        let read = |bytes: &[u8]| variable(&mut ByteReader::new(bytes));
        // RFC 9000 appendix A.1.
        assert_eq!(
            read(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            Some(151_288_809_941_952_652)
        );
        assert_eq!(read(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(read(&[0x7b, 0xbd]), Some(15293));
        assert_eq!(read(&[0x25]), Some(37));
        assert!(read(&[0x40]).is_none());
    }

    proptest! {
        #[test]
        fn no_datagram_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..80), version in 0_usize..3) {
            let start: [&[u8]; 3] = [&[], &[0xc0, 0, 0, 0, 1], &[0xd0, 0x6b, 0x33, 0x43, 0xcf]];
            let whole = [start[version], &bytes].concat();
            let mut datagram = whole.as_slice();
            while !datagram.is_empty() {
                let before = datagram.len();
                if split(&mut datagram).is_none() {
                    break;
                }
                prop_assert!(datagram.len() < before);
            }
        }
    }
}
