//! What opens the records that one side protects: AES-GCM and ChaCha20-Poly1305, in TLS 1.2 (RFC 5288, RFC 7905) and in TLS 1.3.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA384, Prk};
use aws_lc_rs::hmac;

use crate::capture::expansion::expand;
use crate::capture::record_layer::SeenRecord;
use crate::tls::record::ContentType;
use crate::tls::suite::CipherSuite;

/// Bytes of a tag.
const TAG: usize = 16;

/// Bytes of a nonce.
const NONCE: usize = 12;

/// The part of a nonce that TLS 1.2 sends with each record of AES-GCM, in bytes.
const EXPLICIT: usize = 8;

/// A suite's encryption and hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct SuiteParts {
    aead: &'static Algorithm,
    is_sha384: bool,
    /// Whether TLS 1.2 sends a part of the nonce with each record.
    has_explicit_nonce: bool,
}

impl SuiteParts {
    /// Those of a suite that can be opened.
    pub(super) fn of(suite: CipherSuite) -> Option<Self> {
        let name = suite.name()?;
        let is_sha384 = name.ends_with("_SHA384");
        let (aead, has_explicit_nonce) = if name.contains("_AES_128_GCM_") {
            (&AES_128_GCM, true)
        } else if name.contains("_AES_256_GCM_") {
            (&AES_256_GCM, true)
        } else if name.contains("_CHACHA20_POLY1305_") {
            (&CHACHA20_POLY1305, false)
        } else {
            return None;
        };
        Some(Self { aead, is_sha384, has_explicit_nonce })
    }

    fn prk(self, secret: &[u8]) -> Prk {
        Prk::new_less_safe(if self.is_sha384 { HKDF_SHA384 } else { HKDF_SHA256 }, secret)
    }

    /// The secret that follows an update of keys (RFC 8446 section 7.2).
    pub(super) fn updated(self, secret: &[u8]) -> Option<Box<[u8]>> {
        const LABEL: &[u8] = b"traffic upd";
        let prk = self.prk(secret);
        if self.is_sha384 {
            expand::<48>(&prk, LABEL).ok().map(|secret| secret.as_slice().into())
        } else {
            expand::<32>(&prk, LABEL).ok().map(|secret| secret.as_slice().into())
        }
    }
}

/// How nonce and additional data are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SealForm {
    Tls13,
    /// The nonce's end is sent with the record.
    Explicit,
    /// The nonce follows from the record's number.
    Implicit,
}

/// The keys of one side.
pub(super) struct RecordKeys {
    key: LessSafeKey,
    iv: [u8; NONCE],
    form: SealForm,
    /// The next record's number.
    number: u64,
}

impl RecordKeys {
    /// Those that follow from a secret of TLS 1.3.
    pub(super) fn of_secret(parts: SuiteParts, secret: &[u8]) -> Option<Self> {
        let prk = parts.prk(secret);
        let key = if parts.aead.key_len() == 16 {
            UnboundKey::new(parts.aead, &expand::<16>(&prk, b"key").ok()?)
        } else {
            UnboundKey::new(parts.aead, &expand::<32>(&prk, b"key").ok()?)
        };
        let iv = expand(&prk, b"iv").ok()?;
        Some(Self { key: LessSafeKey::new(key.ok()?), iv, form: SealForm::Tls13, number: 0 })
    }

    /// Those of the client (0) or the server (1) that follow from a master secret (RFC 5246 section 6.3).
    pub(super) fn of_master(
        parts: SuiteParts,
        master: &[u8],
        randoms: [&[u8; 32]; 2],
        side: usize,
    ) -> Option<Self> {
        let [client, server] = randoms;
        let seed = [b"key expansion".as_slice(), server, client].concat();
        let (key, fixed) =
            (parts.aead.key_len(), if parts.has_explicit_nonce { NONCE - EXPLICIT } else { NONCE });
        let block = expanded(parts.is_sha384, master, &seed, 2 * (key + fixed));
        let key_at = side * key;
        let iv_at = 2 * key + side * fixed;
        let unbound = UnboundKey::new(parts.aead, block.get(key_at..key_at + key)?).ok()?;
        let mut iv = [0; NONCE];
        iv.get_mut(..fixed)?.copy_from_slice(block.get(iv_at..iv_at + fixed)?);
        let form = if parts.has_explicit_nonce { SealForm::Explicit } else { SealForm::Implicit };
        Some(Self { key: LessSafeKey::new(unbound), iv, form, number: 0 })
    }

    /// What a record holds, and what kind of content that is; `None` where it does not open, which changes nothing.
    pub(super) fn open(&mut self, record: SeenRecord<'_>) -> Option<(ContentType, Vec<u8>)> {
        let body = record.body?;
        let opened = self.opened(record, body).ok()?;
        self.number = self.number.saturating_add(1);
        if self.form != SealForm::Tls13 {
            return Some((record.content, opened));
        }
        // Zeros may follow the type of the content.
        let end = opened.iter().rposition(|byte| *byte != 0)?;
        Some((ContentType(*opened.get(end)?), opened.get(..end)?.to_vec()))
    }

    fn opened(&self, record: SeenRecord<'_>, body: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let explicit = if self.form == SealForm::Explicit { EXPLICIT } else { 0 };
        let (sent, sealed) = body.split_at_checked(explicit).ok_or(Unspecified)?;
        let mut nonce = self.iv;
        if explicit > 0 {
            nonce[NONCE - EXPLICIT..].copy_from_slice(sent);
        } else {
            for (byte, part) in nonce.iter_mut().rev().zip(self.number.to_le_bytes()) {
                *byte ^= part;
            }
        }
        let plain = sealed.len().checked_sub(TAG).ok_or(Unspecified)?;
        let (kind, version) = (record.content.0, record.version.to_be_bytes());
        let length = |length: usize| u16::try_from(length).map(u16::to_be_bytes);
        let head = |length: [u8; 2]| [&[kind], version.as_slice(), &length].concat();
        let data = if self.form == SealForm::Tls13 {
            head(length(body.len()).map_err(|_| Unspecified)?)
        } else {
            let head = head(length(plain).map_err(|_| Unspecified)?);
            [self.number.to_be_bytes().as_slice(), &head].concat()
        };
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(&data), &mut bytes)?.len();
        bytes.truncate(opened);
        Ok(bytes)
    }
}

/// The PRF of TLS 1.2 (RFC 5246 section 5); the label is the seed's beginning.
fn expanded(is_sha384: bool, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let hash = if is_sha384 { hmac::HMAC_SHA384 } else { hmac::HMAC_SHA256 };
    let key = hmac::Key::new(hash, secret);
    let sign = |bytes: &[u8]| hmac::sign(&key, bytes).as_ref().to_vec();
    let mut link = sign(seed);
    let mut out = Vec::with_capacity(length + link.len());
    while out.len() < length {
        out.extend(sign(&[link.as_slice(), seed].concat()));
        link = sign(&link);
    }
    out.truncate(length);
    out
}
