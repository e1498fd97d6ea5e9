//! The name of a directive.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use super::table::{self, KnownDirective};

/// The name of a directive. One that nginx has is not copied, and comparing two of those is comparing numbers.
#[derive(Clone)]
pub struct DirectiveName(NameKind);

#[derive(Clone)]
enum NameKind {
    Known(&'static KnownDirective),
    Other(Box<str>),
}

impl DirectiveName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            NameKind::Known(known) => known.name,
            NameKind::Other(name) => name,
        }
    }

    /// What nginx itself says of it; `None` if it belongs to another module.
    pub(super) fn known(&self) -> Option<&'static KnownDirective> {
        match &self.0 {
            NameKind::Known(known) => Some(known),
            NameKind::Other(_) => None,
        }
    }
}

impl From<&str> for DirectiveName {
    fn from(name: &str) -> Self {
        Self(match table::find(name) {
            Some(known) => NameKind::Known(known),
            None => NameKind::Other(name.into()),
        })
    }
}

impl Deref for DirectiveName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Ord for DirectiveName {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (NameKind::Known(one), NameKind::Known(other)) => one.number.cmp(&other.number),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for DirectiveName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DirectiveName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for DirectiveName {}

impl PartialEq<str> for DirectiveName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for DirectiveName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for DirectiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for DirectiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_texts_whoever_has_them() {
        let texts = ["a", "listen", "listen_to", "proxy_pass", "proxy_pasta", "ssl_protocols", "z"];
        let names: Vec<DirectiveName> = texts.iter().map(|&text| text.into()).collect();
        assert!(names.is_sorted());
        for (name, text) in names.iter().zip(texts) {
            assert_eq!(name, text);
            assert_eq!(*name, DirectiveName::from(text));
        }
    }
}
