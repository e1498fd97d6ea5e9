//! Names that fit a regular expression in `server_name`, so that its server can be asked for one.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The largest compiled expression, in bytes.
const MAX_COMPILED: usize = 128 * 1024;

/// The longest name in DNS, in bytes.
const MAX_NAME: usize = 253;

/// What may follow, for an expression without an end: `~^www\d+\.`.
const ENDS: [&str; 4] = ["", "test", ".test", "a.test"];

/// Characters of names, in the order in which they are chosen.
const PREFERRED: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-._";

/// The most expressions of one configuration that are compiled.
const MAX_EXPRESSIONS: usize = 1000;

/// The regular expressions of a configuration, each compiled once.
#[derive(Debug, Default)]
pub struct NameExpressions {
    /// `None` for what only PCRE reads.
    compiled: RefCell<HashMap<String, Option<Regex>>>,
}

impl NameExpressions {
    /// Names that match the expression, written as PCRE reads it; none if it has something that only PCRE knows, such
    /// as references to groups.
    pub fn examples(&self, pattern: &str) -> Vec<String> {
        let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        let (Ok(hir), Some(regex)) = (parsed, self.compiled(pattern)) else { return Vec::new() };
        let mut bytes = Vec::new();
        if write(&hir, &mut bytes).is_none() {
            return Vec::new();
        }
        let start = String::from_utf8(bytes).unwrap_or_default().to_ascii_lowercase();
        let names = ENDS.iter().map(|end| format!("{start}{end}"));
        // A dot at the end is not sent.
        let is_whole = |name: &String| !name.is_empty() && !name.ends_with('.');
        names.filter(|name| is_whole(name) && regex.is_match(name.as_bytes())).collect()
    }

    /// Whether the expression matches a name in lower case; `None` if only PCRE can tell.
    pub fn matches(&self, pattern: &str, name: &str) -> Option<bool> {
        Some(self.compiled(pattern)?.is_match(name.as_bytes()))
    }

    fn compiled(&self, pattern: &str) -> Option<Regex> {
        let mut all = self.compiled.borrow_mut();
        if let Some(known) = all.get(pattern) {
            return known.clone();
        }
        if all.len() == MAX_EXPRESSIONS {
            return None;
        }
        let mut builder = RegexBuilder::new(pattern);
        let builder = builder.unicode(false).case_insensitive(true).size_limit(MAX_COMPILED);
        let regex = builder.build().ok();
        all.insert(pattern.to_owned(), regex.clone());
        regex
    }
}

/// Writes what the expression matches; `None` where no name does.
fn write(hir: &Hir, into: &mut Vec<u8>) -> Option<()> {
    if into.len() > MAX_NAME {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => into.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let has = |byte: u8| match class {
                Class::Bytes(class) => {
                    class.iter().any(|range| (range.start()..=range.end()).contains(&byte))
                }
                Class::Unicode(class) => class
                    .iter()
                    .any(|range| (range.start()..=range.end()).contains(&char::from(byte))),
            };
            into.push(PREFERRED.iter().copied().find(|byte| has(*byte))?);
        }
        HirKind::Repetition(repetition) => {
            // Once, where nothing would do as well: `.*` is not meant for an empty label.
            let once = u32::from(repetition.max != Some(0));
            for _ in 0..repetition.min.max(once) {
                write(&repetition.sub, into)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, into)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, into))?,
        HirKind::Alternation(parts) => {
            let length = into.len();
            parts.iter().find_map(|part| {
                into.truncate(length);
                write(part, into)
            })?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_the_expression() {
        let read = NameExpressions::default();
        for (pattern, name) in [
            (r"^(www\.)?(?<domain>.+)$", "www.a"),
            (r"^(?P<user>[a-z0-9-]+)\.a\.test$", "a.a.test"),
            (r"^www\d+\.", "www0.test"),
            (r"^(api|www)\.example\.com$", "api.example.com"),
            (r"^WWW\.A\.test", "www.a.test"),
            (r"\.a\.test$", ".a.test"),
            (r"^[^.]+\.b\.test$", "a.b.test"),
        ] {
            assert_eq!(read.examples(pattern).first().map(String::as_str), Some(name), "{pattern}");
            assert_eq!(read.matches(pattern, name), Some(true), "{pattern}");
        }
    }

    #[test]
    fn what_only_pcre_reads_has_no_example() {
        let read = NameExpressions::default();
        for pattern in [r"^(a)\1$", r"^(?!www).*$", "(", r"^a{1000000}$"] {
            assert_eq!(read.examples(pattern), [""; 0], "{pattern}");
        }
        assert_eq!(read.matches(r"^(?!www)", "a"), None);
    }
}
