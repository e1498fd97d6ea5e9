//! A list of addresses: one a line, `#` starts a comment. Every bad line is reported, not only the first.

use std::io::{self, BufRead, Read};

use super::Origin;
use super::address::{Address, AddressError};

/// Longest line that is looked at, in bytes.
const MAX_LINE: u64 = 4096;

/// Lines that are read at the most.
const MAX_LINES: u32 = 10_000_000;

/// A line that is no address.
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
    /// It is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It is not UTF-8.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// It is longer than any address.
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// There are more lines than a list may have.
    #[error("the list has more than {MAX_LINES} lines")]
    TooMany,
    /// Reading failed.
    #[error("reading failed: {0}")]
    Read(#[from] io::Error),
}

/// Reads a list; the good lines with their places, and the bad ones.
pub fn read(file: &str, mut input: impl BufRead) -> (Vec<(Address, Origin)>, Vec<ListError>) {
    let (mut addresses, mut errors) = (Vec::new(), Vec::new());
    for line in 1.. {
        let mut bytes = Vec::new();
        let problem = match input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) if line > MAX_LINES => Some(LineProblem::TooMany),
            Ok(_) if bytes.len() as u64 > MAX_LINE => Some(LineProblem::TooLong),
            Ok(_) => parse(&bytes, file, line).map(|found| addresses.extend(found)).err(),
            Err(error) => Some(LineProblem::Read(error)),
        };
        let ends = matches!(
            problem,
            Some(LineProblem::TooLong | LineProblem::TooMany | LineProblem::Read(_))
        );
        errors.extend(problem.map(|problem| ListError { file: file.to_owned(), line, problem }));
        if ends {
            break;
        }
    }
    (addresses, errors)
}

fn parse(bytes: &[u8], file: &str, line: u32) -> Result<Option<(Address, Origin)>, LineProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    let said = text.split('#').next().unwrap_or_default();
    if said.trim().is_empty() {
        return Ok(None);
    }
    let indent = said.chars().take_while(|c| c.is_whitespace()).count();
    let column = u32::try_from(indent).unwrap_or(0).saturating_add(1);
    Ok(Some((said.parse()?, Origin { file: file.to_owned(), line, column })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_passed_over() {
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
                "list:1: \"0\" is no port; use a number from 1 to 65535",
                "list:3: the line is not UTF-8 text"
            ]
        );
    }

    #[test]
    fn an_endless_line_is_cut_off() {
        let (_, errors) = read("list", io::BufReader::new(io::repeat(b'a')));
        assert_eq!(errors.len(), 1);
    }
}
