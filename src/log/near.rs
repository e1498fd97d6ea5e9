//! Searches for a byte that is probably near, which costs less here than it takes to start a search of long texts.

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first place of this byte.
#[inline]
pub(super) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    let pattern = u64::from_ne_bytes([byte; 8]);
    for (at, word) in words.iter().enumerate() {
        let difference = u64::from_le_bytes(*word) ^ pattern;
        // Marks the first byte that is zero; marks of later ones may be wrong.
        let zeros = difference.wrapping_sub(LOW) & !difference & HIGH;
        if zeros != 0 {
            return Some(at * 8 + (zeros.trailing_zeros() / 8) as usize);
        }
    }
    let found = rest.iter().position(|other| *other == byte)?;
    Some(text.len() - rest.len() + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(text in prop::collection::vec(0..4_u8, 0..40), shift in 0..128_u8) {
            let text: Vec<u8> = text.iter().map(|byte| byte.wrapping_mul(127).wrapping_add(shift)).collect();
            for byte in (0..4_u8).map(|byte| byte.wrapping_mul(127).wrapping_add(shift)) {
                assert_eq!(find(byte, &text), memchr::memchr(byte, &text), "{byte} in {text:?}");
            }
        }
    }
}
