//! Patterns of `include`, by the rules of `glob(3)`: `*` and `?` match neither a `/` nor a leading dot.

use std::collections::BTreeMap;

/// The names among these that match a pattern.
pub(super) fn among(pattern: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let literal = &pattern[..pattern.find(['*', '?', '[', '\\']).unwrap_or(pattern.len())];
    let near = files.range(literal.to_owned()..).map(|(path, _)| path);
    let near = near.take_while(|path| path.starts_with(literal));
    near.filter(|path| matches(pattern, path)).cloned().collect()
}

/// Whether a path matches a pattern, part by part.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern, part) => {}
            _ => return false,
        }
    }
}

/// Whether nginx treats this text as a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether the name of one file or folder matches one part of a pattern.
pub fn part_matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with(['.', '\\']) {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // The position of the last `*`, and how far it has matched.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, seen));
            at += 1;
            continue;
        }
        if let Some(length) = one(&pattern[at..], name[seen]) {
            (at, seen) = (at + length, seen + 1);
            continue;
        }
        let Some((star_at, eaten)) = star else { return false };
        star = Some((star_at, eaten + 1));
        (at, seen) = (star_at + 1, eaten + 1);
    }
    pattern[at..].iter().all(|&c| c == '*')
}

/// The length of the pattern's first item, if it matches this character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', ..] => match set(pattern) {
            Some((items, negated, length)) => {
                let inside = items.iter().any(|&(from, to)| (from..=to).contains(&c));
                (inside != negated).then_some(length)
            }
            None => (c == '[').then_some(1),
        },
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        [first, ..] => (*first == c).then_some(1),
        [] => None,
    }
}

/// Ranges of characters, inclusive.
type Ranges = Vec<(char, char)>;

/// A bracket expression: its ranges, whether it is negated, and its length; `None` if it is not closed.
fn set(pattern: &[char]) -> Option<(Ranges, bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let start = if negated { 2 } else { 1 };
    let (mut at, mut items) = (start, Vec::new());
    loop {
        let from = *pattern.get(at)?;
        if from == ']' && at > start {
            return Some((items, negated, at + 1));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some('-'), Some(&to)) if to != ']' => {
                items.push((from, to));
                at += 3;
            }
            _ => {
                items.push((from, from));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        for path in matching {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for path in others {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_stays_within_its_folder() {
        check("/a/*.conf", &["/a/b.conf", "/a/b.c.conf"], &["/a/b/c.conf", "/a/.b.conf", "/a/b"]);
        check("/a/*/c", &["/a/b/c"], &["/a/c", "/a/b/b/c"]);
        check("*a*b*", &["ab", "xaxbx", "aab"], &["a", "ba"]);
        check("/a/.*", &["/a/.b"], &["/a/b"]);
    }

    #[test]
    fn sets_and_single_characters() {
        check("a?", &["ab"], &["a", "abc"]);
        check("[a-c]x", &["ax", "cx"], &["dx", "x"]);
        check("[!a-c]x", &["dx"], &["ax"]);
        check("[]a]x", &["]x", "ax"], &["bx"]);
        check("[a", &["[a"], &["a"]);
    }
}
