//! Encryption with a password: PBES2 (RFC 8018), and the schemes of PKCS#12 with triple DES and RC2.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, InnerIvInit, KeyIvInit};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::{Kdf, Parameters};

use super::{KeystoreError, RoundsLeft};
use crate::certificate::der::{Element, INTEGER, OCTET_STRING, OID, SEQUENCE};

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];

/// What the identifiers of the schemes of PKCS#12 begin with; the last number is the scheme.
const PKCS12: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];

/// A digest that keys are derived with, as PKCS#12 does.
#[derive(Clone, Copy)]
pub(super) struct Derived(fn() -> &'static digest::Algorithm);

impl Derived {
    pub(super) const SHA1: Self = Self(|| &SHA1_FOR_LEGACY_USE_ONLY);
    pub(super) const SHA256: Self = Self(|| &digest::SHA256);

    /// The length of the digest.
    pub(super) fn output(self) -> usize {
        self.0().output_len
    }

    /// A key (purpose 1), an initial vector (2) or a key of HMAC (3), by RFC 7292, appendix B.
    pub(super) fn key(
        self,
        (password, salt, rounds): (&str, &[u8], u32),
        purpose: u8,
        length: usize,
    ) -> Vec<u8> {
        const BLOCK: usize = 64;
        let hash = |text: &[u8]| digest::digest(self.0(), text).as_ref().to_vec();
        let password: Vec<u8> =
            password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        let filled = |text: &[u8]| -> Vec<u8> {
            text.iter().copied().cycle().take(text.len().div_ceil(BLOCK) * BLOCK).collect()
        };
        let mut state = [filled(salt), filled(&password)].concat();
        let mut key = Vec::new();
        while key.len() < length {
            let mut part = hash(&[&[purpose; BLOCK][..], &state].concat());
            for _ in 1..rounds {
                part = hash(&part);
            }
            let add: Vec<u8> = part.iter().copied().cycle().take(BLOCK).collect();
            for block in state.chunks_mut(BLOCK) {
                let mut carry = 1_u16;
                for (byte, add) in block.iter_mut().zip(&add).rev() {
                    carry += u16::from(*byte) + u16::from(*add);
                    *byte = carry.to_le_bytes()[0];
                    carry >>= 8;
                }
            }
            key.extend(part);
        }
        key.truncate(length);
        key
    }
}

/// Decrypts with the password; `None` if it is wrong.
pub(super) fn decrypt(
    algorithm: Element<'_>,
    sealed: &[u8],
    (password, left): (&str, &mut RoundsLeft),
) -> Result<Option<Vec<u8>>, KeystoreError> {
    let mut parts = algorithm.inside();
    let scheme = parts.expect(OID)?.oid()?;
    if scheme == PBES2 {
        return match EncryptionScheme::try_from(algorithm.whole) {
            Ok(EncryptionScheme::Pbes2(parameters)) => pbes2(&parameters, sealed, (password, left)),
            _ => Err(KeystoreError::Unsupported("an unknown cipher".to_owned())),
        };
    }
    let parameters = parts.expect(SEQUENCE)?;
    let mut parameters = parameters.inside();
    let salt = parameters.expect(OCTET_STRING)?.body;
    let rounds = rounds(parameters.expect(INTEGER)?, left)?;
    let derive = |purpose, length| Derived::SHA1.key((password, salt, rounds), purpose, length);
    let vector = derive(2, 8);
    let opened = match scheme.strip_prefix(PKCS12) {
        Some([3]) => triple_des(&derive(1, 24), &vector, sealed),
        Some([4]) => {
            let key = derive(1, 16);
            triple_des(&[&key[..], &key[..8]].concat(), &vector, sealed)
        }
        Some([5]) => rc2(&derive(1, 16), &vector, sealed),
        Some([6]) => rc2(&derive(1, 5), &vector, sealed),
        _ => return Err(KeystoreError::Unsupported("an old or unknown scheme".to_owned())),
    };
    Ok(opened)
}

fn triple_des(key: &[u8], vector: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, vector).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

fn rc2(key: &[u8], vector: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let bits = key.len() * 8;
    let inner = rc2::Rc2::new_with_eff_key_len(key, bits);
    let cipher = cbc::Decryptor::inner_iv_slice_init(inner, vector).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

fn pbes2(
    parameters: &Parameters,
    sealed: &[u8],
    (password, left): (&str, &mut RoundsLeft),
) -> Result<Option<Vec<u8>>, KeystoreError> {
    match &parameters.kdf {
        Kdf::Pbkdf2(derivation) => left.take(derivation.iteration_count.into())?,
        _ => {
            return Err(KeystoreError::Unsupported(
                "another key derivation than PBKDF2".to_owned(),
            ));
        }
    }
    Ok(parameters.decrypt(password.as_bytes(), sealed).ok())
}

/// A number of rounds, which is bounded.
pub(super) fn rounds(number: Element<'_>, left: &mut RoundsLeft) -> Result<u32, KeystoreError> {
    let bytes = number.integer()?;
    if bytes.len() > 8 || bytes.first().is_none_or(|first| first & 0x80 != 0) {
        return Err(KeystoreError::Damaged("PKCS#12"));
    }
    let rounds = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    left.take(rounds)?;
    Ok(u32::try_from(rounds).unwrap_or(u32::MAX))
}
