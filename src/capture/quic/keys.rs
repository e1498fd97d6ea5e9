//! The keys of Initial packets, which follow from what the client's first packet says in the clear (RFC 9001 section 5.2, RFC 9369).

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};

use super::header::QuicVersion;
use crate::capture::expansion::expand;

const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];

/// Where in a packet the sample of its protection begins, behind the beginning of its number.
const SAMPLE_AT: usize = 4;
const SAMPLE: usize = 16;

/// What protects the Initial packets of one side.
struct SideKeys {
    key: LessSafeKey,
    iv: [u8; 12],
    header: HeaderProtectionKey,
}

/// What protects the Initial packets of both sides.
pub(super) struct InitialKeys {
    sides: [SideKeys; 2],
}

/// A packet without its protection.
#[derive(Debug)]
pub(super) struct OpenPacket {
    /// Its number.
    pub(super) number: u64,
    /// Its frames.
    pub(super) frames: Vec<u8>,
}

impl InitialKeys {
    /// The keys that follow from the connection id to which the client's first packet goes.
    pub(super) fn new(version: QuicVersion, connection: &[u8]) -> Option<Self> {
        let salt = if version == QuicVersion::V1 { &SALT_V1 } else { &SALT_V2 };
        let secret = Salt::new(HKDF_SHA256, salt).extract(connection);
        let side = |label: &[u8]| {
            let secret = expand::<32>(&secret, label)?;
            SideKeys::new(version, &Prk::new_less_safe(HKDF_SHA256, &secret))
        };
        Some(Self { sides: [side(b"client in").ok()?, side(b"server in").ok()?] })
    }

    /// Takes the protection off a packet of the client (0) or the server (1), whose number begins at that place; `largest` is the
    /// largest number that its sender has used.
    pub(super) fn open(
        &self,
        side: usize,
        packet: &[u8],
        number_at: usize,
        largest: Option<u64>,
    ) -> Option<OpenPacket> {
        self.sides.get(side)?.open(packet, number_at, largest)
    }
}

impl SideKeys {
    fn new(version: QuicVersion, secret: &Prk) -> Result<Self, Unspecified> {
        let [key, iv, header]: [&[u8]; 3] = if version == QuicVersion::V1 {
            [b"quic key", b"quic iv", b"quic hp"]
        } else {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        };
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &expand::<16>(secret, key)?)?),
            iv: expand(secret, iv)?,
            header: HeaderProtectionKey::new(&AES_128, &expand::<16>(secret, header)?)?,
        })
    }

    fn open(&self, packet: &[u8], number_at: usize, largest: Option<u64>) -> Option<OpenPacket> {
        let sample = packet.get(number_at + SAMPLE_AT..)?.get(..SAMPLE)?;
        let mask = self.header.new_mask(sample).ok()?;
        let first = packet.first()? ^ (mask[0] & 0x0f);
        let length = usize::from(first & 3) + 1;
        let body_at = number_at + length;
        let mut header = packet.get(..body_at)?.to_vec();
        *header.first_mut()? = first;
        let mut short = 0;
        for (byte, mask) in header.get_mut(number_at..)?.iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
            short = short << 8 | u64::from(*byte);
        }
        let number = whole_number(short, length, largest);
        let mut nonce = self.iv;
        for (byte, part) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= part;
        }
        let mut frames = packet.get(body_at..)?.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.key.open_in_place(nonce, Aad::from(&header), &mut frames).ok()?.len();
        frames.truncate(length);
        Some(OpenPacket { number, frames })
    }
}

/// A packet's number, of which its last bytes are given (RFC 9000 appendix A.3).
fn whole_number(short: u64, length: usize, largest: Option<u64>) -> u64 {
    let expected = largest.map_or(0, |largest| largest.saturating_add(1));
    let window = 1_u64 << (8 * length.min(4));
    let candidate = (expected & !(window - 1)) | short;
    if candidate.saturating_add(window / 2) <= expected {
        candidate.saturating_add(window)
    } else if candidate > expected.saturating_add(window / 2) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).unwrap().try_into().unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn numbers_are_completed() {
        assert_eq!(whole_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(whole_number(2, 1, None), 2);
        assert_eq!(whole_number(0, 1, Some(255)), 256);
        assert_eq!(whole_number(0xff, 1, Some(256)), 255);
    }

    #[test]
    fn the_samples_of_the_specifications_are_opened() {
        // RFC 9001 appendix A.3 and RFC 9369 appendix A.3: the server's Initial packet.
        let connection = unhex("8394c8f03e515708");
        let v1 = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";
        let v2 = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140";
        for (version, packet) in [(QuicVersion::V1, v1), (QuicVersion::V2, v2)] {
            let keys = InitialKeys::new(version, &connection).unwrap();
            let packet = unhex(packet);
            let opened = keys.open(1, &packet, 18, None).unwrap();
            assert_eq!(opened.number, 1);
            assert_eq!(opened.frames[..9], [2, 0, 0, 0, 0, 6, 0, 0x40, 0x5a]);
            assert!(keys.open(0, &packet, 18, None).is_none());
        }
    }
}
