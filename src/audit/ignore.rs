//! The comment beside an nginx directive that allows a finding there: `# shakedown: ignore[rule] reason`.

use super::registry::{closest, find};

/// What such a comment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The rules whose findings are allowed.
    pub rules: Vec<&'static str>,
    /// Why.
    pub reason: String,
}

/// What is wrong with such a comment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// It means this program, and is not of the form.
    #[error("expected `shakedown: ignore[rule] reason`")]
    Form,
    /// There is no such rule.
    #[error("no rule is called \"{}\"{}", name.escape_debug(), meant(*suggestion))]
    UnknownRule {
        /// The word.
        name: String,
        /// The closest rule.
        suggestion: Option<&'static str>,
    },
    /// It does not say why.
    #[error("a reason is to follow the bracket")]
    NoReason,
}

/// The advice that goes with an unknown rule.
fn meant(suggestion: Option<&str>) -> String {
    suggestion.map(|id| format!("; did you mean {id}?")).unwrap_or_default()
}

/// Reads the text of a comment, with or without its `#`; `None` where it does not speak to this program.
pub fn parse(comment: &str) -> Option<Result<Ignore, IgnoreError>> {
    let text = comment.trim_start_matches('#').trim();
    let words = text.strip_prefix("shakedown:")?.trim_start();
    Some(ignore(words))
}

fn ignore(words: &str) -> Result<Ignore, IgnoreError> {
    let (names, reason) = words
        .strip_prefix("ignore")
        .and_then(|rest| rest.trim_start().strip_prefix('['))
        .and_then(|rest| rest.split_once(']'))
        .ok_or(IgnoreError::Form)?;
    let rules = names.split(',').map(|name| rule(name.trim())).collect::<Result<Vec<_>, _>>()?;
    match reason.trim().trim_start_matches(':').trim() {
        "" => Err(IgnoreError::NoReason),
        reason => Ok(Ignore { rules, reason: reason.to_owned() }),
    }
}

fn rule(name: &str) -> Result<&'static str, IgnoreError> {
    find(name).map(|rule| rule.id).ok_or_else(|| IgnoreError::UnknownRule {
        name: name.chars().take(64).collect(),
        suggestion: closest(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(comment: &str, expected: Option<Result<(&[&str], &str), &str>>) {
        let found = parse(comment).map(|parsed| parsed.map_err(|error| error.to_string()));
        let expected = expected.map(|parsed| {
            parsed.map(|(rules, reason)| (rules.to_vec(), reason.to_owned())).map_err(str::to_owned)
        });
        assert_eq!(found.map(|p| p.map(|i| (i.rules, i.reason))), expected, "{comment}");
    }

    #[test]
    fn a_comment_names_rules_and_a_reason() {
        check(
            "# shakedown: ignore[self-signed] the lab has no authority",
            Some(Ok((&["self-signed"], "the lab has no authority"))),
        );
        check(
            "## shakedown:ignore [self-signed, weak-key]: until the move ",
            Some(Ok((&["self-signed", "weak-key"], "until the move"))),
        );
        check("# the usual comment", None);
        check("# shakedown ignore[self-signed]", None);
    }

    #[test]
    fn what_is_meant_for_this_program_and_is_wrong_is_not_passed_over() {
        check("# shakedown: ignore[self-signed]", Some(Err("a reason is to follow the bracket")));
        check(
            "# shakedown: ignore[self-signd] x",
            Some(Err("no rule is called \"self-signd\"; did you mean self-signed?")),
        );
        check(
            "# shakedown: ignore all of it",
            Some(Err("expected `shakedown: ignore[rule] reason`")),
        );
        check("# shakedown: ignore[] x", Some(Err("no rule is called \"\"")));
    }
}
