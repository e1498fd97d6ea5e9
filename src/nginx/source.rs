//! Where the files of a configuration come from. A caller with a disk or a dump stands behind the trait.

use std::collections::BTreeMap;

use super::glob;

/// Why a file cannot be read: the system's number and words, as nginx prints them: `2: No such file or directory`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number}: {text}")]
pub struct ReadFailure {
    /// The system's error number.
    pub number: i32,
    /// Its words.
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
    /// A file's content.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure>;

    /// The files that match a pattern of `glob(3)`, sorted; none is not a fault.
    fn glob(&self, pattern: &str) -> Vec<String>;

    /// Whether more files match a pattern than are read.
    fn too_many(&self, _pattern: &str) -> bool {
        false
    }

    /// The folder of a pattern, where it may not be listed, so that nobody knows what matches.
    fn unlisted(&self, _pattern: &str) -> Option<String> {
        None
    }
}

/// One file that stands for itself: its includes are missing.
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    /// Its name.
    pub path: &'a str,
    /// Its content.
    pub text: &'a [u8],
}

impl Source for Single<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadFailure> {
        if path == self.path { Ok(self.text.to_vec()) } else { Err(ReadFailure::missing()) }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
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

    fn glob(&self, pattern: &str) -> Vec<String> {
        glob::among(pattern, &self.0)
    }
}
