//! Texts with variables, as nginx reads them: `$name`, `${name}` and `$1` among literal pieces.

/// A text without its first part.
pub(super) fn behind<'t>(text: &'t str, part: TextPart<'_>) -> &'t str {
    let length = match part {
        TextPart::Literal(literal) => literal.len(),
        TextPart::Variable(name) if text.starts_with("${") => name.len() + "${}".len(),
        TextPart::Variable(name) => name.len() + "$".len(),
    };
    text.get(length..).unwrap_or_default()
}

/// A piece of a text with variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextPart<'a> {
    Literal(&'a str),
    /// A variable's name.
    Variable(&'a str),
}

/// Whether a text contains a variable.
pub fn has_variables(text: &str) -> bool {
    parts(text).any(|part| matches!(part, TextPart::Variable(_)))
}

/// The names of the variables in a text, without numbered captures.
pub(super) fn names(text: &str) -> Vec<String> {
    let name = |part: TextPart<'_>| match part {
        TextPart::Variable(name) => Some(name.to_owned()),
        TextPart::Literal(_) => None,
    };
    let names = parts(text).filter_map(name);
    names.filter(|name| !name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// The pieces of a text, in order.
pub(super) fn parts(text: &str) -> impl Iterator<Item = TextPart<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, length)) = rest.strip_prefix('$').and_then(variable_name) {
            rest = &rest[1 + length..];
            return Some(TextPart::Variable(name));
        }
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let next = rest[first..].find('$').map_or(rest.len(), |at| first + at);
        let (literal, behind) = rest.split_at(next);
        rest = behind;
        Some(TextPart::Literal(literal))
    })
}

/// The name after a `$`, and its length as written; a digit is a whole name.
fn variable_name(text: &str) -> Option<(&str, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(braced) = text.strip_prefix('{') {
        let end = braced.find('}').filter(|&end| end > 0 && braced[..end].chars().all(is_word))?;
        return Some((&braced[..end], end + 2));
    }
    let length = match text.chars().next()? {
        '0'..='9' => 1,
        _ => text.find(|c| !is_word(c)).unwrap_or(text.len()),
    };
    (length > 0).then(|| (&text[..length], length))
}
