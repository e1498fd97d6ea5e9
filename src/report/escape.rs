//! The only way for text from elsewhere to reach a terminal: whatever could steer it is shown as what it is.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest text that is shown whole, in characters.
const MAX_LENGTH: usize = 2000;

/// Text that is safe to show on one line: control characters, and what reorders or hides text, become escapes.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_LENGTH && !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().min(2 * MAX_LENGTH));
    for (count, c) in text.chars().enumerate() {
        if count == MAX_LENGTH {
            safe.push('…');
            break;
        }
        if is_dangerous(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "{}", c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Control characters, bidirectional controls, zero-width characters, line separators, tags and noncharacters.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
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
    fn ordinary_text_is_left_alone() {
        assert!(matches!(escape("CN=Bücher & 本, O=Ünïcode"), Cow::Borrowed(_)));
    }

    #[test]
    fn endless_text_is_cut() {
        assert_eq!(escape(&"a".repeat(10 * MAX_LENGTH)).chars().count(), MAX_LENGTH + 1);
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>()) {
            assert!(!escape(&text).chars().any(is_dangerous));
        }
    }
}
