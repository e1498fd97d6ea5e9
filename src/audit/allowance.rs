//! What the operator allows at the gate, in TOML: severities that replace those of rules, and findings that are allowed
//! until a date.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use time::{Date, Month};
use toml::Spanned;
use wildmatch::WildMatch;

use super::finding::Severity;
use super::registry::{RuleOrGroup, closest};
use crate::targets::places::Places;
use crate::targets::{Origin, Target};

/// The contents of a gate file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Severities by rule or group, which replace those of the rules; of two for one rule the last applies.
    pub severities: Vec<(RuleOrGroup, Severity)>,
    /// Findings that do not fail the run until a date.
    pub entries: Vec<Allowance>,
}

/// A finding, or several of a rule, that do not fail the run until a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The rule, or a group of them.
    pub rule: RuleOrGroup,
    /// The targets: their name, host or `host:port`, with `*` for any text and `?` for any character.
    pub target: String,
    /// The reason.
    pub reason: String,
    /// The last day on which it applies, in UTC.
    pub until: Date,
    /// Its place in the file.
    pub origin: Origin,
}

impl Allowance {
    /// Whether it applies to this target.
    pub fn covers(&self, target: &Target) -> bool {
        let pattern = WildMatch::new_case_insensitive(&self.target);
        let host = target.host().map(ToString::to_string);
        let endpoint =
            host.as_ref().zip(target.port()).map(|(host, port)| format!("{host}:{port}"));
        pattern.matches(&target.name)
            || [host, endpoint].iter().flatten().any(|name| pattern.matches(name))
    }
}

/// One error in a gate file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", origin.file, origin.line)]
pub struct GateProblem {
    /// Its place.
    pub origin: Origin,
    /// What is wrong.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateDocument {
    #[serde(default)]
    severity: BTreeMap<Spanned<String>, Severity>,
    #[serde(default)]
    allow: Vec<Spanned<AllowanceEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowanceEntry {
    rule: Spanned<String>,
    target: Spanned<String>,
    reason: Spanned<String>,
    until: Spanned<toml::value::Datetime>,
}

/// Reads the text of a gate file.
///
/// # Errors
///
/// Everything that is wrong with it, with its place in the file.
pub fn read(file: &str, text: &str) -> Result<Allowances, Vec<GateProblem>> {
    let mut reader = GateReader { places: Places::new(file, text), problems: Vec::new() };
    let document: GateDocument = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let message = error.message().trim_end().replace('\n', "; ");
            reader.problem(&error.span().unwrap_or(0..0), message);
            return Err(reader.problems);
        }
    };
    let severities = document.severity.iter();
    let mut severities: Vec<(RuleOrGroup, Severity)> =
        severities.filter_map(|(rule, severity)| Some((reader.rule(rule)?, *severity))).collect();
    // An entry for a rule takes precedence over one for its group.
    severities.sort_by_key(|(named, _)| matches!(named, RuleOrGroup::Rule(_)));
    let entries = document.allow.iter().filter_map(|entry| reader.allowance(entry)).collect();
    if reader.problems.is_empty() {
        Ok(Allowances { severities, entries })
    } else {
        Err(reader.problems)
    }
}

struct GateReader<'a> {
    places: Places<'a>,
    problems: Vec<GateProblem>,
}

