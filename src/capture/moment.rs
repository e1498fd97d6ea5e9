//! When something was captured.

/// When something came, and what its sender had received by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureMoment {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The place behind it in its own direction.
    pub end: u32,
    /// The place in the other direction up to which its sender had received all.
    pub received: u32,
}
