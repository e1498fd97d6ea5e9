//! `--output [FORMAT=]FILE`: a file to write to, and its form.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::report::Format;

/// A file to write to, and the form where it has one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// `None` means the form of `--format`.
    pub(super) format: Option<Format>,
    pub(super) path: PathBuf,
}

/// Reads `FILE` or `FORMAT=FILE`. A word before `=` that is no format is a mistake, not a part of a file's name.
pub(super) fn destination(text: OsString) -> Result<Destination, String> {
    let Some((word, path)) = text.to_str().and_then(|text| text.split_once('=')) else {
        return Ok(Destination { format: None, path: text.into() });
    };
    if word.contains(['/', '.']) {
        return Ok(Destination { format: None, path: text.into() });
    }
    match Format::from_str(word, false) {
        Ok(_) if path.is_empty() => Err(format!("{word}= names no file")),
        Ok(format) => Ok(Destination { format: Some(format), path: path.into() }),
        Err(_) => {
            let known: Vec<_> =
                Format::value_variants().iter().map(|format| format.name()).collect();
            Err(format!(
                "no form is called {word:?}; known are {} (a file of such a name is written ./{})",
                known.join(", "),
                text.to_string_lossy()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Option<Format>, &str), &str>) {
        let found = destination(text.into()).map(|one| (one.format, one.path));
        match (found, expected) {
            (Ok((format, path)), Ok((wanted, file))) => {
                assert_eq!((format, path), (wanted, PathBuf::from(file)));
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn a_destination_is_a_file_or_a_format_and_a_file() {
        check("report.txt", Ok((None, "report.txt")));
        check("sarif=a=b.sarif", Ok((Some(Format::Sarif), "a=b.sarif")));
        check("./sarif=x", Ok((None, "./sarif=x")));
        check("/tmp/a=b", Ok((None, "/tmp/a=b")));
        check("sarfi=x", Err("no form is called \"sarfi\""));
        check("json=", Err("names no file"));
    }
}