impl GateReader<'_> {
    fn allowance(&mut self, entry: &Spanned<AllowanceEntry>) -> Option<Allowance> {
        let AllowanceEntry { rule, target, reason, until } = entry.get_ref();
        let (rule, target) = (self.rule(rule), self.filled(target, "the target pattern"));
        let (reason, until) = (self.filled(reason, "the reason"), self.day(until));
        Some(Allowance {
            rule: rule?,
            target: target?,
            reason: reason?,
            until: until?,
            origin: self.places.origin(entry.span().start),
        })
    }

    fn rule(&mut self, name: &Spanned<String>) -> Option<RuleOrGroup> {
        let named = RuleOrGroup::find(name.get_ref());
        if named.is_none() {
            let advice = closest(name.get_ref()).map(|id| format!("; did you mean {id}?"));
            let advice = advice.unwrap_or_else(|| "; for a list: shakedown explain".to_owned());
            self.problem(&name.span(), format!("unknown rule {:?}{advice}", name.get_ref()));
        }
        named
    }

    fn filled(&mut self, text: &Spanned<String>, what: &str) -> Option<String> {
        let filled = Some(text.get_ref().trim()).filter(|text| !text.is_empty());
        if filled.is_none() {
            self.problem(&text.span(), format!("{what} is empty"));
        }
        filled.map(str::to_owned)
    }

    fn day(&mut self, until: &Spanned<toml::value::Datetime>) -> Option<Date> {
        let (date, time) = (until.get_ref().date, until.get_ref().time);
        let day = date.filter(|_| time.is_none()).and_then(|date| {
            let month = Month::try_from(date.month).ok()?;
            Date::from_calendar_date(i32::from(date.year), month, date.day).ok()
        });
        if day.is_none() {
            self.problem(&until.span(), "expected a day, such as 2027-01-31".to_owned());
        }
        day
    }

    fn problem(&mut self, span: &Range<usize>, message: String) {
        let origin = self.places.origin(span.start);
        self.problems.push(GateProblem { origin, message });
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;
    use time::macros::date;

    use super::*;
    use crate::targets::options::Options;

    #[track_caller]
    fn check_problems(text: &str, expected: &[&str]) {
        let problems = read("p.toml", text).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn the_example_file_is_valid_and_shows_every_key() {
        let text = include_str!("../../gate.example.toml");
        let allowances = read("gate.example.toml", text).unwrap();
        assert!(!allowances.severities.is_empty() && allowances.entries.len() > 1);
        assert_eq!(allowances.entries[0].until, date!(2027 - 03 - 31));
    }

    #[test]
    fn every_key_of_an_allowance_is_required() {
        check_problems("[[allow]]\nrule = \"weak-key\"\n", &["p.toml:1: missing field `target`"]);
        let entry =
            |until: &str| format!("[[allow]]\nrule='weak-key'\ntarget='*'\nreason='x'\n{until}");
        check_problems(&entry(""), &["missing field `until`"]);
        check_problems(&entry("until = 2027-02-30"), &["p.toml:5"]);
        check_problems(&entry("until = 2027-02-01T00:00:00Z"), &["p.toml:5: expected a day"]);
        check_problems(&entry("until = 2027-02-01\nfor = 1"), &["unknown field `for`"]);
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        check_problems(
            "[severity]\nweak-kee = \"note\"\n[[allow]]\nrule = \"nothing\"\ntarget = ''\nreason = ' '\nuntil = 2027-01-01",
            &[
                "p.toml:2: unknown rule \"weak-kee\"; did you mean weak-key?",
                "p.toml:4: unknown rule \"nothing\"",
                "p.toml:5: the target pattern is empty",
                "p.toml:6: the reason is empty",
            ],
        );
        check_problems("[severity]\nweak-key = \"off\"", &["unknown variant `off`"]);
    }

    #[test]
    fn a_pattern_covers_name_host_and_endpoint() {
        let options = Options { name: Some("the API".to_owned()), ..Options::default() };
        let target = options.target("api.example.test:8443".parse().unwrap(), None, None);
        let covers = |pattern: &str| {
            let entry = format!(
                "[[allow]]\nrule='weak-key'\ntarget='{pattern}'\nreason='x'\nuntil=2027-01-01"
            );
            read("p", &entry).unwrap().entries[0].covers(&target)
        };
        let patterns = ["*.example.test", "API.example.test", "*:8443", "the API", "*", "a??.*"];
        assert!(patterns.iter().all(|pattern| covers(pattern)));
        assert!(!["example.test", "*:443", "*.test.", "api"].iter().any(|pattern| covers(pattern)));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "(\\[severity\\]|\\[\\[allow\\]\\])?\n?.{0,80}") {
            let _ = read("p.toml", &text);
        }
    }
}
