//! JSON whose strings are safe on a terminal: characters that [`escape`](super::escape) would escape are written as
//! `\\uXXXX`, so that the values stay the same.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::escape::is_dangerous;

/// Writes a value on one line.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    // The serializer writes a few bytes at a time, which is cheap only in memory.
    let mut text = Vec::with_capacity(4096);
    value.serialize(&mut Serializer::with_formatter(&mut text, Inert(CompactFormatter)))?;
    out.write_all(&text)
}

/// Writes a value over several lines.
pub fn write_pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let formatter = Inert(PrettyFormatter::new());
    Ok(value.serialize(&mut Serializer::with_formatter(out, formatter))?)
}

/// A value over several lines, and a line break.
pub fn pretty(value: &impl Serialize) -> io::Result<String> {
    let mut text = Vec::new();
    write_pretty(value, &mut text)?;
    text.push(b'\n');
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Another formatter, with escaped strings.
struct Inert<F>(F);

impl<F: Formatter> Formatter for Inert<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        // Nearly all texts are like this, and a byte is tested sooner than a character.
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(text.as_bytes());
        }
        let mut written = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| is_dangerous(*c)) {
            out.write_all(&text.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        out.write_all(&text.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::{Value, json};

    use super::*;

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        write(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_steers_a_terminal_is_written_as_an_escape() {
        assert_eq!(
            written(&json!("a\u{9b}31m\u{202e}b\u{e0041}")),
            r#""a\u009b31m\u202eb\udb40\udc41""#
        );
        assert_eq!(written(&json!("B\u{fc}cher \"x\" \n")), "\"B\u{fc}cher \\\"x\\\" \\n\"");
    }

    #[test]
    fn every_character_is_escaped_if_it_is_dangerous_and_only_then() {
        for c in (' '..=char::MAX).filter(|c| !matches!(c, '"' | '\\')) {
            let text = format!("a{c}b");
            let shown = written(&json!(text));
            assert_eq!(shown == format!("\"{text}\""), !is_dangerous(c), "{c:?}: {shown}");
        }
    }

    #[test]
    fn only_strings_differ_from_ordinary_json() {
        let value = json!({ "a": [1, 2, { "b": [] }], "c": {}, "d": null });
        let mut out = Vec::new();
        write_pretty(&value, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(written(&value), value.to_string());
    }

    proptest! {
        #[test]
        fn the_values_are_the_same(text in any::<String>()) {
            let value = json!({ (text.clone()): text });
            let shown = written(&value);
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
            assert!(!shown.chars().any(is_dangerous), "{shown:?}");
        }
    }
}
