//! Names as OpenSSL compares them (`x509_name_canon`): strings in UTF-8, lower case, single spaces; whatever cannot be
//! converted makes the certificate unreadable.

use super::der::{
    BIT_STRING, Element, Elements, OID, SEQUENCE, SET, UTF8_STRING, Unreadable, encode,
};

/// A name in OpenSSL's canonical form; equal ones are equal names, and one may begin with another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CanonicalName(Vec<u8>);

/// One attribute of a name.
pub(super) struct Attribute<'a> {
    pub(super) oid: &'a [u8],
    pub(super) value: Element<'a>,
}

impl CanonicalName {
    /// Reads the contents of a `Name`.
    pub(super) fn of(parts: Elements<'_>) -> Result<Self, Unreadable> {
        let mut name = Vec::new();
        for part in parts.all()? {
            let mut attributes: Vec<Vec<u8>> = attributes_of(part)?
                .iter()
                .map(|attribute| {
                    let value = canonical(attribute.value)?;
                    Ok(encode(SEQUENCE, &[encode(OID, attribute.oid), value].concat()))
                })
                .collect::<Result<_, Unreadable>>()?;
            attributes.sort();
            if !attributes.is_empty() {
                name.extend(encode(SET, &attributes.concat()));
            }
        }
        Ok(Self(name))
    }

    /// Whether the first parts of the name are those of `base`.
    pub(super) fn begins_with(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }

    /// Whether it has no parts.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The attributes of a name, in its order.
pub(super) fn attributes(parts: Elements<'_>) -> Result<Vec<Attribute<'_>>, Unreadable> {
    let parts = parts.all()?;
    let attributes: Vec<_> = parts.into_iter().map(attributes_of).collect::<Result<_, _>>()?;
    Ok(attributes.into_iter().flatten().collect())
}

fn attributes_of(part: Element<'_>) -> Result<Vec<Attribute<'_>>, Unreadable> {
    if part.tag != SET {
        return Err(Unreadable);
    }
    let mut found = Vec::new();
    for pair in part.inside().all()? {
        if pair.tag != SEQUENCE {
            return Err(Unreadable);
        }
        let mut inside = pair.inside();
        let (oid, value) = (inside.next()?.oid()?, inside.next()?);
        inside.end()?;
        found.push(Attribute { oid, value });
    }
    Ok(found)
}

/// The universal types that `ASN1_PRINTABLE` allows as the value of an attribute.
const ALLOWED: [u8; 17] = [3, 7, 8, 9, 11, 12, 13, 14, 15, SEQUENCE, 18, 19, 20, 22, 28, 29, 30];

fn canonical(value: Element<'_>) -> Result<Vec<u8>, Unreadable> {
    if !ALLOWED.contains(&value.tag) {
        return Err(Unreadable);
    }
    match text(value)? {
        Some(text) => Ok(encode(UTF8_STRING, &folded(&text))),
        None if value.tag == BIT_STRING => value.bits().map(|_| value.whole.to_vec()),
        None => Ok(value.whole.to_vec()),
    }
}

/// The string in UTF-8; `None` where OpenSSL does not convert its type.
pub(super) fn text(value: Element<'_>) -> Result<Option<String>, Unreadable> {
    let body = value.body;
    let characters = |size: usize| {
        let code = |bytes: &[u8]| bytes.iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
        let text = || body.chunks_exact(size).map(|bytes| char::from_u32(code(bytes))).collect();
        if body.len().is_multiple_of(size) { text() } else { None }
    };
    let text: Option<String> = match value.tag {
        UTF8_STRING => std::str::from_utf8(body).ok().map(str::to_owned),
        // One byte is one character of Latin-1, whatever the type allows.
        19 | 20 | 22 => Some(body.iter().map(|byte| char::from(*byte)).collect()),
        28 => characters(4),
        30 => characters(2),
        _ => return Ok(None),
    };
    text.map(Some).ok_or(Unreadable)
}

/// Lower case and single spaces, none at either end.
fn folded(text: &str) -> Vec<u8> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    let words = text.as_bytes().split(space).filter(|word| !word.is_empty());
    let words: Vec<Vec<u8>> = words.map(<[u8]>::to_ascii_lowercase).collect();
    words.join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tag: u8, value: &[u8]) -> Option<CanonicalName> {
        let pair = encode(SEQUENCE, &[encode(OID, &[0x55, 4, 3]), encode(tag, value)].concat());
        CanonicalName::of(Elements(&encode(SET, &pair))).ok()
    }

    #[test]
    fn case_spaces_and_string_types_make_no_difference() {
        let plain = name(UTF8_STRING, b"example ca");
        assert!(plain.is_some());
        for (tag, value) in
            [(19, b" Example  CA".as_slice()), (30, b"\0E\0x\0a\0m\0p\0l\0e\0 \0C\0A")]
        {
            assert_eq!(name(tag, value), plain);
        }
        assert_ne!(name(UTF8_STRING, b"exampleca"), plain);
        // A numeric string is compared byte for byte.
        assert_ne!(name(18, b"1"), name(19, b"1"));
    }

    #[test]
    fn a_value_that_is_not_text_is_unreadable() {
        for (tag, value) in [
            (UTF8_STRING, b"\xff".as_slice()),
            (30, b"\xd8\0"),
            (30, b"a"),
            (28, b"\0\x11\0\0"),
            (2, b"\x01"),
            (26, b"visible"),
        ] {
            assert_eq!(name(tag, value), None, "{tag} {value:?}");
        }
    }
}
