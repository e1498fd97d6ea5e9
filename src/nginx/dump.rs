//! The output of `nginx -T`: every file after a line `# configuration file PATH:`, in the order of reading.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::glob;
use super::source::{ReadFailure, Source};
use super::token::{Lexer, Token};
use super::tree::{folder, full_name};

/// The start of the line before a file.
const MARKER: &[u8] = b"# configuration file ";

/// The files of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// The file that nginx read first.
    pub main: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Dump {
    /// Splits a dump into files; `None` if there is no such line. Text before the first one is dropped.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut marks = marks(text).into_iter();
        let first = marks.next()?;
        let mut dump = Self { main: first.path.clone(), files: BTreeMap::new() };
        let prefix = folder(&dump.main);
        let mut current = DumpedFile::new(first, text);
        let mut includes = Includes::default();
        for mark in marks {
            if !current.ends_at(mark.start) {
                continue;
            }
            for path in current.includes.drain(..) {
                includes.add(full_name(prefix, &path));
            }
            // A comment may look like such a line, but does not name an included file.
            if includes.covers(&mark.path) {
                current.finish(mark.start, &mut dump.files);
                current = DumpedFile::new(mark, text);
            }
        }
        current.finish(text.len(), &mut dump.files);
        Some(dump)
    }
}

impl Source for Dump {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        self.files.get(path).cloned().ok_or_else(ReadFailure::missing)
    }

    fn glob(&self, pattern: &str) -> Option<Vec<String>> {
        Some(glob::among(pattern, &self.files))
    }
}

/// The most patterns that are tried; a real dump has a few per file.
const MAX_TRIES: usize = 10_000_000;

/// The names and patterns that the files so far include.
#[derive(Default)]
struct Includes {
    paths: HashSet<String>,
    patterns: BTreeSet<String>,
    tries: usize,
}

impl Includes {
    fn add(&mut self, path: String) {
        if glob::is_pattern(&path) {
            self.patterns.insert(path);
        } else {
            self.paths.insert(path);
        }
    }

    fn covers(&mut self, path: &str) -> bool {
        if self.paths.contains(path) {
            return true;
        }
        self.tries += self.patterns.len();
        self.tries <= MAX_TRIES && self.patterns.iter().any(|one| glob::matches(one, path))
    }
}

/// A line that may start a file.
struct Mark {
    path: String,
    /// Offset of the line.
    start: usize,
    /// Offset of the line after it.
    end: usize,
}

fn marks(text: &[u8]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(path) = line.strip_prefix(MARKER).and_then(|rest| rest.strip_suffix(b":")) {
            marks.push(Mark { path: String::from_utf8_lossy(path).into_owned(), start, end });
        }
        start = end;
    }
    marks
}

/// One file of the dump, parsed as far as needed to know where it may end.
struct DumpedFile<'a> {
    path: String,
    text: &'a [u8],
    start: usize,
    lexer: Lexer<'a>,
    depth: usize,
    /// The start of the last statement, and the depth before it.
    last: (usize, usize),
    includes: Vec<String>,
    broken: bool,
}

impl<'a> DumpedFile<'a> {
    fn new(mark: Mark, text: &'a [u8]) -> Self {
        Self {
            path: mark.path,
            text,
            start: mark.end,
            lexer: Lexer::new(&text[mark.end..]),
            depth: 0,
            last: (mark.end, 0),
            includes: Vec::new(),
            broken: false,
        }
    }

    /// Whether a file may end at this offset: outside every block and statement.
    fn ends_at(&mut self, offset: usize) -> bool {
        while !self.broken && self.start + self.lexer.offset() < offset {
            self.advance();
        }
        let (begins, depth_before) = self.last;
        let reached = self.start + self.lexer.offset();
        self.broken
            || (begins > offset && depth_before == 0)
            || (reached == offset && self.depth == 0)
    }

    fn advance(&mut self) {
        let depth = self.depth;
        let begins = match self.lexer.token() {
            Ok(Token::Simple(statement)) => {
                if let [path] = statement.arguments.as_slice()
                    && statement.name == "include"
                {
                    self.includes.push(path.clone());
                }
                self.start + statement.start
            }
            Ok(Token::Open(statement)) => {
                let is_lua = statement.name.ends_with("_by_lua_block");
                if !(is_lua && self.lexer.skip_lua()) {
                    self.depth += 1;
                }
                self.start + statement.start
            }
            Ok(Token::Close) => {
                self.depth = depth.saturating_sub(1);
                self.start + self.lexer.offset()
            }
            Ok(Token::End) => usize::MAX,
            Err(_) => {
                self.broken = true;
                usize::MAX
            }
        };
        self.last = (begins, depth);
    }

    /// Keeps the file up to this offset, without the line break that nginx adds.
    fn finish(self, end: usize, files: &mut BTreeMap<String, Vec<u8>>) {
        let text = self.text.get(self.start..end).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        files.entry(self.path).or_insert_with(|| text.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let dump = Dump::read(text.as_bytes()).unwrap();
        let files: Vec<(&str, String)> = dump
            .files
            .iter()
            .map(|(path, text)| (path.as_str(), String::from_utf8(text.clone()).unwrap()))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
        assert_eq!(files, expected);
    }

    #[test]
    fn files_are_distinguished() {
        check(
            "nginx: syntax is ok\n# configuration file /e/n.conf:\na { include c/*.conf; }\n\n\
             # configuration file /e/c/b.conf:\nb;\n",
            &[("/e/c/b.conf", "b;"), ("/e/n.conf", "a { include c/*.conf; }\n")],
        );
    }

    #[test]
    fn a_comment_that_looks_like_a_marker_is_a_comment() {
        let inside = "a {\n# configuration file /e/b:\n include b; }\n";
        check(&format!("# configuration file /e/n:\n{inside}\n"), &[("/e/n", inside)]);
        let unknown = "a;\n# configuration file /x:\nb;\n";
        check(&format!("# configuration file /e/n:\n{unknown}\n"), &[("/e/n", unknown)]);
        let quoted = "include /x; a \"\n# configuration file /x:\n\";\n";
        check(&format!("# configuration file /e/n:\n{quoted}\n"), &[("/e/n", quoted)]);
    }

    #[test]
    fn text_without_file_names_is_not_a_dump() {
        assert_eq!(Dump::read(b"http { }\n"), None);
        assert_eq!(Dump::read(b""), None);
    }
}
