//! The lines of a manifest in which the values of its objects begin; what reads YAML and JSON does not keep them.

use memchr::memmem;

/// How much of a value is searched for. The certificates of one authority begin with the same bytes: PEM in base64 has its
/// first serial number within 100.
const NEEDLE: usize = 256;

/// Among how many words of a value a long one is chosen.
const MAX_WORDS: usize = 8;

/// How many times the file's length is searched in all. A value that is not in it as it is (escaped, folded) costs the
/// rest of the file.
const MAX_LENGTHS: usize = 16;

/// Finds values in the order of their objects.
pub(super) struct ValueLines<'a> {
    text: &'a [u8],
    /// Where the object's values may begin, and that place's line.
    from: (usize, u32),
    /// Where the last of its values begins, and that place's line.
    last: (usize, u32),
    /// How many bytes may still be searched.
    left: usize,
}

impl<'a> ValueLines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text, from: (0, 1), last: (0, 1), left: MAX_LENGTHS * text.len() }
    }

    /// The values that follow belong to the next object: they are behind those of the last one.
    pub(super) fn next_object(&mut self) {
        self.from = self.last;
    }

    /// The line of a value, from 1. If it is not found, that of the last one.
    pub(super) fn of_value(&mut self, value: &str) -> u32 {
        let (from, line) = self.from;
        let Some(needle) = needle(value).filter(|_| self.left > 0) else { return self.last.1 };
        let found = memmem::find(&self.text[from..], needle.as_bytes()).map(|at| from + at);
        self.left = self.left.saturating_sub(found.unwrap_or(self.text.len()) - from);
        let Some(at) = found else { return self.last.1 };
        let lines = memchr::memchr_iter(b'\n', &self.text[from..at]).count();
        let line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        if at >= self.last.0 {
            // Behind what was found: the same value may follow in the next object.
            self.last = (at + needle.len(), line);
        }
        line
    }
}

/// The first long text of a value that is its own: the marks of PEM are the same in all.
fn needle(value: &str) -> Option<&str> {
    let own: Vec<&str> =
        value.split_whitespace().filter(|word| !word.contains("-----")).take(MAX_WORDS).collect();
    // Of equals, the last that is met is taken.
    let own = own.iter().rev().max_by_key(|word| word.len().min(NEEDLE))?;
    own.get(..own.len().min(NEEDLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_in_the_next_object_is_another_line() {
        let text = "a: xyz\nb: uvw\n---\na: xyz\nb: uvw\n";
        let mut lines = ValueLines::of(text.as_bytes());
        lines.next_object();
        assert_eq!((lines.of_value("uvw"), lines.of_value("xyz")), (2, 1));
        lines.next_object();
        assert_eq!((lines.of_value("xyz"), lines.of_value("uvw")), (4, 5));
    }

    #[test]
    fn certificates_that_begin_alike_have_lines_of_their_own() {
        let [one, two] = ["1", "2"].map(|end| "MIIB".repeat(40) + end);
        let text = format!("a: {one}\nb: {two}\n");
        let mut lines = ValueLines::of(text.as_bytes());
        assert_eq!((lines.of_value(&one), lines.of_value(&two)), (1, 2));
    }

    #[test]
    fn an_object_of_many_values_is_not_searched_without_end() {
        let values: Vec<String> = (0..1000).map(|number| format!("value-{number:04}")).collect();
        let text = values.join("\n");
        let mut lines = ValueLines::of(text.as_bytes());
        let found: Vec<u32> = values.iter().map(|value| lines.of_value(value)).collect();
        assert_eq!(found[..100], (1..=100).collect::<Vec<u32>>());
        // Then the line stays that of the last one.
        assert!(lines.left == 0 && found[999] < 300, "{found:?}");
    }

    #[test]
    fn a_value_that_is_written_otherwise_has_the_line_of_the_one_before() {
        let mut lines = ValueLines::of(b"\na: xyz\n");
        assert_eq!((lines.of_value("xyz"), lines.of_value("x/z"), lines.of_value("")), (2, 2, 2));
    }
}
