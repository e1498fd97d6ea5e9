//! Numbers that mean nothing, which clients send so that servers learn to ignore what they do not know (RFC 8701).

/// Whether a number is one of the sixteen.
pub fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// The numbers that mean something.
pub fn meant(numbers: &[u16]) -> impl Iterator<Item = u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number))
}
