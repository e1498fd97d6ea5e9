//! SARIF 2.1.0 (OASIS) for code scanning: one run, every rule, and each result with a place in a file and a fingerprint
//! that does not depend on dates or serial numbers.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::audit::finding::{Excuse, Finding};
use crate::audit::registry::RULES;
use crate::audit::rule::Rule;
use crate::report::escape::escape;
use crate::report::items::{self, Item, items};
use crate::report::place::{Place, more_places, place};
use crate::report::words::timestamp;
use crate::report::{Report, inert_json};
use crate::run::TargetReport;
use crate::targets::Target;

/// The address of the schema.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// GitHub refuses a run with more results.
const MAX_RESULTS: usize = 25_000;

/// GitHub refuses longer descriptions.
const MAX_DESCRIPTION: usize = 1024;

/// Writes the whole report as one log with one run.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (results, left_out) = results(report);
    let mut notifications = Vec::new();
    if left_out > 0 {
        let text =
            format!("{left_out} results are left out: a run may contain at most {MAX_RESULTS}.");
        notifications.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    if let Some(rehearsal) = &report.options.rehearsal {
        let text = rehearsal.to_string();
        notifications.push(json!({ "level": "note", "message": { "text": text } }));
    }
    if report.interrupted {
        let text = "The run was stopped before every target was tested.";
        notifications.push(json!({ "level": "error", "message": { "text": text } }));
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver() },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": !report.interrupted,
                "startTimeUtc": timestamp(report.started_at),
                "endTimeUtc": timestamp(report.finished_at),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    inert_json::write_pretty(&log, out)?;
    writeln!(out)
}

fn driver() -> Value {
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": RULES.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
    })
}

fn descriptor(rule: &Rule) -> Value {
    let references = rule.references.iter().map(|reference| format!("\n- {reference}"));
    let references: String = references.collect();
    let first_url = rule.references.iter().find(|reference| reference.starts_with("https://"));
    let mut descriptor = json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": sentence(rule.summary) },
        "fullDescription": { "text": cut(rule.why) },
        "help": {
            "text": format!("{}\n\n{}", rule.why, rule.fix),
            "markdown": format!("{}\n\n**Fix:** {}\n{references}", rule.why, rule.fix),
        },
        "defaultConfiguration": { "level": rule.severity.to_string() },
        "properties": { "tags": [rule.section.to_string()], "precision": "high" },
    });
    if let Some(url) = first_url {
        descriptor["helpUri"] = json!(url);
    }
    descriptor
}

/// The results in input order, and how many were left out. If there are too many, the worst are kept.
fn results(report: &Report) -> (Vec<Value>, usize) {
    let mut all: Vec<(&TargetReport, Item<'_>)> = report
        .targets
        .iter()
        .flat_map(|target| items(target).map(move |item| (target, item)))
        .collect();
    let left_out = all.len().saturating_sub(MAX_RESULTS);
    if left_out > 0 {
        all.sort_by_key(|(_, item)| std::cmp::Reverse(item.finding().map(|f| f.severity)));
        all.truncate(MAX_RESULTS);
    }
    (all.into_iter().map(|(target, item)| result(report, &target.target, item)).collect(), left_out)
}

fn result(report: &Report, target: &Target, item: Item<'_>) -> Value {
    let fingerprint = item.fingerprint(target);
    let place = place(report, target, item.finding());
    let mut result = json!({
        "ruleId": item.rule(),
        "message": { "text": message(target, item) },
        "locations": [location(place.as_ref(), target)],
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{fingerprint}:1"),
            "shakedown/v1": fingerprint,
        },
        "properties": { "target": escape(&target.name), "fix": item.fix() },
    });
    let more = more_places(report, target);
    if !more.is_empty() {
        let related = more.iter().enumerate();
        result["relatedLocations"] =
            related.map(|(id, place)| related_location(id, place)).collect();
    }
    if let Some(index) = RULES.iter().position(|rule| rule.id == item.rule()) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(finding) = item.finding() {
        add_finding(&mut result, finding);
    } else {
        // Section 3.27.9: the rule was evaluated, but there was not enough information to decide.
        (result["kind"], result["level"]) = (json!("open"), json!("none"));
    }
    result
}

fn add_finding(result: &mut Value, finding: &Finding) {
    result["level"] = json!(finding.severity.to_string());
    let evidence: Vec<_> = finding.evidence.iter().map(|fact| escape(fact)).collect();
    let commands: Vec<_> = finding.reproduce.iter().map(|command| escape(command)).collect();
    result["properties"]["evidence"] = json!(evidence);
    result["properties"]["reproduce"] = json!(commands);
    if let Some(excuse) = &finding.excuse {
        let kind = if matches!(excuse, Excuse::Ignored { .. }) { "inSource" } else { "external" };
        result["suppressions"] = json!([{
            "kind": kind,
            "status": "accepted",
            "justification": escape(&excuse.to_string()),
        }]);
    }
}

/// The first sentence is the title, so it must not contain anything that changes daily.
fn message(target: &Target, item: Item<'_>) -> String {
    let place = match target.host().zip(target.port()) {
        None => format!("in {}", escape(&target.name)),
        Some((host, port)) => {
            let name = target.server_name.as_deref();
            let name = name.map_or_else(
                || "without a server name".to_owned(),
                |name| format!("with the server name {}", escape(name)),
            );
            format!("at {} port {port} {name}", escape(&host.to_string()))
        }
    };
    let head = format!("{} {place}.", items::summary(item.rule()));
    let fix = item.fix();
    let fix = if fix.is_empty() { fix } else { format!(" Fix: {fix}") };
    format!("{} {}{fix}", sentence(&head), sentence(&item.message()))
}

fn location(place: Option<&Place>, target: &Target) -> Value {
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": items::address(target), "kind": "resource" }],
    });
    if let Some(place) = place {
        location["physicalLocation"] = physical(place);
    }
    location
}

/// Another place with the same settings.
fn related_location(id: usize, place: &Place) -> Value {
    json!({
        "id": id,
        "message": { "text": "The same settings lead to the same server here." },
        "physicalLocation": physical(place),
    })
}

fn physical(Place { path, line, column }: &Place) -> Value {
    json!({
        "artifactLocation": { "uri": uri(path) },
        "region": {
            "startLine": line,
            "startColumn": column,
            "endLine": line,
            "endColumn": column.saturating_add(1),
        },
    })
}

/// A path as a URI reference (RFC 3986): characters that are not allowed in a path segment are percent-encoded.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let encoded = path.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    std::iter::once(scheme.to_owned()).chain(encoded).collect()
}

/// The text with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(uri("conf/a b%é:?#.conf"), "conf/a%20b%25%C3%A9%3A%3F%23.conf");
        assert_eq!(uri("/etc/nginx/nginx.conf"), "file:///etc/nginx/nginx.conf");
    }

    #[test]
    fn a_sentence_has_a_capital_and_one_full_stop() {
        assert_eq!(sentence("it fails"), "It fails.");
        assert_eq!(sentence("It fails."), "It fails.");
        assert_eq!(sentence(""), ".");
    }
}
