//! Records (RFC 8446 section 5.1): the frames of all TLS data.

use super::codec::ByteReader;

/// The largest unencrypted payload of a record, in bytes.
pub const MAX_PLAINTEXT: usize = 1 << 14;

/// Old versions allow this much more for compression and encryption (RFC 5246 section 6.2.3).
const MAX_EXPANSION: usize = 2048;

/// A record's `ContentType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType(pub u8);

impl ContentType {
    /// Announces new keys.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// Alerts.
    pub const ALERT: Self = Self(21);
    /// Handshake messages or parts of them.
    pub const HANDSHAKE: Self = Self(22);
    /// Application data, and whatever TLS 1.3 encrypts.
    pub const APPLICATION_DATA: Self = Self(23);
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it carries.
    pub content: ContentType,
    /// What it carries, as bytes.
    pub payload: &'a [u8],
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// No record has that content type.
    #[error("there is no record of type {0}")]
    ContentType(u8),
    /// No SSL or TLS has that major version.
    #[error("there is no record version {0}.x")]
    MajorVersion(u8),
    /// The length, in bytes, is over the limit.
    #[error("a record of {0} bytes")]
    TooLong(u16),
}

/// Splits the first record off `bytes`: the record and its length in bytes; `None` if it is not complete.
///
/// An invalid first byte is an error even without the second.
pub fn split(bytes: &[u8]) -> Result<Option<(Record<'_>, usize)>, RecordError> {
    let mut reader = ByteReader::new(bytes);
    let Ok(content) = reader.u8() else {
        return Ok(None);
    };
    if !(20..=24).contains(&content) {
        return Err(RecordError::ContentType(content));
    }
    let Ok(major) = reader.u8() else {
        return Ok(None);
    };
    // BearSSL alerts under version 0.0 before a version is chosen.
    let unversioned_alert = content == ContentType::ALERT.0 && major == 0;
    if major != 3 && !unversioned_alert {
        return Err(RecordError::MajorVersion(major));
    }
    let (Ok(_minor), Ok(length)) = (reader.u8(), reader.u16()) else {
        return Ok(None);
    };
    if usize::from(length) > MAX_PLAINTEXT + MAX_EXPANSION {
        return Err(RecordError::TooLong(length));
    }
    let Ok(payload) = reader.take(length.into()) else {
        return Ok(None);
    };
    let consumed = bytes.len() - reader.rest().len();
    Ok(Some((Record { content: ContentType(content), payload }, consumed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_or_awaited() {
        let bytes = [22, 3, 1, 0, 2, 7, 8, 99];
        for end in 0..7 {
            assert_eq!(split(&bytes[..end]), Ok(None));
        }
        let record = Record { content: ContentType::HANDSHAKE, payload: &[7, 8] };
        assert_eq!(split(&bytes), Ok(Some((record, 7))));
    }

    #[test]
    fn invalid_records_are_recognised_by_their_first_bytes() {
        assert_eq!(split(b"H"), Err(RecordError::ContentType(b'H')));
        assert_eq!(split(&[22, 2]), Err(RecordError::MajorVersion(2)));
        assert_eq!(split(&[22, 3, 1, 0xff, 0xff]), Err(RecordError::TooLong(0xffff)));
    }
}
