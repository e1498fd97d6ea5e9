//! `explain`: what a rule or an alert means, from the texts of the registry.

use std::collections::HashSet;
use std::io::{self, Write};

use serde_json::json;

use super::args::{ExplainArgs, PlainFormat};
use super::exit::Exit;
use super::mistake::Mistake;
use super::settings;
use crate::audit::finding::Section;
use crate::audit::registry;
use crate::audit::rule::Rule;
use crate::tls::alert::AlertDescription;

/// Lines of prose get no longer than this, however wide the terminal.
const MAX_WIDTH: usize = 100;

/// Runs the subcommand.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let text = match (&args.subject, args.format) {
        (None, PlainFormat::Text) => list(),
        (None, PlainFormat::Json) => {
            pretty(&registry::RULES.iter().map(|rule| rule_json(rule)).collect::<Vec<_>>())
        }
        (Some(subject), format) => explain(subject, format)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Passed)
}

fn explain(subject: &str, format: PlainFormat) -> anyhow::Result<String> {
    if let Some(rule) = registry::find(subject) {
        return Ok(match format {
            PlainFormat::Text => rule_text(rule),
            PlainFormat::Json => pretty(&rule_json(rule)),
        });
    }
    if let Some(alert) = alert(subject) {
        return Ok(match format {
            PlainFormat::Text => alert_text(alert),
            PlainFormat::Json => {
                pretty(&json!({ "alert": { "number": alert.0, "name": alert.name() } }))
            }
        });
    }
    let help = match registry::closest(subject) {
        Some(id) => format!("did you mean {id}?"),
        None => "shakedown explain lists the rules".to_owned(),
    };
    Err(Mistake::new(format!("no rule or alert is called {subject:?}"), help))
}

fn alert(subject: &str) -> Option<AlertDescription> {
    let by_number =
        subject.parse().ok().map(AlertDescription).filter(|alert| alert.name().is_some());
    by_number.or_else(|| AlertDescription::from_name(subject))
}

/// Every rule under the heading of its section.
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
    format!("{head}\n{why}\n{fix}\nSee:\n  {}\n", rule.references.join("\n  "))
}

fn wrapped(title: &str, text: &str) -> String {
    let options = textwrap::Options::new(width()).initial_indent("  ").subsequent_indent("  ");
    format!("{title}:\n{}\n", textwrap::fill(text, options))
}

fn rule_json(rule: &Rule) -> serde_json::Value {
    json!({
        "rule": rule.id,
        "severity": rule.severity,
        "section": rule.section,
        "summary": rule.summary,
        "why": rule.why,
        "fix": rule.fix,
        "references": rule.references,
    })
}

/// An alert says that the other side complains; rules tell what that means at each end.
fn alert_text(alert: AlertDescription) -> String {
    let mentions = format!("alert {}", alert.0);
    let about = registry::RULES.iter().filter(|rule| rule.why.contains(&mentions));
    let rules: Vec<String> = about.map(|rule| format!("  {}: {}", rule.id, rule.summary)).collect();
    let head = format!(
        "alert {alert}\nIn a log line with \"SSL alert number {}\", the other side sent it: it is the peer that complains.\n",
        alert.0
    );
    if rules.is_empty() {
        return head;
    }
    format!("{head}\nRules that speak of it:\n{}\n", rules.join("\n"))
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("texts are plain data") + "\n"
}
