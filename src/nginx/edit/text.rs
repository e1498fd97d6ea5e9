//! The edits of a file's bytes.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::nginx::token::quoted;
use crate::nginx::tree::Directive;

/// Default indentation of a block's contents, if the file shows no other.
const INDENT: &str = "    ";

/// Bytes to replace; splices that start at the same place keep their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Splice {
    start: usize,
    end: usize,
    pub order: usize,
    text: Vec<u8>,
}

impl Splice {
    fn new(range: Range<usize>, text: impl Into<Vec<u8>>) -> Self {
        Self { start: range.start, end: range.end, order: 0, text: text.into() }
    }
}

/// The text with all splices applied; `None` if they overlap.
pub(super) fn apply(text: &[u8], splices: &BTreeSet<Splice>) -> Option<Vec<u8>> {
    let mut after = Vec::with_capacity(text.len());
    let mut at = 0;
    for splice in splices {
        after.extend_from_slice(text.get(at..splice.start)?);
        after.extend_from_slice(&splice.text);
        at = splice.end;
    }
    after.extend_from_slice(text.get(at..)?);
    Some(after)
}

/// A directive as written in a file.
pub(super) fn directive(name: &str, arguments: &[String]) -> String {
    format!("{name} {};", words(arguments))
}

fn words(arguments: &[String]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// Replaces the arguments, and keeps the name and the space after it.
pub(super) fn replacement(text: &[u8], one: &Directive, arguments: &[String]) -> Splice {
    let whole = text.get(one.extent.clone()).unwrap_or_default();
    let name = one.name.as_bytes();
    let gap = whole.strip_prefix(name).unwrap_or_default();
    let gap = gap.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if gap == 0 {
        return Splice::new(one.extent.clone(), directive(&one.name, arguments));
    }
    let start = one.extent.start + name.len() + gap;
    Splice::new(start..one.extent.end, format!("{};", words(arguments)))
}

/// Removes the directive, and its line if nothing else is on it.
pub(super) fn removal(text: &[u8], one: &Directive) -> Splice {
    let Range { start, end } = one.extent.clone();
    let line = TextLine::around(text, start);
    let behind = TextLine::around(text, end.saturating_sub(1));
    let is_alone = is_blank(&text[line.start..start]) && is_blank(&text[end..behind.end]);
    if is_alone {
        return Splice::new(line.start..behind.next, "");
    }
    Splice::new(start..end, "")
}

/// Inserts a directive after the anchor: on a new line if the anchor ends its line, otherwise next to it.
pub(super) fn insertion(text: &[u8], anchor: &Directive, words: &str) -> Splice {
    let end = anchor.opens_at.unwrap_or(anchor.extent.end);
    let line = TextLine::around(text, end.saturating_sub(1));
    let rest = text[end..line.end].trim_ascii_start();
    let first = TextLine::around(text, anchor.extent.start);
    let before = &text[first.start..anchor.extent.start];
    if !(rest.is_empty() || rest.starts_with(b"#")) || !is_blank(before) {
        return Splice::new(end..end, format!(" {words}"));
    }
    let eol = if text[..line.next].ends_with(b"\r\n") { "\r\n" } else { "\n" };
    let indent = String::from_utf8_lossy(before);
    let indent = match anchor.children().first().and_then(|child| indent_of(text, anchor, child)) {
        Some(indent) => indent,
        None if anchor.opens_at.is_some() => format!("{indent}{INDENT}"),
        None => indent.into_owned(),
    };
    Splice::new(line.end..line.end, format!("{eol}{indent}{words}"))
}

/// The indentation of a directive, if it starts its line in the same file as the block.
fn indent_of(text: &[u8], block: &Directive, child: &Directive) -> Option<String> {
    let start = child.extent.start;
    let line = TextLine::around(text, start);
    let before = text.get(line.start..start).filter(|before| is_blank(before))?;
    let is_inside = child.span.file == block.span.file && block.extent.contains(&start);
    is_inside.then(|| String::from_utf8_lossy(before).into_owned())
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A line of a file.
struct TextLine {
    start: usize,
    /// The offset after its last character, before the line break.
    end: usize,
    /// The start of the next line.
    next: usize,
}

impl TextLine {
    /// The line that contains this offset.
    fn around(text: &[u8], offset: usize) -> Self {
        let offset = offset.min(text.len());
        let newline = |byte: &u8| *byte == b'\n';
        let start = text[..offset].iter().rposition(newline).map_or(0, |at| at + 1);
        let newline = text[offset..].iter().position(newline).map(|at| offset + at);
        let end = newline.unwrap_or(text.len());
        let has_return = newline.is_some() && text[start..end].ends_with(b"\r");
        let next = newline.map_or(text.len(), |at| at + 1);
        Self { start, end: end - usize::from(has_return), next }
    }
}
