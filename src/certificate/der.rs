//! Reads DER elements in sequence, as strictly as OpenSSL, which also accepts some BER (lengths with more bytes than
//! necessary, any value for `TRUE`).

/// An element: its tag, its contents, and both with the length between them.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// An unreadable element; the caller knows which.
pub(super) struct Unreadable;

/// Elements that are still to be read.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

pub(super) const BOOLEAN: u8 = 1;
pub(super) const INTEGER: u8 = 2;
pub(super) const BIT_STRING: u8 = 3;
pub(super) const OCTET_STRING: u8 = 4;
pub(super) const OID: u8 = 6;
pub(super) const UTF8_STRING: u8 = 12;
pub(super) const IA5_STRING: u8 = 22;
pub(super) const UTC_TIME: u8 = 23;
pub(super) const GENERALIZED_TIME: u8 = 24;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a context-specific element; constructed ones hold elements.
pub(super) const fn context(number: u8, constructed: bool) -> u8 {
    0x80 | number | if constructed { 0x20 } else { 0 }
}

impl<'a> Elements<'a> {
    /// The next element, with any tag.
    pub(super) fn next(&mut self) -> Result<Element<'a>, Unreadable> {
        let (&tag, rest) = self.0.split_first().ok_or(Unreadable)?;
        let (&first, mut rest) = rest.split_first().ok_or(Unreadable)?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, after) =
                    rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Unreadable)?;
                rest = after;
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
            }
            // OpenSSL does not read longer ones here either; 0x80 is an indefinite length.
            _ => return Err(Unreadable),
        };
        let (body, after) = rest.split_at_checked(length).ok_or(Unreadable)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Ok(Element { tag, body, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Unreadable> {
        self.next()
            .and_then(|element| if element.tag == tag { Ok(element) } else { Err(Unreadable) })
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Unreadable> {
        if self.0.first() == Some(&tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// All remaining elements.
    pub(super) fn all(mut self) -> Result<Vec<Element<'a>>, Unreadable> {
        let mut elements = Vec::new();
        while !self.0.is_empty() {
            elements.push(self.next()?);
        }
        Ok(elements)
    }

    /// An error unless all elements were read.
    pub(super) fn end(self) -> Result<(), Unreadable> {
        if self.0.is_empty() { Ok(()) } else { Err(Unreadable) }
    }
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub(super) fn inside(self) -> Elements<'a> {
        Elements(self.body)
    }

    /// An object identifier as OpenSSL reads one: not empty, and every number finished and without padding.
    pub(super) fn oid(self) -> Result<&'a [u8], Unreadable> {
        let starts = |at: usize| at == 0 || self.body[at - 1] & 0x80 == 0;
        let padded = (0..self.body.len()).any(|at| self.body[at] == 0x80 && starts(at));
        let finished = self.body.last().is_some_and(|last| last & 0x80 == 0);
        if self.tag == OID && finished && !padded { Ok(self.body) } else { Err(Unreadable) }
    }

    /// The contents of an integer: not empty, and without padding.
    pub(super) fn integer(self) -> Result<&'a [u8], Unreadable> {
        match self.body {
            [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Unreadable),
            body => Ok(body),
        }
    }

    /// The contents of a boolean; any value but zero is `TRUE`.
    pub(super) fn boolean(self) -> Result<bool, Unreadable> {
        match self.body {
            [value] => Ok(*value != 0),
            _ => Err(Unreadable),
        }
    }

    /// The bits of a bit string, without the count of unused ones.
    pub(super) fn bits(self) -> Result<&'a [u8], Unreadable> {
        match self.body {
            [0..=7, bits @ ..] => Ok(bits),
            _ => Err(Unreadable),
        }
    }
}

/// An element of this tag and these contents.
pub(super) fn encode(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![tag];
    match significant {
        [] => der.push(0),
        [short @ 0..0x80] => der.push(*short),
        long => {
            // A length has at most eight bytes.
            der.push(0x80 | long.len().to_le_bytes()[0]);
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(body);
    der
}
