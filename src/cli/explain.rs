//! `explain`: explains rules, alerts, error codes and whole log lines.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};

use serde_json::json;

use super::args::{ExplainArgs, PlainFormat};
use super::errors::UsageError;
use super::exit::Exit;
use super::input;
use super::settings;
use crate::audit::example::{self, Example};
use crate::audit::finding::Section;
use crate::audit::registry::{self, RuleOrGroup};
use crate::audit::rule::{Rule, RuleGroup};
use crate::log::direction::{self, Direction};
use crate::log::explanation::{self, Explanation};
use crate::log::program;
use crate::openssl::code::{self, ErrorLibrary, reason};
use crate::openssl::verify_error::VerifyError;
use crate::report::explanation::text;
use crate::report::{Look, inert_json};
use crate::tls::alert::AlertDescription;

/// The longest line of text, in columns, even on wider terminals.
const MAX_WIDTH: usize = 100;

/// The most bytes of standard input; whole logs are for `log`.
const MAX_INPUT: u64 = 1024 * 1024;

/// Runs the subcommand.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let text = match &args.subject {
        None => piped(args.format)?,
        Some(subject) if subject == "-" => lines(&input::stdin(MAX_INPUT)?, args.format),
        Some(subject) => explain(subject.as_encoded_bytes(), args.format)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Passed)
}

/// Explains lines from a pipe; without one, lists the rules.
fn piped(format: PlainFormat) -> anyhow::Result<String> {
    let input = if io::stdin().is_terminal() { Vec::new() } else { input::stdin(MAX_INPUT)? };
    if !input.trim_ascii().is_empty() {
        return Ok(lines(&input, format));
    }
    Ok(match format {
        PlainFormat::Text => list(),
        PlainFormat::Json => {
            pretty(&registry::RULES.iter().map(|rule| rule_json(rule)).collect::<Vec<_>>())
        }
    })
}

/// Explains each line separately; as JSON, one object per line.
fn lines(input: &[u8], format: PlainFormat) -> String {
    let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let explanations: Vec<Explanation> = lines.map(explanation::of_line).collect();
    match (explanations.as_slice(), format) {
        ([one], _) => answer(one, format),
        (several, PlainFormat::Text) => {
            let texts: Vec<String> = several.iter().map(|one| answer(one, format)).collect();
            texts.join("\n----\n\n")
        }
        (several, PlainFormat::Json) => several.iter().map(|one| compact(one) + "\n").collect(),
    }
}

fn answer(explanation: &Explanation, format: PlainFormat) -> String {
    match format {
        PlainFormat::Text => text(explanation, look()),
        PlainFormat::Json => pretty(explanation),
    }
}

fn explain(subject: &[u8], format: PlainFormat) -> anyhow::Result<String> {
    let word = String::from_utf8_lossy(subject);
    let word = word.trim();
    if let Some(named) = RuleOrGroup::find(word) {
        return Ok(match (named, format) {
            (RuleOrGroup::Rule(rule), PlainFormat::Text) => rule_text(rule),
            (RuleOrGroup::Rule(rule), PlainFormat::Json) => pretty(&rule_json(rule)),
            (RuleOrGroup::Group(group), PlainFormat::Text) => group_text(group),
            (RuleOrGroup::Group(group), PlainFormat::Json) => pretty(&group_json(group)),
        });
    }
    if let Some(explanation) = of_word(word) {
        let rules = match format {
            PlainFormat::Text => alert(word).map(rules_about).unwrap_or_default(),
            PlainFormat::Json => String::new(),
        };
        let other = match format {
            PlainFormat::Text => other_meaning(word).map(|text| format!("\n{text}\n")),
            PlainFormat::Json => None,
        };
        return Ok(answer(&explanation, format) + &rules + &other.unwrap_or_default());
    }
    let of_program = program::of_text(subject).is_some();
    if word.contains([' ', '(', ':', '{']) && !looks_like_a_code(word) || of_program {
        return Ok(answer(&explanation::of_line(subject), format));
    }
    let help = match registry::closest(word) {
        _ if looks_like_a_code(word) => {
            "an OpenSSL error code has eight hexadecimal digits, such as 0A000458; copy all of them, or the whole line"
                .to_owned()
        }
        Some(id) => format!("did you mean {id}?"),
        None => "shakedown explain lists the rules".to_owned(),
    };
    Err(UsageError::new(format!("unknown rule, alert or error {word:?}"), help))
}

/// An alert, a verification error, or an error code of a library.
fn of_word(word: &str) -> Option<Explanation> {
    let number = word.parse().ok();
    let verify = match number {
        Some(number) => VerifyError::by_number(number),
        None => VerifyError::by_name(word),
    };
    match (alert(word), verify) {
        (Some(_), Some(error)) if error.0 < FIRST_COMMON_ALERT => {
            return Some(explanation::of_verification(error));
        }
        (Some(alert), _) => return Some(explanation::of_alert(alert)),
        (None, Some(error)) => return Some(explanation::of_verification(error)),
        (None, None) => {}
    }
    let whole = !word.contains(' ') || word.starts_with("error:") && !word.contains(" while ");
    let bare = word.strip_prefix("0x").unwrap_or(word);
    let code = whole.then(|| code::parse(bare)).flatten();
    let code = code.or_else(|| reason::by_text(word)).or_else(|| reason::by_number(number?))?;
    if code.alert().is_none() && code.text.is_empty() {
        return None;
    }
    let side = direction::of_function(std::slice::from_ref(&code));
    if side != Direction::Unknown || code.part != ErrorLibrary::Ssl {
        return Some(explanation::of_line(word.as_bytes()));
    }
    Some(explanation::of_code(&code))
}

