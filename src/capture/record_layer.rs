//! Records of TLS in a stream of which bytes may be missing.

use super::stream::StreamRun;
use crate::tls::record::{self, ContentType};

/// Bytes of a record's header.
const HEADER: usize = 5;

/// One record, whole or with bytes missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRecord<'a> {
    /// What it carries.
    pub content: ContentType,
    /// The version in its header.
    pub version: u16,
    /// Bytes that it carries.
    pub length: u16,
    /// Its bytes, where all were captured; those of application data only to be opened.
    pub body: Option<&'a [u8]>,
}

/// The beginning of a record of which more is to come.
#[derive(Clone, Debug, Default)]
struct BegunRecord {
    body: Vec<u8>,
}

/// Finds records. Very many may be kept at once.
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether it is so")]
#[derive(Clone, Debug, Default)]
pub struct RecordLayer {
    /// The header of the record that is being read, as far as it is there.
    header: [u8; HEADER],
    filled: u8,
    /// Bytes of the body that are still to come.
    left: u16,
    has_hole: bool,
    begun: Option<Box<BegunRecord>>,
    /// Whether the bodies of application data are wanted, which TLS 1.3 hides its handshake in.
    pub opens_data: bool,
    /// Whether it is no longer known where a record begins.
    pub lost: bool,
    /// Whether that is because something that is no record came, and not because bytes are missing.
    pub broken: bool,
}

impl RecordLayer {
    /// Takes the next run of the stream, and hands on the records that end in it.
    pub fn feed(&mut self, span: StreamRun<'_>, mut take: impl FnMut(SeenRecord<'_>)) {
        match span {
            StreamRun::Bytes(bytes) => self.bytes(bytes, &mut take),
            StreamRun::Missing(count) => self.missing(count, &mut take),
        }
    }

    /// Bytes that are kept for now.
    pub fn held(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| begun.body.capacity())
    }

    /// Whether the header is whole, and the body is being read.
    fn is_open(&self) -> bool {
        usize::from(self.filled) == HEADER
    }

    fn bytes(&mut self, mut bytes: &[u8], take: &mut impl FnMut(SeenRecord<'_>)) {
        while !bytes.is_empty() && !self.lost {
            if !self.is_open() {
                let filled = usize::from(self.filled);
                let (part, rest) = bytes.split_at(bytes.len().min(HEADER - filled));
                for (place, byte) in self.header.iter_mut().skip(filled).zip(part) {
                    *place = *byte;
                    self.filled += 1;
                }
                bytes = rest;
                self.begin(take);
                continue;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.left.into()));
            self.left -= u16::try_from(part.len()).unwrap_or(self.left);
            bytes = rest;
            if self.left == 0 {
                self.end(part, take);
            } else if self.is_kept() {
                self.begun.get_or_insert_default().body.extend_from_slice(part);
            }
        }
    }

    fn missing(&mut self, count: u64, take: &mut impl FnMut(SeenRecord<'_>)) {
        if !self.is_open() || u64::from(self.left) < count {
            self.lost |= count > 0;
            (self.filled, self.begun) = (0, None);
            return;
        }
        self.left -= u16::try_from(count).unwrap_or(self.left);
        self.has_hole = true;
        self.begun = None;
        if self.left == 0 {
            self.end(&[], take);
        }
    }

    fn begin(&mut self, take: &mut impl FnMut(SeenRecord<'_>)) {
        if !self.is_open() {
            return;
        }
        if record::split(&self.header).is_err() {
            self.filled = 0;
            self.lost = true;
            self.broken = true;
            return;
        }
        let [_, _, _, high, low] = self.header;
        self.left = u16::from_be_bytes([high, low]);
        self.has_hole = false;
        if self.left == 0 {
            self.end(&[], take);
        }
    }

    /// Whether the body is wanted: that of application data is not.
    fn is_kept(&self) -> bool {
        let is_data = self.header[0] == ContentType::APPLICATION_DATA.0;
        !self.has_hole && (self.opens_data || !is_data)
    }

    /// The record ends with this part of its body, which is mostly all of it.
    fn end(&mut self, last: &[u8], take: &mut impl FnMut(SeenRecord<'_>)) {
        self.filled = 0;
        let begun = self.begun.take().map(|begun| {
            let mut body = begun.body;
            body.extend_from_slice(last);
            body
        });
        let body = begun.as_deref().unwrap_or(last);
        let [content, major, minor, high, low] = self.header;
        take(SeenRecord {
            content: ContentType(content),
            version: u16::from_be_bytes([major, minor]),
            length: u16::from_be_bytes([high, low]),
            body: self.is_kept().then_some(body),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type FoundRecord = (u8, u16, Option<Vec<u8>>);

    fn records(spans: &[StreamRun<'_>]) -> (Vec<FoundRecord>, bool) {
        let mut layer = RecordLayer::default();
        let mut found = Vec::new();
        for span in spans {
            layer.feed(*span, |record| {
                found.push((record.content.0, record.length, record.body.map(<[u8]>::to_vec)));
            });
        }
        (found, layer.lost)
    }

    #[test]
    fn a_hole_within_a_record_does_not_lose_the_next() {
        let bytes = [22, 3, 1, 0, 4, 1, 2, 3, 4, 21, 3, 3, 0, 2, 2, 40];
        let alert = (21, 2, Some(vec![2, 40]));
        let (found, lost) = records(&[StreamRun::Bytes(&bytes)]);
        assert_eq!((found, lost), (vec![(22, 4, Some(vec![1, 2, 3, 4])), alert.clone()], false));
        let spans =
            [StreamRun::Bytes(&bytes[..6]), StreamRun::Missing(3), StreamRun::Bytes(&bytes[9..])];
        assert_eq!(records(&spans), (vec![(22, 4, None), alert], false));
        let spans =
            [StreamRun::Bytes(&bytes[..6]), StreamRun::Missing(4), StreamRun::Bytes(&bytes[10..])];
        assert_eq!(records(&spans), (vec![], true));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(parts in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..40), 0_u64..40), 0..40)) {
            let mut layer = RecordLayer::default();
            layer.feed(StreamRun::Bytes(&[22, 3, 1, 0, 40]), |_| {});
            for (bytes, missing) in parts {
                layer.feed(StreamRun::Bytes(&bytes), |_| {});
                layer.feed(StreamRun::Missing(missing), |_| {});
            }
        }
    }
}
