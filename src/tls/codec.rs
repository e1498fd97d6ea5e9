//! Reading and writing the presentation language of TLS (RFC 8446 section 3).
//!
//! Only this file slices bytes from the network: a read returns the requested bytes or [`DecodeError`], and never
//! panics.

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field or vector is longer than the bytes that are left.
    #[error("it is cut short")]
    Truncated,
    /// Bytes are left over after the last field.
    #[error("it has bytes after its end")]
    TrailingBytes,
}

/// A position in bytes from outside.
#[derive(Clone, Debug)]
pub struct ByteReader<'a> {
    rest: &'a [u8],
}

impl<'a> ByteReader<'a> {
    /// Reads from the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that are not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes, big-endian.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// A vector with a length of one byte.
    pub fn vec8(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// A vector with a length of two bytes.
    pub fn vec16(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// A vector with a length of three bytes.
    pub fn vec24(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u24()?;
        self.take(usize::try_from(length).map_err(|_| DecodeError::Truncated)?)
    }

    /// Reads items until the bytes run out; `item` must consume at least one byte or fail.
    pub fn list<T>(
        mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::new();
        while !self.is_empty() {
            items.push(item(&mut self)?);
        }
        Ok(items)
    }

    /// Checks that all bytes were read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

/// A vector is longer than its length field allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field is longer than its length prefix can say")]
pub struct TooLong;

/// Bytes being written.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Writer {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Values of two bytes each, big-endian.
    pub fn u16s(&mut self, values: impl IntoIterator<Item = u16>) {
        for value in values {
            self.u16(value);
        }
    }

    /// A vector with a length of one byte.
    pub fn vec8(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<1>(content);
    }

    /// A vector with a length of two bytes.
    pub fn vec16(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<2>(content);
    }

    /// A vector with a length of three bytes.
    pub fn vec24(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector::<3>(content);
    }

    /// The bytes written; an error if a vector is too long for its length field.
    pub fn finish(self) -> Result<Vec<u8>, TooLong> {
        if self.too_long { Err(TooLong) } else { Ok(self.bytes) }
    }

    fn vector<const PREFIX: usize>(&mut self, content: impl FnOnce(&mut Self)) {
        let prefix = self.bytes.len();
        self.bytes(&[0; PREFIX]);
        let start = self.bytes.len();
        content(self);
        let length = (self.bytes.len() - start).to_be_bytes();
        let (high, low) = length.split_at(length.len() - PREFIX);
        self.too_long |= high.iter().any(|byte| *byte != 0);
        self.bytes[prefix..start].copy_from_slice(low);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vector_longer_than_the_bytes_is_truncated() {
        assert_eq!(ByteReader::new(&[0, 3, 1, 2]).vec16(), Err(DecodeError::Truncated));
        assert_eq!(ByteReader::new(&[0xff, 0xff, 0xff]).vec24(), Err(DecodeError::Truncated));
        assert_eq!(ByteReader::new(&[]).u8(), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_failed_read_consumes_nothing() {
        let mut reader = ByteReader::new(&[1]);
        assert_eq!(reader.u16(), Err(DecodeError::Truncated));
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn trailing_bytes_are_an_error_at_the_end() {
        assert_eq!(ByteReader::new(&[1]).finish(), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn a_vector_that_outgrows_its_length_is_refused() {
        let mut writer = Writer::new();
        writer.vec16(|outer| outer.vec8(|inner| inner.bytes(&[0; 256])));
        assert_eq!(writer.finish(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn vectors_read_back_as_written(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..255), 0..50)) {
            let mut writer = Writer::new();
            writer.vec24(|list| for item in &items {
                list.vec8(|w| w.bytes(item));
            });
            let bytes = writer.finish().unwrap();
            let mut reader = ByteReader::new(&bytes);
            let read = ByteReader::new(reader.vec24().unwrap()).list(ByteReader::vec8).unwrap();
            prop_assert_eq!(read, items);
            prop_assert!(reader.is_empty());
        }
    }
}
