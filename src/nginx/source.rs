//! The source of a configuration's files. Callers implement the trait for a disk or a dump.

use std::collections::BTreeMap;

use super::glob;

/// Why a file cannot be read: the system's error number and message, as nginx prints them: `2: No such file or
/// directory`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number}: {text}")]
pub struct ReadFailure {
    /// The system's error number.
    pub number: i32,
    /// Its message.
    pub text: String,
}

impl ReadFailure {
    /// There is no such file.
    pub fn missing() -> Self {
        Self { number: 2, text: "No such file or directory".to_owned() }
    }
}

/// The files of a configuration, by the names that nginx knows them by.
pub trait Source {
    /// The contents of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure>;

    /// The files that match a pattern of `glob(3)`, sorted; no match is not an error. `None` if there are more than the
    /// limit.
    fn glob(&self, pattern: &str) -> Option<Vec<String>>;

    /// The folder of a pattern if it cannot be listed, so that the matches are unknown.
    fn unlisted(&self, _pattern: &str) -> Option<String> {
        None
    }
}

/// A single file, without its includes.
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    /// Its name.
    pub path: &'a str,
    /// Its contents.
    pub text: &'a [u8],
}

impl Source for Single<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        if path == self.path { Ok(self.text.to_vec()) } else { Err(ReadFailure::missing()) }
    }

    fn glob(&self, _: &str) -> Option<Vec<String>> {
        Some(Vec::new())
    }
}

/// Files in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// Files by their names.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.to_owned(), text.to_vec())).collect())
    }

    /// Adds a file, or replaces it.
    pub fn put(&mut self, path: &str, text: &[u8]) {
        self.0.insert(path.to_owned(), text.to_vec());
    }
}

impl Source for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        self.0.get(path).cloned().ok_or_else(ReadFailure::missing)
    }

    fn glob(&self, pattern: &str) -> Option<Vec<String>> {
        Some(glob::among(pattern, &self.0))
    }
}
