//! BER with open ends and strings in parts, which NSS (Firefox, `pk12util`) writes, as the DER that is read here.

use std::borrow::Cow;

use crate::certificate::der::{OCTET_STRING, SEQUENCE, Unreadable, encode};

/// How deep elements may be within each other; `pk12util` needs about ten.
const MAX_DEPTH: usize = 32;

/// The length of an element that goes on until its end is marked.
const OPEN: u8 = 0x80;

/// The bit of a tag that says that elements are inside.
const CONSTRUCTED: u8 = 0x20;

/// The bytes themselves, unless they begin with a sequence that has an open end.
pub(super) fn definite(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
    if !bytes.starts_with(&[SEQUENCE, OPEN]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let (tag, body) = element(&mut { bytes }, 0)?;
    Ok(Cow::Owned(encode(tag, &body)))
}

/// The next element: its tag and its contents, with definite lengths, and a string in one part.
fn element(rest: &mut &[u8], depth: usize) -> Result<(u8, Vec<u8>), Unreadable> {
    let (tag, length) = (byte(rest)?, byte(rest)?);
    let is_constructed = tag & CONSTRUCTED != 0;
    if length == OPEN {
        if !is_constructed {
            return Err(Unreadable);
        }
        let body = inside(rest, tag, true, depth)?;
        return Ok((primitive(tag), body));
    }
    let mut body = definite_body(rest, length)?;
    if !is_constructed {
        return Ok((tag, body.to_vec()));
    }
    let body = inside(&mut body, tag, false, depth)?;
    Ok((primitive(tag), body))
}

/// The contents of an element with elements inside, up to the mark of its end or to the end of the bytes.
fn inside(rest: &mut &[u8], tag: u8, is_open: bool, depth: usize) -> Result<Vec<u8>, Unreadable> {
    if depth >= MAX_DEPTH {
        return Err(Unreadable);
    }
    let mut body = Vec::new();
    loop {
        if is_open && rest.starts_with(&[0, 0]) {
            *rest = &rest[2..];
            return Ok(body);
        }
        if !is_open && rest.is_empty() {
            return Ok(body);
        }
        let (part, contents) = element(rest, depth + 1)?;
        if tag != OCTET_STRING | CONSTRUCTED {
            body.extend(encode(part, &contents));
        } else if part == OCTET_STRING {
            body.extend(contents);
        } else {
            return Err(Unreadable);
        }
    }
}

/// The tag of a string in one part; other tags stay as they are.
fn primitive(tag: u8) -> u8 {
    if tag == OCTET_STRING | CONSTRUCTED { OCTET_STRING } else { tag }
}

fn byte(rest: &mut &[u8]) -> Result<u8, Unreadable> {
    let (first, after) = rest.split_first().ok_or(Unreadable)?;
    *rest = after;
    Ok(*first)
}

fn definite_body<'a>(rest: &mut &'a [u8], first: u8) -> Result<&'a [u8], Unreadable> {
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let mut length = 0;
            for _ in 0..first & 0x7f {
                length = length << 8 | usize::from(byte(rest)?);
            }
            length
        }
        _ => return Err(Unreadable),
    };
    let (body, after) = rest.split_at_checked(length).ok_or(Unreadable)?;
    *rest = after;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn of(bytes: &[u8]) -> Option<Vec<u8>> {
        definite(bytes).ok().map(Cow::into_owned)
    }

    #[test]
    fn open_ends_become_lengths_and_strings_one_part() {
        let open = b"\x30\x80\x02\x01\x03\x24\x80\x04\x01a\x24\x04\x04\x02bc\0\0\xa0\x80\x05\0\0\0\0\0rest";
        assert_eq!(of(open).unwrap(), b"\x30\x0c\x02\x01\x03\x04\x03abc\xa0\x02\x05\0");
        assert_eq!(of(b"\x30\x81\x01x").unwrap(), b"\x30\x81\x01x");
    }

    #[test]
    fn what_has_no_end_is_not_read() {
        for bytes in
            [&b"\x30\x80"[..], b"\x30\x80\0", b"\x30\x80\x02\x05x\0\0", b"\x30\x80\x04\x80\0\0\0\0"]
        {
            assert_eq!(of(bytes), None, "{bytes:?}");
        }
        assert_eq!(of(b"\x30\x80\x24\x80\x02\x01a\0\0\0\0"), None);
        let deep = [SEQUENCE, OPEN].repeat(MAX_DEPTH + 1);
        assert_eq!(of(&[deep, vec![0; 2 * MAX_DEPTH + 2]].concat()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_grow_much(end in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [&[SEQUENCE, OPEN], &end[..]].concat();
            if let Some(found) = of(&bytes) {
                assert!(found.len() <= 2 * bytes.len() + 8);
            }
        }
    }
}
