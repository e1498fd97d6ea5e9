//! How large the records of TLS 1.3 are whose contents are known in advance (RFC 8446 sections 4.4.4, 5.2 and 6).

use super::shown::SealedRecord;

/// The suite of TLS 1.3 with SHA-384, and that with a short tag.
const SHA384_SUITE: u16 = 0x1302;
const SHORT_TAG_SUITE: u16 = 0x1305;

/// Bytes of a message's header.
const HEADER: usize = 4;

/// Bytes of an alert.
const ALERT: usize = 2;

/// Bytes of a `Certificate` message without certificates.
const NO_CERTIFICATE: usize = HEADER + 4;

/// Zeros that Java's own TLS (JSSE) adds to each record; all other known stacks add none.
const JAVA_PADDING: usize = 16;

/// The sizes that go with a suite.
#[derive(Clone, Copy, Debug)]
pub(super) struct SealedSizes {
    /// Bytes of a `Finished` message.
    finished: [usize; 2],
    /// What encryption adds: a tag, and the type of what is encrypted.
    added: usize,
}

impl SealedSizes {
    /// Those of a suite; where it is not known, those of any.
    pub(super) fn of(suite: Option<u16>) -> Self {
        const SHORT_TAG: usize = 8;
        const TAG: usize = 16;
        let tag = if suite == Some(SHORT_TAG_SUITE) { SHORT_TAG } else { TAG };
        let [short, long] = [HEADER + 32, HEADER + 48];
        let finished = match suite {
            Some(SHA384_SUITE) => [long; 2],
            Some(_) => [short; 2],
            None => [short, long],
        };
        Self { finished, added: 1 + tag }
    }

    /// Whether it holds that many bytes, padded as Java does or not.
    fn holds(self, record: SealedRecord, content: usize) -> bool {
        let bare = content + self.added;
        [bare, bare + JAVA_PADDING].contains(&record.length.into())
    }

    /// Whether it is an `EndOfEarlyData` message, which has no body.
    pub(super) fn ends_early_data(self, record: SealedRecord) -> bool {
        self.holds(record, HEADER)
    }

    /// Whether it has the size of an alert, padded or not.
    pub(super) fn is_alert(self, record: SealedRecord) -> bool {
        self.holds(record, ALERT)
    }

    /// Whether it has the size of an alert without padding, which is too small for anything else.
    pub(super) fn is_bare_alert(self, record: SealedRecord) -> bool {
        usize::from(record.length) == ALERT + self.added
    }

    fn is_finished(self, record: SealedRecord) -> bool {
        self.finished.iter().any(|size| self.holds(record, *size))
    }

    /// Where the client's first flight after the answer ends; some put all of it into one record.
    pub(super) fn place_of_finished(self, records: &[SealedRecord]) -> Option<usize> {
        if records.first().is_none_or(|first| self.is_alert(*first)) {
            return None;
        }
        let alone = records.iter().position(|record| self.is_finished(*record));
        let whole = self.finished[0] + self.added;
        alone.or_else(|| records.iter().position(|record| usize::from(record.length) > whole))
    }

    /// Whether the client's flight holds more than the end of the handshake: a certificate, or that it has none.
    pub(super) fn has_certificate(self, records: &[SealedRecord]) -> bool {
        let place = self.place_of_finished(records);
        let alone = records.first().is_some_and(|first| self.is_finished(*first));
        place.is_some_and(|place| place > 0 || !alone)
    }

    /// Whether the first record of a flight that ends in that place says that the client has no certificate.
    pub(super) fn has_no_certificate(self, first: SealedRecord, place: usize) -> bool {
        if place > 0 {
            return self.holds(first, NO_CERTIFICATE);
        }
        self.finished.iter().any(|size| self.holds(first, NO_CERTIFICATE + size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::shown::CaptureMoment;

    fn records(lengths: &[u16]) -> Vec<SealedRecord> {
        let record = |length: &u16| SealedRecord { length: *length, at: CaptureMoment::default() };
        lengths.iter().map(record).collect()
    }

    #[test]
    fn flights_of_all_stacks_are_told_apart() {
        let sizes = SealedSizes::of(Some(0x1301));
        for (padding, alert) in [(0, 19), (16, 35)] {
            let with = |lengths: &[u16]| {
                let padded: Vec<u16> = lengths.iter().map(|length| length + padding).collect();
                records(&padded)
            };
            assert!(sizes.is_alert(records(&[alert])[0]), "{padding}");
            assert_eq!(sizes.place_of_finished(&with(&[19])), None);
            assert!(!sizes.has_certificate(&with(&[53, 200])), "{padding}");
            let without = with(&[25, 53]);
            assert_eq!(sizes.place_of_finished(&without), Some(1));
            assert!(sizes.has_certificate(&without) && sizes.has_no_certificate(without[0], 1));
            let in_one = with(&[61]);
            assert!(sizes.has_certificate(&in_one) && sizes.has_no_certificate(in_one[0], 0));
            let certified = with(&[700, 281, 53]);
            assert_eq!(sizes.place_of_finished(&certified), Some(2));
            assert!(!sizes.has_no_certificate(certified[0], 2), "{padding}");
        }
        let longer = SealedSizes::of(Some(0x1302));
        assert!(
            !longer.has_certificate(&records(&[69])) && !longer.has_certificate(&records(&[85]))
        );
        // The size that is padded in one is that of the other suite.
        assert!(longer.has_certificate(&records(&[53 + 40])));
    }
}
