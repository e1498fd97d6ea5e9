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
    pub length: usize,
    /// Its bytes, where all were captured; those of application data are never kept.
    pub body: Option<&'a [u8]>,
}

#[derive(Clone, Debug)]
struct OpenRecord {
    content: ContentType,
    version: u16,
    length: usize,
    left: usize,
    body: Vec<u8>,
    has_hole: bool,
}

/// Finds records.
#[derive(Clone, Debug, Default)]
pub struct RecordLayer {
    header: Vec<u8>,
    open: Option<Box<OpenRecord>>,
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

    fn bytes(&mut self, mut bytes: &[u8], take: &mut impl FnMut(SeenRecord<'_>)) {
        while !bytes.is_empty() && !self.lost {
            let Some(open) = &mut self.open else {
                let (part, rest) = bytes.split_at(bytes.len().min(HEADER - self.header.len()));
                self.header.extend_from_slice(part);
                bytes = rest;
                self.begin(take);
                continue;
            };
            let (part, rest) = bytes.split_at(bytes.len().min(open.left));
            if open.content != ContentType::APPLICATION_DATA {
                open.body.extend_from_slice(part);
            }
            open.left -= part.len();
            bytes = rest;
            self.end(take);
        }
    }

    fn missing(&mut self, count: u64, take: &mut impl FnMut(SeenRecord<'_>)) {
        let within = self.open.as_mut().filter(|open| open.left as u64 >= count);
        let Some(open) = within else {
            self.lost |= count > 0;
            self.open = None;
            return;
        };
        open.left -= usize::try_from(count).unwrap_or(open.left);
        open.has_hole = true;
        self.end(take);
    }

    fn begin(&mut self, take: &mut impl FnMut(SeenRecord<'_>)) {
        let [content, major, minor, high, low] = self.header[..] else { return };
        let is_record = record::split(&self.header).is_ok();
        self.header.clear();
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !is_record {
            self.lost = true;
            self.broken = true;
            return;
        }
        self.open = Some(Box::new(OpenRecord {
            content: ContentType(content),
            version: u16::from_be_bytes([major, minor]),
            length,
            left: length,
            body: Vec::new(),
            has_hole: false,
        }));
        self.end(take);
    }

    fn end(&mut self, take: &mut impl FnMut(SeenRecord<'_>)) {
        if self.open.as_ref().is_none_or(|open| open.left > 0) {
            return;
        }
        let Some(open) = self.open.take() else { return };
        let kept = !open.has_hole && open.content != ContentType::APPLICATION_DATA;
        take(SeenRecord {
            content: open.content,
            version: open.version,
            length: open.length,
            body: kept.then_some(&open.body),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type FoundRecord = (u8, usize, Option<Vec<u8>>);

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
