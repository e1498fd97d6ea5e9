//! Lines of a configuration as a controller writes them, each with the object that it comes from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::problem::Span;

/// The object of a line, and the object that a fix of its settings changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectPlace {
    /// The object.
    pub object: Arc<str>,
    /// Where the settings for the upstream are, or would be.
    pub settings: Arc<str>,
}

impl ObjectPlace {
    pub(super) fn of(object: &str) -> Self {
        Self { object: object.into(), settings: object.into() }
    }

    pub(super) fn with_settings(object: &str, settings: &str) -> Self {
        Self { object: object.into(), settings: settings.into() }
    }
}

/// The place of a whole object.
pub(super) fn whole(object: &str) -> Span {
    Span { file: object.into(), line: 0, column: 0 }
}

/// A text with the place of each line.
#[derive(Clone, Debug, Default)]
pub(super) struct PlacedText {
    text: String,
    places: Vec<ObjectPlace>,
    depth: usize,
}

impl PlacedText {
    fn push(&mut self, words: &[&str], end: &str, place: &ObjectPlace) {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let indent = "    ".repeat(self.depth);
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{indent}{}{end}", words.join(" "));
        self.places.push(place.clone());
    }

    fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.places.extend(other.places);
    }
}

/// What one nginx of a controller is told, as far as TLS is concerned.
#[derive(Debug)]
pub(super) struct ControllerLines {
    http: PlacedText,
    stream: PlacedText,
    upstreams: BTreeMap<(bool, String), (Vec<String>, ObjectPlace)>,
    /// Facts about the objects that the controller's configuration does not show.
    pub(super) facts: Vec<Fact>,
    is_stream: bool,
    place: ObjectPlace,
}

impl ControllerLines {
    pub(super) fn new(place: &str) -> Self {
        let block = || PlacedText { depth: 1, ..PlacedText::default() };
        Self {
            http: block(),
            stream: block(),
            upstreams: BTreeMap::new(),
            facts: Vec::new(),
            is_stream: false,
            place: ObjectPlace::of(place),
        }
    }

    /// Whether the next lines belong to `stream`.
    pub(super) fn in_stream(&mut self, is_stream: bool) {
        self.is_stream = is_stream;
    }

    /// The place of the next lines.
    pub(super) fn at(&mut self, place: ObjectPlace) {
        self.place = place;
    }

    /// The object that holds the settings of the next lines.
    pub(super) fn set_in(&mut self, settings: &str) {
        self.place.settings = settings.into();
    }

    fn block(&mut self) -> &mut PlacedText {
        if self.is_stream { &mut self.stream } else { &mut self.http }
    }

    /// A simple directive.
    pub(super) fn line(&mut self, words: &[&str]) {
        let place = self.place.clone();
        self.block().push(words, ";", &place);
    }

    /// The beginning of a block.
    pub(super) fn open(&mut self, words: &[&str]) {
        let place = self.place.clone();
        self.block().push(words, " {", &place);
        self.block().depth += 1;
    }

    /// Its end.
    pub(super) fn close(&mut self) {
        let place = self.place.clone();
        self.block().depth -= 1;
        self.block().push(&[], "}", &place);
    }

    /// An `upstream` block; the first of a name counts.
    pub(super) fn upstream(&mut self, name: &str, servers: Vec<String>) {
        let (key, place) = ((self.is_stream, name.to_owned()), self.place.clone());
        self.upstreams.entry(key).or_insert((servers, place));
    }

    /// An annotation or a field that the controller does not apply.
    pub(super) fn ignored(&mut self, object: &str, what: &str, reason: impl Into<String>) {
        let kind =
            FactKind::AnnotationIgnored { annotation: what.to_owned(), reason: reason.into() };
        self.facts.push(Fact { span: whole(object), kind });
    }

    /// Something that could not be read.
    pub(super) fn untested(&mut self, object: &str, reason: impl Into<String>) {
        let kind = FactKind::Untested { reason: reason.into() };
        self.facts.push(Fact { span: whole(object), kind });
    }

    /// The whole text, and the place of each of its lines.
    pub(super) fn finish(self) -> (String, Vec<ObjectPlace>, Vec<Fact>) {
        let first = ObjectPlace::of(&self.place.object);
        let mut all = PlacedText::default();
        all.push(&["events"], " {}", &first);
        for (name, is_stream, body) in [("http", false, self.http), ("stream", true, self.stream)] {
            if body.text.is_empty() {
                continue;
            }
            all.push(&[name], " {", &first);
            all.depth = 1;
            let here = self.upstreams.iter().filter(|((of, _), _)| *of == is_stream);
            for ((_, name), (servers, place)) in here {
                all.push(&["upstream", name], " {", place);
                all.depth = 2;
                for server in servers {
                    all.push(&["server", server], ";", place);
                }
                all.depth = 1;
                all.push(&[], "}", place);
            }
            all.append(body);
            all.depth = 0;
            all.push(&[], "}", &first);
        }
        (all.text, all.places, self.facts)
    }
}

/// A word as nginx reads it back, in quotes if it needs them. Line ends become spaces, so that each line has a place.
fn quoted(word: &str) -> String {
    let special = |c: char| c.is_whitespace() || c.is_control() || "{};\"'\\#".contains(c);
    if !word.is_empty() && !word.contains(special) {
        return word.to_owned();
    }
    let mut text = String::from('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
