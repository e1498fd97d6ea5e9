//! Suggestions for unknown words, with the word escaped.

use std::fmt::{self, Display};

/// The closest known word if one is close, otherwise all of them.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    // Long texts are not typing errors, and comparing them is slow.
    let closest = known
        .iter()
        .filter(|_| word.len() <= 64)
        .map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match closest {
        Some((_, candidate)) => format!("; did you mean `{candidate}`?"),
        None => format!("; known values: {}", known.join(", ")),
    }
}

/// A word of a file, shortened and with control characters escaped.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            None => write!(f, "{}", self.0.escape_debug()),
            Some((end, _)) => write!(f, "{}…", self.0[..end].escape_debug()),
        }
    }
}
