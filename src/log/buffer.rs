//! A buffer that is filled again and again, and cleared with zeros only once.

use std::ops::Deref;

/// Bytes, followed by space for more.
#[derive(Debug, Default)]
pub struct LineBuffer {
    space: Vec<u8>,
    length: usize,
}

impl LineBuffer {
    /// The space for this many bytes behind those that there are; [`Self::add`] says how many were written.
    pub fn room(&mut self, count: usize) -> &mut [u8] {
        let end = self.length + count;
        if self.space.len() < end {
            self.space.resize(end, 0);
        }
        &mut self.space[self.length..end]
    }

    /// Takes over this many bytes that were written to [`Self::room`].
    pub fn add(&mut self, count: usize) {
        self.length = (self.length + count).min(self.space.len());
    }

    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.add(bytes.len());
    }

    /// Keeps this many bytes at most.
    pub fn truncate(&mut self, count: usize) {
        self.length = self.length.min(count);
    }

    /// Removes this many bytes at the start.
    pub fn remove_start(&mut self, count: usize) {
        let count = count.min(self.length);
        self.space.copy_within(count..self.length, 0);
        self.length -= count;
    }
}

impl Deref for LineBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.space[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_each_other_and_old_ones_do_not_come_back() {
        let mut buffer = LineBuffer::default();
        buffer.append(b"one two");
        buffer.remove_start(4);
        buffer.room(9)[..6].copy_from_slice(b" three");
        buffer.add(6);
        assert_eq!(&*buffer, b"two three");
        buffer.truncate(3);
        buffer.append(b"!");
        assert_eq!(&*buffer, b"two!");
        buffer.truncate(0);
        assert!(buffer.is_empty() && buffer.room(2).len() == 2);
    }
}
