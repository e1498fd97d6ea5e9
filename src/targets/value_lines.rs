//! The lines of a manifest in which the values of its objects begin; what reads YAML and JSON does not keep them.

use memchr::memmem;

/// How much of a value is searched for.
const NEEDLE: usize = 64;

/// Among how many words of a value a long one is chosen.
const MAX_WORDS: usize = 8;

/// After so many values that are not in the file as they are (escaped, folded), no more are searched for.
const MAX_MISSES: u32 = 16;

/// Finds values in the order of their objects.
pub(super) struct ValueLines<'a> {
    text: &'a [u8],
    /// Where the object's values may begin, and that place's line.
    from: (usize, u32),
    /// Where the last of its values begins, and that place's line.
    last: (usize, u32),
    misses: u32,
}

impl<'a> ValueLines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { text, from: (0, 1), last: (0, 1), misses: 0 }
    }

    /// The values that follow belong to the next object: they are behind those of the last one.
    pub(super) fn next_object(&mut self) {
        self.from = self.last;
    }

    /// The line of a value, from 1. If it is not found, that of the last one.
    pub(super) fn of_value(&mut self, value: &str) -> u32 {
        let (from, line) = self.from;
        let found = needle(value).filter(|_| self.misses < MAX_MISSES).map(|needle| {
            memmem::find(&self.text[from..], needle.as_bytes()).map(|at| (from + at, needle.len()))
        });
        match found {
            Some(Some((at, length))) => {
                let lines = memchr::memchr_iter(b'\n', &self.text[from..at]).count();
                let line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
                if at >= self.last.0 {
                    // Behind what was found: the same value may follow in the next object.
                    self.last = (at + length, line);
                }
                line
            }
            Some(None) => {
                self.misses += 1;
                self.last.1
            }
            None => self.last.1,
        }
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
    fn a_value_that_is_written_otherwise_has_the_line_of_the_one_before() {
        let mut lines = ValueLines::of(b"\na: xyz\n");
        assert_eq!((lines.of_value("xyz"), lines.of_value("x/z"), lines.of_value("")), (2, 2, 2));
    }
}
