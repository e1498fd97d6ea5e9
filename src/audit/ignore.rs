//! The comment next to an nginx directive that allows a finding there: `# shakedown: ignore[rule] reason`. It applies
//! to the directive on its line, or, on a line of its own, to the next line that is not a comment.

use super::finding::Finding;
use super::registry::{RuleOrGroup, closest};
use crate::targets::{Origin, Target};

/// The contents of such a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The rules whose findings are allowed.
    pub rules: Vec<RuleOrGroup>,
    /// The reason.
    pub reason: String,
}

/// An error in such a comment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// It is addressed to this program, but has the wrong form.
    #[error("expected `shakedown: ignore[rule] reason`")]
    Form,
    /// There is no such rule.
    #[error("unknown rule \"{}\"{}", name.escape_debug(), meant(*suggestion))]
    UnknownRule {
        /// The word.
        name: String,
        /// The closest rule.
        suggestion: Option<&'static str>,
    },
    /// It gives no reason.
    #[error("missing reason after the bracket")]
    NoReason,
}

/// Such a comment, and the line that it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreComment {
    /// Its contents.
    pub ignore: Ignore,
    /// The line of the directive.
    pub origin: Origin,
}

impl IgnoreComment {
    /// Whether it allows this finding: the directive to change, or the one that named the target, is on its line.
    pub fn covers(&self, finding: &Finding, target: &Target) -> bool {
        let here = |file: &str, line: u32| file == self.origin.file && line == self.origin.line;
        let is_here = |origin: &Origin| here(&origin.file, origin.line);
        let directives = finding.fix.iter().flat_map(|fix| &fix.directives);
        let mut places = directives.filter_map(|one| Some((one.file.as_deref()?, one.line?)));
        self.ignore.rules.iter().any(|named| named.covers(finding.rule))
            && (finding.place.as_ref().or(target.origin.as_ref()).is_some_and(is_here)
                || places.any(|(file, line)| here(file, line)))
    }
}

/// How a comment for this program begins.
const ADDRESSEE: &str = "shakedown:";

/// The comments of a configuration file for this program, and the errors in them.
pub fn in_text(file: &str, text: &str) -> (Vec<IgnoreComment>, Vec<(Origin, IgnoreError)>) {
    let (mut ignored, mut wrong) = (Vec::new(), Vec::new());
    if !text.contains(ADDRESSEE) {
        return (ignored, wrong);
    }
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((at, parsed)) = comment(line) else { continue };
        let is_directive = |line: &&str| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        };
        let alone = !is_directive(line);
        let below = lines.iter().skip(index).position(is_directive).filter(|_| alone);
        let target = index + below.unwrap_or(0);
        let origin = |line: usize, column: usize| {
            let narrow = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
            Origin { file: file.to_owned(), line: narrow(line), column: narrow(column) }
        };
        match parsed {
            Ok(ignore) => ignored.push(IgnoreComment { ignore, origin: origin(target, 0) }),
            Err(error) => wrong.push((origin(index, at), error)),
        }
    }
    (ignored, wrong)
}

/// The comment for this program on a line, and its position.
fn comment(line: &str) -> Option<(usize, Result<Ignore, IgnoreError>)> {
    // In nginx, a comment starts only where a word can start.
    let begins = |at: &usize| {
        let before = line[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || ";{}".contains(c))
    };
    let starts = line.match_indices('#').map(|(at, _)| at).filter(begins);
    starts.into_iter().find_map(|at| Some((at, parse(&line[at..])?)))
}

/// The suggestion for an unknown rule.
fn meant(suggestion: Option<&str>) -> String {
    suggestion.map(|id| format!("; did you mean {id}?")).unwrap_or_default()
}

/// Parses a comment, with or without its `#`; `None` if it is not for this program.
pub fn parse(comment: &str) -> Option<Result<Ignore, IgnoreError>> {
    let text = comment.trim_start_matches('#').trim();
    let words = text.strip_prefix(ADDRESSEE)?.trim_start();
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

fn rule(name: &str) -> Result<RuleOrGroup, IgnoreError> {
    RuleOrGroup::find(name).ok_or_else(|| IgnoreError::UnknownRule {
        name: name.chars().take(64).collect(),
        suggestion: closest(name),
    })
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[track_caller]
    fn check(comment: &str, expected: Option<Result<(&[&str], &str), &str>>) {
        let found = parse(comment).map(|parsed| parsed.map_err(|error| error.to_string()));
        let expected = expected.map(|parsed| {
            parsed.map(|(rules, reason)| (rules.to_vec(), reason.to_owned())).map_err(str::to_owned)
        });
        let ids =
            |rules: Vec<RuleOrGroup>| rules.into_iter().map(RuleOrGroup::id).collect::<Vec<_>>();
        let found = found.map(|p| p.map(|i| (ids(i.rules), i.reason)));
        assert_eq!(found, expected, "{comment}");
    }

    #[test]
    fn a_comment_applies_to_its_own_line_or_the_next_directive() {
        let text = "server {\n    listen 443 ssl; # shakedown: ignore[self-signed] lab\n\n    \
            # shakedown: ignore[weak-key] until the move\n    # more\n\n    \
            ssl_certificate a#b;\n    # shakedown: ignore[nothing] x\n}\n";
        let (ignored, wrong) = in_text("nginx.conf", text);
        let lines: Vec<(u32, &str)> =
            ignored.iter().map(|one| (one.origin.line, one.ignore.rules[0].id())).collect();
        assert_eq!(lines, [(2, "self-signed"), (7, "weak-key")]);
        assert_eq!(wrong.len(), 1);
        assert_eq!((wrong[0].0.line, wrong[0].0.column), (8, 5));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "([#;{ é\n]|shakedown:|ignore|\\[weak-key\\]|x){0,30}") {
            let _ = in_text("x", &text);
        }
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
        check("# shakedown: ignore[self-signed]", Some(Err("missing reason after the bracket")));
        check(
            "# shakedown: ignore[self-signd] x",
            Some(Err("unknown rule \"self-signd\"; did you mean self-signed?")),
        );
        check(
            "# shakedown: ignore all of it",
            Some(Err("expected `shakedown: ignore[rule] reason`")),
        );
        check("# shakedown: ignore[] x", Some(Err("unknown rule \"\"")));
    }
}
