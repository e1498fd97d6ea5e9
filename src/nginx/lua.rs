//! Finds the end of a block of Lua code: OpenResty counts braces with Lua's rules for strings and comments.

/// The number of bytes up to and including the `}` of a block whose `{` was read; `None` if it does not end.
pub(super) fn block_length(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 1_usize);
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        at += match byte {
            b'{' => {
                depth += 1;
                1
            }
            b'}' if depth == 1 => return Some(at + 1),
            b'}' => {
                depth -= 1;
                1
            }
            b'"' | b'\'' => string(rest),
            b'[' => bracket(rest).unwrap_or(1),
            b'-' if rest.starts_with(b"--") => comment(rest),
            _ => 1,
        };
    }
    None
}

/// The length of a comment, up to the end of its line or of its long bracket.
fn comment(text: &[u8]) -> usize {
    if let Some(length) = text.get(2..).and_then(bracket) {
        return 2 + length;
    }
    text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len())
}

/// The length of a string in quotes.
fn string(text: &[u8]) -> usize {
    let quote = text[0];
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += if byte == b'\\' { 2 } else { 1 };
        if byte == quote || byte == b'\n' {
            break;
        }
    }
    at.min(text.len())
}

/// The length of a long bracket, `[[ ]]` or `[=[ ]=]`; `None` if there is none.
fn bracket(text: &[u8]) -> Option<usize> {
    let after = text.strip_prefix(b"[")?;
    let level = after.iter().take_while(|&&byte| byte == b'=').count();
    if after.get(level) != Some(&b'[') {
        return None;
    }
    let closes = |at: usize| {
        let close = text.get(at..at + level + 2).unwrap_or_default();
        close.first() == Some(&b']')
            && close.last() == Some(&b']')
            && close.len() == level + 2
            && close[1..=level].iter().all(|&byte| byte == b'=')
    };
    let start = level + 2;
    let end = (start..text.len()).find(|&at| text[at] == b']' && closes(at));
    Some(end.map_or(text.len(), |at| at + level + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, ends: bool) {
        let text = format!("{code}}} rest }}");
        let expected = ends.then_some(code.len() + 1);
        assert_eq!(block_length(text.as_bytes()), expected, "{code}");
    }

    #[test]
    fn braces_count_only_where_they_are_code() {
        check(" local t = { a = { 1 } } ", true);
        check(r#" ngx.say("}", '}', "\"}") "#, true);
        check(" -- it's a }\n ", true);
        check(" --[[ } ]] x = [==[ } ]] } ]==] ", true);
        check(" a[b[1]] = {} ", true);
    }

    #[test]
    fn code_that_does_not_end_is_reported() {
        check(" [[ ", false);
        check(" --[==[ ]] ", false);
        assert_eq!(block_length(b"{ }"), None);
        assert_eq!(block_length(b"'\\"), None);
    }
}
