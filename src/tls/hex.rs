//! Bytes in hexadecimal digits.

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |four_bits: u8| char::from(b"0123456789abcdef"[usize::from(four_bits)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}

/// The bytes that these digits stand for, two for each.
pub fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = (0..digits.len()).step_by(2);
    let byte = |at: usize| {
        let pair = digits.get(at..at + 2).filter(|pair| !pair.starts_with('+'))?;
        u8::from_str_radix(pair, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_for_bytes() {
        assert_eq!(bytes("00ff7F"), Some(vec![0, 255, 127]));
        assert_eq!(hex(&[0, 255, 127]), "00ff7f");
        for wrong in ["0", "+1", "0g", "äb"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
