//! A list of addresses, one per line; `#` starts a comment. Every bad line is reported, not only the first.

use std::io::{self, BufRead, Read};

use super::Origin;
use super::address::{Address, AddressError};
use super::range::expand;

/// The longest line, in bytes.
const MAX_LINE: u64 = 4096;

/// The most lines.
const MAX_LINES: u32 = 10_000_000;

/// The most addresses of all ranges of a list.
const MAX_IN_RANGES: usize = 1_000_000;

/// The most bytes of an overlong line that are skipped.
const MAX_SKIPPED: u64 = 64 * 1024 * 1024;

/// The most bad lines that are reported; a file with more is not a list of addresses.
const MAX_ERRORS: usize = 1000;

/// A line that is not a valid address.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct ListError {
    /// The list's name.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// It is not a valid address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It is not UTF-8.
    #[error("invalid line: expected UTF-8 text")]
    NotText,
    /// It is longer than any address.
    #[error("line too long: expected at most {MAX_LINE} bytes")]
    TooLong,
    /// There are more lines than a list may have.
    #[error("list too long: expected at most {MAX_LINES} lines")]
    TooMany,
    /// Its ranges have more addresses than a run can have.
    #[error("too many addresses: expected at most {MAX_IN_RANGES} in all ranges of the list")]
    TooManyInRanges,
    /// Reading failed.
    #[error("cannot read the list: {0}")]
    Read(#[from] io::Error),
}

/// Reads a list: `take` gets each address with its place. Returns the bad lines.
pub fn read(
    file: &str,
    mut input: impl BufRead,
    mut take: impl FnMut(Address, Origin),
) -> Vec<ListError> {
    let (mut errors, mut bytes, mut in_ranges) = (Vec::new(), Vec::new(), 0);
    for line in 1.. {
        bytes.clear();
        let problem = match next_line(&mut input, &mut bytes) {
            Ok(0) => break,
            Ok(_) if line > MAX_LINES => Some(LineProblem::TooMany),
            Ok(_) if bytes.len() as u64 > MAX_LINE => Some(LineProblem::TooLong),
            Ok(_) => match parse(&bytes, file, line) {
                Ok(found) if in_ranges + found.len() > MAX_IN_RANGES && found.len() > 1 => {
                    Some(LineProblem::TooManyInRanges)
                }
                Ok(found) => {
                    in_ranges += if found.len() > 1 { found.len() } else { 0 };
                    for (address, origin) in found {
                        take(address, origin);
                    }
                    None
                }
                Err(problem) => Some(problem),
            },
            Err(error) => Some(LineProblem::Read(error)),
        };
        let ends = matches!(
            problem,
            Some(LineProblem::TooMany | LineProblem::TooManyInRanges | LineProblem::Read(_))
        );
        errors.extend(problem.map(|problem| ListError { file: file.to_owned(), line, problem }));
        if ends || errors.len() == MAX_ERRORS {
            break;
        }
    }
    errors
}

/// Reads up to the line feed. Of an overlong line it reads just enough to notice, and skips the rest.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let read = input.by_ref().take(MAX_LINE + 1).read_until(b'\n', line)?;
    if read as u64 > MAX_LINE && !line.ends_with(b"\n") {
        let mut skipped = input.by_ref().take(MAX_SKIPPED);
        if skipped.skip_until(b'\n')? as u64 == MAX_SKIPPED {
            return Err(io::Error::other("endless line"));
        }
    }
    Ok(read)
}

/// The addresses of a line: none, one, or those of a range.
fn parse(bytes: &[u8], file: &str, line: u32) -> Result<Vec<(Address, Origin)>, LineProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    let entry = without_comment(text);
    if entry.trim().is_empty() {
        return Ok(Vec::new());
    }
    let indent = entry.chars().take_while(|c| c.is_whitespace()).count();
    let column = u32::try_from(indent).unwrap_or(0).saturating_add(1);
    let origin = Origin { file: file.to_owned(), line, column };
    Ok(expand(entry)?.into_iter().map(|address| (address, origin.clone())).collect())
}

/// A `#` starts a comment at the start of a line or after a space, so that a URL keeps its fragment.
fn without_comment(text: &str) -> &str {
    let starts = |at: &usize| text[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let comment = text.match_indices('#').map(|(at, _)| at).find(starts);
    comment.map_or(text, |at| &text[..at])
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;

    fn read(file: &str, input: impl BufRead) -> (Vec<(Address, Origin)>, Vec<ListError>) {
        let mut addresses = Vec::new();
        let errors = super::read(file, input, |address, origin| addresses.push((address, origin)));
        (addresses, errors)
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let (addresses, errors) = read("list", &b"# all\n\n  a.test:1 # first\r\nb.test"[..]);
        assert!(errors.is_empty());
        let places: Vec<_> =
            addresses.iter().map(|(a, o)| (a.host.to_string(), a.port, o.line, o.column)).collect();
        assert_eq!(
            places,
            [("a.test".to_owned(), Some(1), 3, 3), ("b.test".to_owned(), None, 4, 1)]
        );
    }

    #[test]
    fn every_bad_line_is_reported_with_its_place() {
        let (addresses, errors) = read("list", &b"a.test:0\nb.test\n\xff\n"[..]);
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(addresses.len(), 1);
        assert_eq!(
            texts,
            [
                "list:1: invalid port \"0\": expected 1 to 65535",
                "list:3: invalid line: expected UTF-8 text"
            ]
        );
    }

    #[test]
    fn a_url_keeps_its_fragment() {
        let (addresses, errors) = read("list", &b"https://a.test/#top # first\n#b.test\n"[..]);
        assert!(errors.is_empty());
        assert_eq!(addresses.len(), 1);
    }

    #[test]
    fn ranges_have_a_bound_together() {
        let mut count = 0;
        let errors = super::read("list", "10.0.0.0/20\n".repeat(300).as_bytes(), |_, _| count += 1);
        assert_eq!(count, MAX_IN_RANGES / 4094 * 4094);
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert!(error.to_string().starts_with("list:245: too many addresses"), "{error}");
    }

    #[test]
    fn an_overlong_line_hides_no_line_after_it() {
        let list = format!("{}\nb.test:0\nc.test\n", "a".repeat(100_000));
        let (addresses, errors) = read("list", list.as_bytes());
        let lines: Vec<u32> = errors.iter().map(|error| error.line).collect();
        assert_eq!((lines, addresses.len()), (vec![1, 2], 1));
    }

    #[test]
    fn what_never_ends_is_cut_off() {
        let (_, errors) = read("list", io::BufReader::new(io::repeat(b'a')));
        assert_eq!(errors.len(), 1);
        let (_, errors) = read("list", io::BufReader::new(Endless));
        assert_eq!(errors.len(), MAX_ERRORS);
    }

    struct Endless;

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.chunks_exact_mut(2).for_each(|chunk| chunk.copy_from_slice(b"?\n"));
            Ok(buffer.len() & !1)
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(list in vec(any::<u8>(), 0..300)) {
            let _ = read("list", &list[..]);
        }
    }
}
