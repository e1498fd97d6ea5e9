//! `explain`: what a rule or an alert means, from the texts of the registry.

use std::io::{self, Write};

use anyhow::bail;
use serde_json::json;

use super::args::{ExplainArgs, ExplainFormat};
use super::exit::Exit;
use crate::audit::registry;
use crate::audit::rule::Rule;
use crate::tls::alert::AlertDescription;

/// Columns of the text.
const WIDTH: usize = 100;

/// Runs the subcommand.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let text = match (&args.subject, args.format) {
        (None, ExplainFormat::Text) => list(),
        (None, ExplainFormat::Json) => {
            pretty(&registry::RULES.iter().map(|rule| rule_json(rule)).collect::<Vec<_>>())
        }
        (Some(subject), format) => explain(subject, format)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Passed)
}

fn explain(subject: &str, format: ExplainFormat) -> anyhow::Result<String> {
    if let Some(rule) = registry::find(subject) {
        return Ok(match format {
            ExplainFormat::Text => rule_text(rule),
            ExplainFormat::Json => pretty(&rule_json(rule)),
        });
    }
    if let Some(alert) = alert(subject) {
        return Ok(match format {
            ExplainFormat::Text => alert_text(alert),
            ExplainFormat::Json => {
                pretty(&json!({ "alert": { "number": alert.0, "name": alert.name() } }))
            }
        });
    }
    match registry::closest(subject) {
        Some(id) => bail!("no rule or alert is called {subject:?}; did you mean {id}?"),
        None => bail!("no rule or alert is called {subject:?}; shakedown explain lists the rules"),
    }
}

fn alert(subject: &str) -> Option<AlertDescription> {
    let by_number =
        subject.parse().ok().map(AlertDescription).filter(|alert| alert.name().is_some());
    by_number.or_else(|| AlertDescription::from_name(subject))
}

fn list() -> String {
    let width = registry::RULES.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let row = |rule: &&Rule| format!("{:width$}  {:7}  {}", rule.id, rule.severity, rule.summary);
    registry::RULES.iter().map(row).collect::<Vec<_>>().join("\n") + "\n"
}

fn rule_text(rule: &Rule) -> String {
    let head =
        format!("{} ({}, section {})\n{}\n", rule.id, rule.severity, rule.section, rule.summary);
    let (why, fix) = (wrapped("Why it matters", rule.why), wrapped("Fix", rule.fix));
    format!("{head}\n{why}\n{fix}\nSee:\n  {}\n", rule.references.join("\n  "))
}

fn wrapped(title: &str, text: &str) -> String {
    let options = textwrap::Options::new(WIDTH).initial_indent("  ").subsequent_indent("  ");
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
