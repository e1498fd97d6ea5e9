//! Reading and writing bytes with bounds: the only place in this room that cuts into a slice.

/// Reads from the front of a slice; whatever is missing is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.number(1).and_then(|number| u8::try_from(number).ok())
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).and_then(|number| u16::try_from(number).ok())
    }

    /// Three bytes, big-endian.
    pub fn u24(&mut self) -> Option<usize> {
        self.number(3)
    }

    /// A vector with a length of `width` bytes before it.
    pub fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        Some(self.take(width)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }
}

/// Appends to a vector; lengths are written by closure, so that they cannot be wrong.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A vector with a length of `width` bytes (1 to 3) before it. What is longer than the length can say is cut off.
    pub fn vector(&mut self, width: usize, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        inner.0.truncate((1 << (8 * width)) - 1);
        let length = inner.0.len().to_be_bytes();
        self.0.extend_from_slice(&length[length.len() - width..]);
        self.0.append(&mut inner.0);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_as_it_was_written() {
        let mut writer = Writer::default();
        writer.vector(3, |inner| inner.vector(1, |inner| inner.u16(0xabcd)));
        let bytes = writer.into_bytes();
        assert_eq!(bytes, [0, 0, 3, 2, 0xab, 0xcd]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.vector(3), Some(&[2, 0xab, 0xcd][..]));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_missing_is_none() {
        assert_eq!(Reader::new(&[2, 1]).vector(1), None);
        assert_eq!(Reader::new(&[1]).u16(), None);
    }
}