/// Numbers below this are read as verification errors, others as alerts.
const FIRST_COMMON_ALERT: u32 = AlertDescription::HANDSHAKE_FAILURE.0 as u32;

/// A note on the other meaning of a bare number.
fn other_meaning(word: &str) -> Option<String> {
    let number: u32 = word.parse().ok()?;
    let (alert, error) = (alert(word)?, VerifyError::by_number(number)?);
    Some(if number < FIRST_COMMON_ALERT {
        format!(
            "This is about verification error {number}. For alert {alert}: shakedown explain 'alert {number}'"
        )
    } else {
        format!(
            "This is about the alert. Verification error {number} is \"{}\": shakedown explain {}",
            error.text(),
            error.name()
        )
    })
}

/// Whether this looks like an error code, complete or truncated.
fn looks_like_a_code(word: &str) -> bool {
    let bare = word.strip_prefix("error:").or_else(|| word.strip_prefix("0x")).unwrap_or(word);
    (5..=10).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn alert(subject: &str) -> Option<AlertDescription> {
    let subject = subject.trim_start_matches("SSL ").trim_start_matches("alert ");
    let subject = subject.trim_start_matches("number ");
    let by_number =
        subject.parse().ok().map(AlertDescription).filter(|alert| alert.name().is_some());
    by_number.or_else(|| AlertDescription::from_name(subject))
}

/// All rules, by section.
fn list() -> String {
    let id_width = registry::RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let indent = " ".repeat(id_width + 13);
    let options = textwrap::Options::new(width()).subsequent_indent(&indent);
    let row = |rule: &&Rule| {
        let row = format!("  {:id_width$}  {:7}  {}", rule.id, rule.severity, rule.summary);
        textwrap::fill(&row, &options) + "\n"
    };
    let mut sections: Vec<Section> = registry::RULES.iter().map(|rule| rule.section).collect();
    let mut met = HashSet::new();
    sections.retain(|section| met.insert(*section));
    let chapter = |section: Section| {
        let rules = registry::RULES.iter().filter(|rule| rule.section == section);
        format!("{section}\n{}", rules.map(row).collect::<String>())
    };
    sections.into_iter().map(chapter).collect::<Vec<_>>().join("\n")
}

fn width() -> usize {
    settings::width().min(MAX_WIDTH)
}

fn rule_text(rule: &Rule) -> String {
    let head =
        format!("{} ({}, section {})\n{}\n", rule.id, rule.severity, rule.section, rule.summary);
    let (why, fix) = (wrapped("Why it matters", rule.why), wrapped("Fix", rule.fix));
    let example = example::of(rule.id).map(example_text).unwrap_or_default();
    format!("{head}\n{why}\n{fix}\n{example}See:\n  {}\n", rule.references.join("\n  "))
}

/// The lines with the fault, then those with the fix.
fn example_text(example: &Example) -> String {
    let (fault, fix) = (textwrap::indent(example.fault, "  "), textwrap::indent(example.fix, "  "));
    format!("With the fault:\n{fault}\n\nWith the fix:\n{fix}\n\n")
}

/// A group and its rules, one per line.
fn group_text(group: RuleGroup) -> String {
    let members: Vec<&Rule> = registry::members(group).collect();
    let width = members.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let row =
        |rule: &&Rule| format!("  {:width$}  {:7}  {}\n", rule.id, rule.severity, rule.summary);
    let rows: String = members.iter().map(row).collect();
    format!("{} (group of rules)\n{}\n\nRules:\n{rows}", group.id(), group.summary())
}

fn group_json(group: RuleGroup) -> serde_json::Value {
    json!({
        "group": group.id(),
        "summary": group.summary(),
        "rules": registry::members(group).map(rule_json).collect::<Vec<_>>(),
    })
}

fn wrapped(title: &str, text: &str) -> String {
    let options = textwrap::Options::new(width()).initial_indent("  ").subsequent_indent("  ");
    format!("{title}:\n{}\n", textwrap::fill(text, options))
}

fn rule_json(rule: &Rule) -> serde_json::Value {
    json!({
        "rule": rule.id,
        "group": rule.group().map(RuleGroup::id),
        "severity": rule.severity,
        "section": rule.section,
        "summary": rule.summary,
        "why": rule.why,
        "fix": rule.fix,
        "references": rule.references,
        "example": example::of(rule.id).map(|example| json!({ "fault": example.fault, "fix": example.fix })),
    })
}

/// Rules about an alert, for each side.
fn rules_about(alert: AlertDescription) -> String {
    let mentions = format!("alert {}", alert.0);
    let about = registry::RULES.iter().filter(|rule| rule.why.contains(&mentions));
    let rules: Vec<String> =
        about.map(|rule| format!("  {}: {}\n", rule.id, rule.summary)).collect();
    if rules.is_empty() { String::new() } else { format!("\nRelated rules:\n{}", rules.concat()) }
}

fn look() -> Look {
    Look { width: width(), colour: false, show_chain: false }
}

fn compact(value: &impl serde::Serialize) -> String {
    let mut text = Vec::new();
    inert_json::write(value, &mut text).expect("texts are plain data");
    String::from_utf8_lossy(&text).into_owned()
}

fn pretty(value: &impl serde::Serialize) -> String {
    inert_json::pretty(value).expect("texts are plain data")
}
