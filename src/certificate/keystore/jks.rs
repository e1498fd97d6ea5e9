//! Java's own format: certificates in the clear, keys under a cipher of its own.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};

use super::{Keystore, KeystoreError, MAX_ENTRIES};
use crate::certificate::der::{Elements, OCTET_STRING, SEQUENCE};

/// What JKS and JCEKS begin with.
const MAGICS: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];

/// The length of a digest, in bytes.
const LENGTH: usize = 20;

const DAMAGED: KeystoreError = KeystoreError::Damaged("JKS");

pub(super) fn is_jks(bytes: &[u8]) -> bool {
    MAGICS.iter().any(|magic| bytes.starts_with(magic)) && bytes.len() > 12
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], KeystoreError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DAMAGED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, KeystoreError> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A text behind its length in two bytes.
    fn text(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.number(2)?;
        self.take(length)
    }

    /// Bytes behind their length in four bytes.
    fn block(&mut self) -> Result<&'a [u8], KeystoreError> {
        let length = self.number(4)?;
        self.take(length)
    }
}

pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<Keystore, KeystoreError> {
    let mut rest = Rest(&bytes[4..]);
    let version = rest.number(4)?;
    let count = rest.number(4)?;
    if count > MAX_ENTRIES {
        return Err(KeystoreError::TooMany);
    }
    let is_jks = bytes.starts_with(&MAGICS[0]);
    let (mut store, mut trusted) = (Keystore::default(), Vec::new());
    for _ in 0..count {
        let kind = rest.number(4)?;
        rest.text()?;
        rest.take(8)?;
        match kind {
            1 => {
                let key = rest.block()?;
                let chain = rest.number(4)?;
                for _ in 0..chain.min(MAX_ENTRIES) {
                    let certificate = certificate(&mut rest, version)?;
                    store.add(certificate)?;
                }
                match password.map(|password| open(key, password)) {
                    Some(Some(key)) if is_jks => store.keys.push(key),
                    Some(_) if is_jks => {
                        store.notes.push("a key has another password".to_owned());
                    }
                    _ => {}
                }
            }
            2 => trusted.push(certificate(&mut rest, version)?),
            // Secret keys of JCEKS are serialised Java objects, whose end is not known.
            _ => {
                store.notes.push("what follows a secret key was not read".to_owned());
                break;
            }
        }
    }
    if let Some(password) = password {
        check(bytes, password)?;
    }
    trusted.into_iter().try_for_each(|certificate| store.add(certificate))?;
    Ok(store)
}

fn certificate<'a>(rest: &mut Rest<'a>, version: usize) -> Result<&'a [u8], KeystoreError> {
    if version == 2 {
        rest.text()?;
    }
    rest.block()
}

/// The password as Java hashes it.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Compares the digest at the end.
fn check(bytes: &[u8], password: &str) -> Result<(), KeystoreError> {
    let (body, end) =
        bytes.len().checked_sub(LENGTH).and_then(|at| bytes.split_at_checked(at)).ok_or(DAMAGED)?;
    let text = [&utf16(password), &b"Mighty Aphrodite"[..], body].concat();
    if digest(&SHA1, &text).as_ref() == end { Ok(()) } else { Err(KeystoreError::WrongPassword) }
}

/// Opens a key: a salt, the key combined with a chain of digests, and a digest of the key.
fn open(key: &[u8], password: &str) -> Option<Vec<u8>> {
    let mut info = Elements(key).expect(SEQUENCE).ok()?.inside();
    info.expect(SEQUENCE).ok()?;
    let sealed = info.expect(OCTET_STRING).ok()?.body;
    let (salt, rest) = sealed.split_at_checked(LENGTH)?;
    let (hidden, check) = rest.split_at_checked(rest.len().checked_sub(LENGTH)?)?;
    let password = utf16(password);
    let hash = |text: &[u8]| digest(&SHA1, &[&password, text].concat());
    let mut pad = salt.to_vec();
    let mut plain = Vec::with_capacity(hidden.len());
    for part in hidden.chunks(LENGTH) {
        pad = hash(&pad).as_ref().to_vec();
        plain.extend(part.iter().zip(&pad).map(|(hidden, pad)| hidden ^ pad));
    }
    (hash(&plain).as_ref() == check).then_some(plain)
}
