//! nginx's messages about the copy, rewritten in terms of the original.

use std::sync::Arc;

use super::{Relocation, place};
use crate::nginx::file_names::names_file;
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};

/// Why nginx refuses a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text of the message.
    pub words: String,
    /// The place; line 1 of the main file if nginx names none.
    pub span: Span,
}

impl Message {
    /// A message about the configuration as a whole, placed in its main file.
    pub fn whole(main: &str, words: impl Into<String>) -> Self {
        Self { words: words.into(), span: Span { file: main.into(), line: 1, column: 1 } }
    }

    /// The file that it names first.
    pub fn file(&self) -> Option<&str> {
        self.words.split('"').nth(1).filter(|name| name.starts_with('/'))
    }
}

/// A message of nginx about the copy, rewritten for the original: files and sockets get their own names back.
pub fn original(tree: &Tree, relocation: &Relocation, said: &str) -> Message {
    let mut said = said.to_owned();
    let mut names: Vec<(String, &str)> =
        tree.files.keys().map(|name| (place(&relocation.folder, name), &**name)).collect();
    // The longest first: one name may be a prefix of another.
    names.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    for (place, name) in names {
        if said.contains(&place) {
            said = said.replace(&place, name);
        }
    }
    said = said.replace(&format!("{}/files/", relocation.folder), "/");
    for (address, stand_in) in &relocation.stand_ins {
        let stand_in = stand_in.to_string();
        if said.contains(&stand_in) {
            said = said.replace(&stand_in, &address.to_string());
        }
    }
    split(tree, &said)
}

/// Splits `1234#0: words in FILE:LINE`.
fn split(tree: &Tree, said: &str) -> Message {
    let numbered = said.starts_with(|c: char| c.is_ascii_digit());
    let words = said.split_once(": ").filter(|_| numbered).map_or(said, |(_, words)| words).trim();
    let place = words.rsplit_once(" in ").and_then(|(words, place)| {
        let (file, line) = place.rsplit_once(':')?;
        let (file, _) = tree.files.get_key_value(file)?;
        Some((words, Span { file: Arc::clone(file), line: line.parse().ok()?, column: 1 }))
    });
    if let Some((words, span)) = place {
        return Message { words: words.to_owned(), span };
    }
    let whole = Message::whole(&tree.main, words);
    match whole.file().and_then(|file| naming(tree, &tree.directives, file)) {
        Some(span) => Message { span, ..whole },
        None => whole,
    }
}

/// The directive that names this file: when nginx loads certificates, its messages have no place.
fn naming(tree: &Tree, block: &[Directive], file: &str) -> Option<Span> {
    block.iter().find_map(|one| {
        let is_it = names_file(&one.name) && tree.full_name(one.first()) == file;
        if is_it { Some(one.judged_at()) } else { naming(tree, one.children(), file) }
    })
}
