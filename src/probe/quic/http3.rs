//! A request and its answer in HTTP/3 (RFC 9114), as far as they say whether a client is served: the status and the page.
//!
//! Header fields are packed (RFC 9204) with the static table alone, which is all that a client without settings may be sent.

/// The stream that a client must open: its kind (control), and a frame of no settings.
pub(super) const CONTROL: [u8; 3] = [0x00, 0x04, 0x00];

/// The frame of header fields.
const HEADERS: u64 = 0x01;

/// The frame of a page.
const DATA: u64 = 0x00;

/// `GET /` to this host.
pub(super) fn get(host: &str) -> Vec<u8> {
    // No dynamic table; then :method GET, :scheme https and :path / are entries 17, 23 and 1 of the static one.
    let mut fields = vec![0x00, 0x00, 0xc0 + 17, 0xc0 + 23, 0xc0 + 1];
    // :authority is entry 0, and user-agent entry 95.
    for (name, value) in [(0, host), (95, "shakedown")] {
        with_prefix(&mut fields, (0x50, 4), name);
        with_prefix(&mut fields, (0x00, 7), value.len());
        fields.extend_from_slice(value.as_bytes());
    }
    let mut frame = vec![0x01];
    // Of the sizes of a number, the one with two bytes holds any name.
    let length = u16::try_from(fields.len()).unwrap_or(0) & 0x3fff;
    frame.extend_from_slice(&(0x4000 | length).to_be_bytes());
    frame.extend(fields);
    frame
}

/// A number behind the first bits of a byte, of which `bits` are its own (RFC 7541 section 5.1).
fn with_prefix(bytes: &mut Vec<u8>, (first, bits): (u8, u32), number: usize) {
    let most = (1 << bits) - 1;
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    if number < most {
        bytes.push(first | byte(number));
        return;
    }
    bytes.push(first | byte(most));
    let mut rest = number - most;
    while rest >= 128 {
        bytes.push(0x80 | byte(rest % 128));
        rest /= 128;
    }
    bytes.push(byte(rest));
}

/// The answer as HTTP/1 would have it: its status line, then the page; `None` without a status that is known here.
pub(super) fn answer(stream: &[u8]) -> Option<Vec<u8>> {
    let (mut status, mut page) = (None, Vec::new());
    let mut rest = stream;
    while let Some((kind, behind)) = varint(rest) {
        let Some((length, body)) = varint(behind) else { break };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(body.len());
        let (frame, behind) = body.split_at(length);
        match kind {
            // Of several, the last is the final one.
            HEADERS if page.is_empty() => status = self::status(frame).or(status),
            DATA => page.extend_from_slice(frame),
            _ => {}
        }
        rest = behind;
    }
    let mut text = format!("HTTP/1.1 {}\r\n\r\n", status?).into_bytes();
    text.extend(page);
    Some(text)
}

/// A number of QUIC (RFC 9000 section 16), and what is behind it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let (number, behind) = bytes.split_at_checked(1 << (first >> 6))?;
    let start = u64::from(first & 0x3f);
    Some((number[1..].iter().fold(start, |all, byte| all << 8 | u64::from(*byte)), behind))
}

/// The entries of the static table that are statuses, and their numbers.
const STATUSES: [(u8, u16); 14] = [
    (24, 103),
    (25, 200),
    (26, 304),
    (27, 404),
    (28, 503),
    (63, 100),
    (64, 204),
    (65, 206),
    (66, 302),
    (67, 400),
    (68, 403),
    (69, 421),
    (70, 425),
    (71, 500),
];

/// The status, which is the first field of an answer.
fn status(fields: &[u8]) -> Option<u16> {
    let [_, _, fields @ ..] = fields else { return None };
    match *fields {
        [first @ 0xc0..=0xfe, ..] => known(first & 0x3f),
        // A number that does not fit the first byte.
        [0xff, more, ..] => known(0x3f + (more & 0x7f)),
        // A value of its own, with the name of an entry.
        [0x5f | 0x7f, more, ref rest @ ..] => {
            known(0x0f + (more & 0x7f))?;
            value(rest)
        }
        _ => None,
    }
}

fn known(entry: u8) -> Option<u16> {
    STATUSES.iter().find(|(known, _)| *known == entry).map(|(_, status)| *status)
}

/// Three digits, as they are or in Huffman's code.
fn value(bytes: &[u8]) -> Option<u16> {
    let (first, rest) = bytes.split_first()?;
    let text = rest.get(..usize::from(first & 0x7f))?;
    if first & 0x80 == 0 {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let bits = text.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    let mut left = u32::try_from(text.len()).ok().filter(|length| *length <= 3)? * 8;
    let mut status = 0;
    for _ in 0..3 {
        // 0, 1 and 2 have five bits, the other digits six, from 25 on (RFC 7541 appendix B).
        let peek =
            |count: u32| left.checked_sub(count).map(|after| bits >> after & ((1 << count) - 1));
        let (digit, count) = match (peek(5)?, peek(6)) {
            (short @ 0..=2, _) => (short, 5),
            (_, Some(long @ 25..=31)) => (long - 22, 6),
            _ => return None,
        };
        left -= count;
        status = status * 10 + u16::try_from(digit).ok()?;
    }
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x01, u8::try_from(fields.len()).unwrap() + 2, 0, 0];
        frame.extend_from_slice(fields);
        frame
    }

    #[track_caller]
    fn check(fields: &[u8], expected: Option<u16>) {
        let found = answer(&headers(fields));
        let expected = expected.map(|status| format!("HTTP/1.1 {status}\r\n\r\n").into_bytes());
        assert_eq!(found, expected, "{fields:x?}");
    }

    #[test]
    fn a_status_is_read_in_each_of_its_forms() {
        check(&[0xd9], Some(200));
        check(&[0xff, 0x04], Some(400));
        // A literal with the name of entry 25 or 24.
        check(&[0x5f, 0x0a, 3, b'4', b'0', b'1'], Some(401));
        check(&[0x5f, 0x09, 3, b'4', b'9', b'6'], Some(496));
        // 496 is 011010 011111 011100, and ones fill the last byte.
        check(&[0x5f, 0x0a, 0x83, 0b0110_1001, 0b1111_0111, 0b0011_1111], Some(496));
        check(&[0x5f, 0x0a, 0x82, 0b0110_1000, 0b0000_0111], None);
        for bad in [&[][..], &[0xc0], &[0x5f], &[0x5f, 0x0a, 0x83], &[0x50, 1, b'x']] {
            check(bad, None);
        }
    }

    #[test]
    fn the_page_follows_the_last_headers() {
        let mut stream = headers(&[0xd8]);
        stream.extend(headers(&[0xff, 0x04]));
        // A frame of an unknown kind, then a page that is cut off.
        stream.extend([0x21, 1, 0, 0x00, 0x40, 0x10]);
        stream.extend(b"No required SSL");
        let read = String::from_utf8(answer(&stream).unwrap()).unwrap();
        assert_eq!(read, "HTTP/1.1 400\r\n\r\nNo required SSL");
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&[0xc0]), None);
    }

    #[test]
    fn a_request_has_the_fields_of_the_static_table() {
        let request = get("a.test");
        let start = [0x01, 0x40, 25, 0, 0, 0xd1, 0xd7, 0xc1, 0x50, 6];
        assert_eq!(request[..start.len()], start);
        assert!(request.ends_with(b"a.test\x5f\x50\x09shakedown"));
        let long = "a".repeat(253);
        let request = get(&long);
        assert_eq!(request[8..11], [0x50, 0x7f, 126]);
    }
}
