//! Places in the text of a file: from bytes to lines and columns.

use super::Origin;

/// A text, and the start of each of its lines, so that lines are counted only once.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Places<'a> {
    /// The places in the text of this file.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let after_line_feeds = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_line_feeds).collect();
        Self { file, text, line_starts }
    }

    /// The place of a byte: line and column from 1, the column in characters.
    pub fn origin(&self, at: usize) -> Origin {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let before = self.text.get(self.line_starts[line - 1]..at).unwrap_or_default();
        let column = before.chars().count() + 1;
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Origin { file: self.file.to_owned(), line: narrow(line), column: narrow(column) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let places = Places::new("f", "a\nüb\n");
        let at = |byte| {
            let Origin { file, line, column } = places.origin(byte);
            assert_eq!(file, "f");
            (line, column)
        };
        assert_eq!([at(0), at(1), at(2), at(4), at(6)], [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]);
        assert_eq!([at(3), at(99)], [(2, 1), (3, 1)]);
    }
}
