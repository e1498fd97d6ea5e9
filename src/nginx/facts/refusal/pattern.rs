//! Regular expressions that no release of PCRE compiles. What is not certain counts as sound.

/// PCRE's message about a pattern, without its place.
pub(super) fn fault(pattern: &str) -> Option<&'static str> {
    // Quoted text, control characters, comments, verbs, options, callouts and references have rules of their own.
    let special = [
        "\\Q", "\\E", "\\c", "(?#", "(*", "(?*", "(?<*", "(?+", "(?C", "(?x", "(?i", "(?J", "(?s",
        "(?m", "(?U",
    ];
    if special.iter().any(|one| pattern.contains(one)) {
        return None;
    }
    let mut scan = PatternScan { rest: pattern, open: 0, repeatable: false };
    loop {
        match scan.next() {
            Ok(true) => {}
            Ok(false) => return (scan.open > 0).then_some("missing closing parenthesis"),
            Err(fault) => return Some(fault),
        }
    }
}

/// A pattern that is read from the left.
struct PatternScan<'p> {
    rest: &'p str,
    /// Groups that are open.
    open: usize,
    /// Whether a quantifier may follow.
    repeatable: bool,
}

impl PatternScan<'_> {
    /// Reads one item; false at the end.
    fn next(&mut self) -> Result<bool, &'static str> {
        let mut letters = self.rest.chars();
        let Some(letter) = letters.next() else { return Ok(false) };
        self.rest = letters.as_str();
        self.repeatable = match letter {
            '\\' => {
                letters.next().ok_or("\\ at end of pattern")?;
                self.rest = letters.as_str();
                true
            }
            '[' => {
                self.rest =
                    after_class(self.rest).ok_or("missing terminating ] for character class")?;
                true
            }
            '(' => {
                self.open += 1;
                check_name(self.rest)?;
                self.rest = self.rest.strip_prefix('?').unwrap_or(self.rest);
                false
            }
            ')' => {
                self.open = self.open.checked_sub(1).ok_or("unmatched closing parenthesis")?;
                true
            }
            '|' | '^' => false,
            '*' | '+' | '?' if !self.repeatable => {
                return Err("quantifier does not follow a repeatable item");
            }
            _ => true,
        };
        Ok(true)
    }
}

/// What follows a character class.
fn after_class(text: &str) -> Option<&str> {
    let text = text.strip_prefix('^').unwrap_or(text);
    let mut rest = text.strip_prefix(']').unwrap_or(text);
    loop {
        let at = rest.find(['\\', '[', ']'])?;
        let (sign, after) = rest[at..].split_at(1);
        match sign {
            "]" => return Some(after),
            "\\" => {
                let mut letters = after.chars();
                letters.next()?;
                rest = letters.as_str();
            }
            _ => {
                let named = after.strip_prefix(':').and_then(|name| name.find(":]"));
                rest = named.map_or(after, |end| &after[end + 3..]);
            }
        }
    }
}

/// The name of a group.
fn check_name(text: &str) -> Result<(), &'static str> {
    let mut starts = ["?<", "?P<", "?'"].into_iter();
    let Some(name) = starts.find_map(|start| text.strip_prefix(start)) else {
        return Ok(());
    };
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("subpattern name must start with a non-digit");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    #[test]
    fn only_what_never_compiles_is_a_fault() {
        for sound in [
            "",
            "a",
            r"^(?<x>.+)\.test$",
            r"[]a]",
            r"[^]a]*",
            r"[[:alpha:]]+",
            r"[\]]",
            "(?:a|b)?",
            "(?<=a)b",
            "a{1,2}",
            "a+?",
            "a++",
            "(a)(b)*",
            "(?i)a)",
            r"\(",
            "()",
            "(a)(?+1)(b)",
            "(?*a)b",
            r"a\c[b",
        ] {
            assert_eq!(fault(sound), None, "{sound}");
        }
        for (pattern, words) in [
            ("[", "missing terminating"),
            ("[]", "missing terminating"),
            ("(", "missing closing"),
            ("a)", "unmatched closing"),
            ("*a", "quantifier"),
            ("(+)", "quantifier"),
            ("a|*", "quantifier"),
            ("^*", "quantifier"),
            ("\\", "at end"),
            ("(?<1x>a)", "non-digit"),
        ] {
            assert!(fault(pattern).is_some_and(|fault| fault.contains(words)), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[\\[\\]()\\\\^a:é?*|<P']{0,12}") {
            let _ = fault(&pattern);
        }
    }
}
