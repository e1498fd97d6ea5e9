//! Escapes remote text for terminals: control characters and other dangerous characters become visible.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;

/// The longest text that is shown completely, in characters.
const MAX_LENGTH: usize = 2000;

/// Text that is safe to show on one line: control characters, and those that reorder or hide text, are escaped.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_LENGTH && !text.contains("##") && !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().min(2 * MAX_LENGTH));
    let mut last = ' ';
    for (count, c) in text.chars().enumerate() {
        if count == MAX_LENGTH {
            safe.push('…');
            break;
        }
        // CI runners look for commands such as `##[error]` and `##vso[…]` anywhere in a line.
        let begins_command = (last, c) == ('#', '#');
        last = c;
        if is_dangerous(c) || begins_command {
            // Writing to a string cannot fail.
            let _ = if begins_command {
                write!(safe, "{}", c.escape_unicode())
            } else {
                write!(safe, "{}", c.escape_default())
            };
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Writes lines to another writer. GitHub Actions reads a line that begins with `::WORD::` as a command, so such a
/// beginning is escaped.
#[derive(Debug)]
pub struct WithoutCommands<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: io::Write> WithoutCommands<W> {
    /// Writes lines to `out`.
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }

    /// Writes the last line if it has no line break.
    pub fn finish(mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.pass_on(&line)
    }

    fn pass_on(&mut self, line: &[u8]) -> io::Result<()> {
        let text = line.trim_ascii_start();
        match text.strip_prefix(b"::") {
            Some(rest) if rest.windows(2).any(|pair| pair == b"::") => {
                self.out.write_all(&line[..line.len() - text.len()])?;
                self.out.write_all(b"\\u{3a}:")?;
                self.out.write_all(rest)
            }
            _ => self.out.write_all(line),
        }
    }
}

impl<W: io::Write> io::Write for WithoutCommands<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.pass_on(&line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Control characters, bidirectional controls, line separators, tags, noncharacters, and characters without width or
/// ink.
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_what_it_is() {
        assert_eq!(escape("a\u{1b}[31mb\u{7}\r\n"), "a\\u{1b}[31mb\\u{7}\\r\\n");
        assert_eq!(escape("user\u{202e}cod.exe"), "user\\u{202e}cod.exe");
        assert_eq!(escape("a\u{200b}b\u{9b}c"), "a\\u{200b}b\\u{9b}c");
    }

    #[test]
    fn no_line_is_a_command_of_a_runner() {
        assert_eq!(escape("a ##[error]b"), "a #\\u{23}[error]b");
        assert_eq!(escape("##vso[task.setvariable]"), "#\\u{23}vso[task.setvariable]");
        let mut out = Vec::new();
        let mut lines = WithoutCommands::new(&mut out);
        io::Write::write_all(&mut lines, b"::error::a\n  ::set-env name=A::b\n::1\na ::b::\n::x::")
            .unwrap();
        lines.finish().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\\u{3a}:error::a\n  \\u{3a}:set-env name=A::b\n::1\na ::b::\n\\u{3a}:x::"
        );
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(matches!(escape("CN=Bücher & 本, O=Ünïcode"), Cow::Borrowed(_)));
    }

    #[test]
    fn endless_text_is_cut() {
        assert_eq!(escape(&"a".repeat(10 * MAX_LENGTH)).chars().count(), MAX_LENGTH + 1);
    }

    /// Characters that must never be shown, listed independently of the code that detects them.
    const NEVER: &[(u32, u32)] = &[
        (0x00, 0x1f),
        (0x7f, 0x9f),
        (0x061c, 0x061c),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x2069),
        (0xfdd0, 0xfdef),
        (0xfeff, 0xfeff),
        (0xfffe, 0xffff),
        (0x1_fffe, 0x1_ffff),
        (0xe_0000, 0xe_007f),
        (0x10_fffe, 0x10_ffff),
    ];

    #[track_caller]
    fn check_harmless(text: &str) {
        let shown = escape(text);
        let bad = shown
            .chars()
            .find(|c| NEVER.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(*c))));
        assert_eq!(bad, None, "{text:?}");
    }

    #[test]
    fn every_character_of_the_list_is_shown_as_an_escape() {
        for (first, last) in NEVER {
            (*first..=*last)
                .filter_map(char::from_u32)
                .for_each(|c| check_harmless(&c.to_string()));
        }
    }

    proptest! {
        #[test]
        fn no_text_steers_a_terminal(text in any::<String>()) {
            check_harmless(&text);
        }
    }
}
