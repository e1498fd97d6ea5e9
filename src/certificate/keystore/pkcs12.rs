//! PKCS#12: bags of certificates and keys, each in the clear or encrypted with the password.

use std::borrow::Cow;

use aws_lc_rs::hmac;

use super::ber::definite;
use super::pbe::{self, Derived, rounds};
use super::{Keystore, KeystoreError, MAX_ROUNDS, RoundsLeft};
use crate::certificate::der::{
    Element, Elements, INTEGER, OCTET_STRING, OID, SEQUENCE, Unreadable, context,
};

/// `data` of PKCS#7.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];

/// `encryptedData` of PKCS#7.
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];

/// What the identifiers of bags begin with; the last number is the kind.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];

/// SHA-1 and SHA-256, for the check of the password.
const DIGESTS: [(&[u8], hmac::Algorithm, Derived); 2] = [
    (&[0x2b, 14, 3, 2, 26], hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, Derived::SHA1),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], hmac::HMAC_SHA256, Derived::SHA256),
];

/// How deep bags may hold bags.
const MAX_DEPTH: usize = 4;

impl From<Unreadable> for KeystoreError {
    fn from(_: Unreadable) -> Self {
        Self::Damaged("PKCS#12")
    }
}

/// Whether the bytes are a sequence that begins with the version 3, in DER or in BER with an open end.
pub(super) fn is_pkcs12(bytes: &[u8]) -> bool {
    let begin = || {
        let mut store = Elements(bytes).expect(SEQUENCE).ok()?.inside();
        let is_third = store.expect(INTEGER).ok()?.body == [3];
        (is_third && store.0.first() == Some(&SEQUENCE)).then_some(())
    };
    begin().is_some() || bytes.starts_with(&[SEQUENCE, 0x80, INTEGER, 1, 3, SEQUENCE])
}

pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<Keystore, KeystoreError> {
    let bytes = definite(bytes)?;
    let mut store = Elements(&bytes).expect(SEQUENCE)?.inside();
    store.expect(INTEGER)?;
    let safe = content(store.expect(SEQUENCE)?, DATA)?;
    let check = store.optional(SEQUENCE)?;
    // Many keystores without secrets have an empty password.
    let given = password.unwrap_or_default();
    let wrong = || {
        if password.is_none() {
            KeystoreError::PasswordNeeded
        } else {
            KeystoreError::WrongPassword
        }
    };
    let mut left = RoundsLeft(MAX_ROUNDS);
    if let Some(check) = check
        && matches_check(check, safe.body, (given, &mut left))? == Some(false)
    {
        return Err(wrong());
    }
    let parts = definite(safe.body)?;
    let mut found = Keystore::default();
    for part in Elements(&parts).expect(SEQUENCE)?.inside().all()? {
        let kind = part.inside().expect(OID)?.oid()?;
        if kind == DATA {
            bags(content(part, DATA)?.body, (given, &mut left), 0, &mut found)?;
        } else if kind == ENCRYPTED_DATA {
            let plain = decrypted(part, (given, &mut left))?.ok_or_else(wrong)?;
            bags(&plain, (given, &mut left), 0, &mut found)?;
        } else {
            return Err(KeystoreError::Unsupported("a public key".to_owned()));
        }
    }
    Ok(found)
}

/// The octets of a ContentInfo with this type.
fn content<'a>(info: Element<'a>, kind: &[u8]) -> Result<Element<'a>, KeystoreError> {
    let mut parts = info.inside();
    if parts.expect(OID)?.oid()? != kind {
        return Err(KeystoreError::Unsupported("a public key".to_owned()));
    }
    Ok(parts.expect(context(0, true))?.inside().expect(OCTET_STRING)?)
}

/// Whether the password is right; `None` if the check is of another kind.
fn matches_check(
    check: Element<'_>,
    data: &[u8],
    (password, left): (&str, &mut RoundsLeft),
) -> Result<Option<bool>, KeystoreError> {
    let mut parts = check.inside();
    let mut digest = parts.expect(SEQUENCE)?.inside();
    let algorithm = digest.expect(SEQUENCE)?.inside().expect(OID)?.oid()?;
    let wanted = digest.expect(OCTET_STRING)?.body;
    let salt = parts.expect(OCTET_STRING)?.body;
    let rounds = parts.optional(INTEGER)?.map_or(Ok(1), |number| rounds(number, left))?;
    let known = DIGESTS.iter().find(|(oid, ..)| *oid == algorithm);
    let Some((_, algorithm, derived)) = known else { return Ok(None) };
    let key = derived.key((password, salt, rounds), 3, derived.output());
    let key = hmac::Key::new(*algorithm, &key);
    Ok(Some(hmac::sign(&key, data).as_ref() == wanted))
}

/// The contents of `encryptedData`; `None` if the password is wrong.
fn decrypted(
    part: Element<'_>,
    secret: (&str, &mut RoundsLeft),
) -> Result<Option<Vec<u8>>, KeystoreError> {
    let mut info = part.inside();
    info.expect(OID)?;
    let mut data = info.expect(context(0, true))?.inside().expect(SEQUENCE)?.inside();
    data.expect(INTEGER)?;
    let mut inner = data.expect(SEQUENCE)?.inside();
    inner.expect(OID)?;
    let algorithm = inner.expect(SEQUENCE)?;
    // In BER it may be in parts.
    let sealed = match inner.optional(context(0, true))? {
        Some(parts) => {
            let all = parts.inside().all()?;
            if all.iter().any(|part| part.tag != OCTET_STRING) {
                return Err(KeystoreError::Damaged("PKCS#12"));
            }
            Cow::Owned(all.iter().map(|part| part.body).collect::<Vec<_>>().concat())
        }
        None => Cow::Borrowed(inner.expect(context(0, false))?.body),
    };
    pbe::decrypt(algorithm, &sealed, secret)
}

/// Adds the certificates and keys of SafeContents.
fn bags(
    contents: &[u8],
    (password, left): (&str, &mut RoundsLeft),
    depth: usize,
    found: &mut Keystore,
) -> Result<(), KeystoreError> {
    if depth > MAX_DEPTH {
        return Err(KeystoreError::Damaged("PKCS#12"));
    }
    let contents = definite(contents)?;
    for bag in Elements(&contents).expect(SEQUENCE)?.inside().all()? {
        let mut parts = bag.inside();
        let kind = parts.expect(OID)?.oid()?;
        let value = parts.expect(context(0, true))?;
        match kind.strip_prefix(BAG) {
            Some([1]) => found.keys.push(value.body.to_vec()),
            Some([2]) => {
                let mut sealed = value.inside().expect(SEQUENCE)?.inside();
                let algorithm = sealed.expect(SEQUENCE)?;
                let key = sealed.expect(OCTET_STRING)?.body;
                match pbe::decrypt(algorithm, key, (password, &mut *left))? {
                    Some(key) => found.keys.push(key),
                    None => found.notes.push("a key has another password".to_owned()),
                }
            }
            Some([3]) => {
                let mut certificate = value.inside().expect(SEQUENCE)?.inside();
                certificate.expect(OID)?;
                let octets = certificate.expect(context(0, true))?.inside().expect(OCTET_STRING)?;
                found.add(octets.body)?;
            }
            Some([6]) => bags(value.body, (password, &mut *left), depth + 1, found)?,
            _ => {}
        }
    }
    Ok(())
}
