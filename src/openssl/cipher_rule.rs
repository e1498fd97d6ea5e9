//! The rules of a cipher string, separated as OpenSSL does it (`ssl_cipher_process_rulestr`): a rule also ends where the next one
//! begins, as in `HIGH!aNULL@SECLEVEL=1`.

/// The characters between rules; none is needed.
const SEPARATORS: [char; 4] = [':', ',', ' ', ';'];

/// The effect of a rule on the suites that it matches (`CIPHER_ADD` and its like).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    /// `-`: remove; a later rule may add it again.
    Delete,
    /// `!`: remove permanently.
    Kill,
    /// `+`: move matching suites to the end.
    Order,
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CipherRule<'a> {
    /// `@STRENGTH`.
    Strength,
    /// `@SECLEVEL=n`.
    Level(u8),
    /// Words that suites must match, all of them.
    Words(Operation, Vec<&'a str>),
    /// Something that OpenSSL refuses as an invalid command.
    Invalid(&'a str),
}

/// Splits a string into rules. OpenSSL skips a rule with an unknown word, and what follows it up to a separator.
pub(super) fn rules(
    text: &str,
    is_known: impl Fn(&str) -> bool,
) -> impl Iterator<Item = CipherRule<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(SEPARATORS);
            if rest.is_empty() {
                return None;
            }
            let (rule, after) = first(rest, &is_known);
            rest = after;
            if rule.is_some() {
                return rule;
            }
        }
    })
}

/// The first rule, `None` if it is skipped, and what follows it.
fn first(text: &str, is_known: impl Fn(&str) -> bool) -> (Option<CipherRule<'_>>, &str) {
    if let Some(rest) = text.strip_prefix('@') {
        let (command, _) = word(rest);
        return (Some(self::command(command)), behind(rest));
    }
    let signs = [('-', Operation::Delete), ('!', Operation::Kill), ('+', Operation::Order)];
    let signed = |(sign, operation)| Some((text.strip_prefix(sign)?, operation));
    let (mut rest, operation) =
        signs.into_iter().find_map(signed).unwrap_or((text, Operation::Add));
    let mut words = Vec::new();
    loop {
        let (one, after) = word(rest);
        if one.is_empty() {
            return (Some(CipherRule::Invalid(after)), behind(after));
        }
        if !is_known(one) {
            return (None, behind(after));
        }
        words.push(one);
        match after.strip_prefix('+') {
            Some(more) => rest = more,
            None => return (Some(CipherRule::Words(operation, words)), after),
        }
    }
}

fn command(command: &str) -> CipherRule<'_> {
    match command.strip_prefix("SECLEVEL=").map(str::as_bytes) {
        Some(&[level @ b'0'..=b'5']) => CipherRule::Level(level - b'0'),
        None if command == "STRENGTH" => CipherRule::Strength,
        _ => CipherRule::Invalid(command),
    }
}

/// The word that a text begins with, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

/// What follows the next separator.
fn behind(text: &str) -> &str {
    &text[text.find(SEPARATORS).unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::CipherRule::{Invalid, Level, Strength, Words};
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[CipherRule<'_>]) {
        let found: Vec<_> = rules(text, |word| word != "NOSUCH").collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn rules_need_no_separators() {
        let add = |word| Words(Operation::Add, vec![word]);
        let kill = |word| Words(Operation::Kill, vec![word]);
        check("ALL!aNULL@SECLEVEL=1", &[add("ALL"), kill("aNULL"), Level(1)]);
        check("HIGH:, ;@STRENGTH", &[add("HIGH"), Strength]);
        check(
            "kRSA+AES:-SHA",
            &[Words(Operation::Add, vec!["kRSA", "AES"]), Words(Operation::Delete, vec!["SHA"])],
        );
        check("NOSUCH@SECLEVEL=3:HIGH", &[add("HIGH")]);
        check("@SECLEVEL=2/x:HIGH", &[Level(2), add("HIGH")]);
    }

    #[test]
    fn what_is_neither_a_word_nor_a_command_is_invalid() {
        let high = || Words(Operation::Add, vec!["HIGH"]);
        check("HIGH:!", &[high(), Invalid("")]);
        check("HIGH/AES", &[high(), Invalid("/AES")]);
        check("HIGH+", &[Invalid("")]);
        check("@SECLEVEL=9", &[Invalid("SECLEVEL=9")]);
        check("@SECLEVEL=05", &[Invalid("SECLEVEL=05")]);
    }
}
