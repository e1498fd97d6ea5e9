//! Frames of Initial packets (RFC 9000 section 19).

use super::header::variable;
use crate::tls::codec::ByteReader;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InitialFrame<'a> {
    /// A part of the handshake, and its place.
    Crypto(u64, &'a [u8]),
    /// The connection is closed, with this error.
    Close(u64),
}

/// Hands on what the frames say; those that say nothing of the handshake are passed over. `None` where they cannot be read on.
pub(super) fn read<'a>(bytes: &'a [u8], mut take: impl FnMut(InitialFrame<'a>)) -> Option<()> {
    let mut reader = ByteReader::new(bytes);
    while !reader.is_empty() {
        match variable(&mut reader)? {
            // Padding, and a ping.
            0 | 1 => {}
            kind @ (2 | 3) => acknowledgement(&mut reader, kind == 3)?,
            6 => {
                let place = variable(&mut reader)?;
                take(InitialFrame::Crypto(place, counted(&mut reader)?));
            }
            0x1c => {
                let error = variable(&mut reader)?;
                let _frame = variable(&mut reader)?;
                let _words = counted(&mut reader)?;
                take(InitialFrame::Close(error));
            }
            _ => return None,
        }
    }
    Some(())
}

fn acknowledgement(reader: &mut ByteReader<'_>, with_marks: bool) -> Option<()> {
    let (_largest, _delay) = (variable(reader)?, variable(reader)?);
    let (ranges, _first) = (variable(reader)?, variable(reader)?);
    // Each range takes two bytes at least, so that more than there are ends with the bytes.
    for _ in 0..ranges {
        let (_gap, _length) = (variable(reader)?, variable(reader)?);
    }
    for _ in 0..if with_marks { 3 } else { 0 } {
        let _count = variable(reader)?;
    }
    Some(())
}

fn counted<'a>(reader: &mut ByteReader<'a>) -> Option<&'a [u8]> {
    let length = variable(reader)?;
    reader.take(usize::try_from(length).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_of_a_handshake_are_read() {
        let frames =
            [0, 0, 1, 2, 5, 0, 1, 0, 1, 2, 6, 0x40, 7, 3, 1, 2, 3, 0x1c, 0x41, 0x28, 6, 1, 0x61];
        let mut found = Vec::new();
        read(&frames, |frame| found.push(frame)).unwrap();
        assert_eq!(found, [InitialFrame::Crypto(7, &[1, 2, 3]), InitialFrame::Close(0x128)]);
    }

    proptest! {
        #[test]
        fn no_frames_break_it(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&bytes, |_| {});
        }
    }
}
