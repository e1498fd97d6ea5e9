//! Paragraphs for people: wrapping, indentation and colour.

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator, WordSplitter};

use super::escape::escape;
use crate::audit::finding::Severity;
use crate::run::Status;

/// How a report for people looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use colour. Nothing is said by colour alone.
    pub colour: bool,
    /// Whether to list every certificate that was sent.
    pub show_chain: bool,
}

/// Wraps text to the width, the first line behind `first`, the others behind `next`; ends with a line break.
pub(super) fn paragraph(text: &str, first: &str, next: &str, look: Look) -> String {
    let options = Options::new(look.width)
        .initial_indent(first)
        .subsequent_indent(next)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&escape(text), options) + "\n"
}

/// Text in a style, where colour is wanted.
pub(super) fn styled(text: &str, style: Style, look: Look) -> String {
    if look.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

pub(super) fn severity_style(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    Style::new().fg_color(Some(colour.into())).bold()
}

pub(super) fn status_colour(status: Status) -> comfy_table::Color {
    match status {
        Status::Pass => comfy_table::Color::Green,
        Status::Fail => comfy_table::Color::Red,
        Status::Untested => comfy_table::Color::Yellow,
    }
}
