//! Variables of a configuration: what `set`, `map` and their kin make of them, as far as that can be known without a request.

use std::collections::BTreeMap;

/// Values that are given from outside, by the variable's name without `$`.
pub type Variables = BTreeMap<String, String>;

/// Why a text with variables has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Each request decides, or code that is not read.
    #[error("${0} has its value from each request; give one with --var {0}=VALUE")]
    PerRequest(String),
    /// A regular expression captures it.
    #[error("${0} is captured by a regular expression; give a value with --var {0}=VALUE")]
    Captured(String),
    /// A variable that is defined by way of itself, or too deep.
    #[error("${0} is defined by way of too many other variables")]
    TooDeep(String),
    /// More combinations of values than are followed.
    #[error("${0} has too many possible values")]
    TooMany(String),
}
