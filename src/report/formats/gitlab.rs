//! GitLab's Code Quality report: a list of problems, each with a place in a file.

use std::io::{self, Write};

use serde::Serialize;

use crate::audit::finding::Severity;
use crate::report::escape::escape;
use crate::report::items::{Item, items};
use crate::report::place::place;
use crate::report::{Report, inert_json};
use crate::targets::Target;

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// Writes the whole report, without excused findings, which are not violations.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let issues: Vec<Issue> = report
        .targets
        .iter()
        .flat_map(|target| items(target).map(|item| (&target.target, item)))
        .filter(|(_, item)| item.finding().is_none_or(|finding| finding.excuse.is_none()))
        .map(|(target, item)| issue(report, target, item))
        .collect();
    inert_json::write_pretty(&issues, out)?;
    writeln!(out)
}

fn issue(report: &Report, target: &Target, item: Item<'_>) -> Issue {
    let place = place(report, target, item.finding());
    let (path, begin) = place.map_or_else(|| (String::new(), 1), |place| (place.path, place.line));
    Issue {
        description: format!("{}: {}", escape(&target.name), item.message()),
        check_name: item.rule(),
        fingerprint: item.fingerprint(target),
        severity: match item.finding().map(|finding| finding.severity) {
            Some(Severity::Error) => "critical",
            Some(Severity::Warning) => "major",
            Some(Severity::Note) => "info",
            None => "minor",
        },
        location: Location { path, lines: Lines { begin } },
    }
}
