//! Keys out of secrets, as TLS 1.3 and QUIC derive them.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{KeyType, Prk};

/// How many bytes of key material are wanted.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
pub(super) fn expand<const LENGTH: usize>(
    secret: &Prk,
    label: &[u8],
) -> Result<[u8; LENGTH], Unspecified> {
    let length = u16::try_from(LENGTH).map_err(|_| Unspecified)?.to_be_bytes();
    let label_length = u8::try_from(label.len() + 6).map_err(|_| Unspecified)?;
    let info: [&[u8]; 5] = [&length, &[label_length], b"tls13 ", label, &[0]];
    let mut out = [0; LENGTH];
    secret.expand(&info, Bytes(LENGTH))?.fill(&mut out)?;
    Ok(out)
}
