//! The name of a schema, with which each of this program's files says what it is.

/// The longest name that is repeated in a message.
const MAX_NAME: usize = 64;

/// A file is of another kind, or of a later version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown schema {found:?}: expected {expected:?}")]
pub struct UnknownSchema {
    found: String,
    expected: &'static str,
}

impl UnknownSchema {
    /// The error about this name, which comes from a file.
    pub fn new(found: &str, expected: &'static str) -> Self {
        Self { found: found.chars().take(MAX_NAME).collect(), expected }
    }
}

/// Whether a file has the expected schema.
pub fn check(found: &str, expected: &'static str) -> Result<(), UnknownSchema> {
    if found == expected { Ok(()) } else { Err(UnknownSchema::new(found, expected)) }
}
