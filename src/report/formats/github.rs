//! GitHub Actions: an annotation for each finding, as workflow commands, worst first (a step shows ten of each kind),
//! and the Markdown report, shortened to fit into a job summary.

use std::io::{self, Write};

use super::markdown;
use crate::audit::finding::Severity;
use crate::report::Report;
use crate::report::items::{Item, items};
use crate::report::place::place;
use crate::run::TargetReport;

/// GitHub refuses larger summaries of a step; some room is left for other commands of the step.
const MAX_SUMMARY: usize = 900 * 1024;

/// Writes the annotations.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<(&TargetReport, Item<'_>)> = report
        .targets
        .iter()
        .flat_map(|target| items(target).map(move |item| (target, item)))
        .filter(|(_, item)| item.finding().is_none_or(|finding| finding.excuse.is_none()))
        .collect();
    all.sort_by_key(|(_, item)| std::cmp::Reverse(weight(*item)));
    for (target, item) in all {
        writeln!(out, "{}", annotation(report, target, item))?;
    }
    writeln!(out, "{}", markdown::in_words(report))
}

/// What could not be tested ranks with the warnings.
fn weight(item: Item<'_>) -> Severity {
    item.finding().map_or(Severity::Warning, |finding| finding.severity)
}

fn annotation(report: &Report, target: &TargetReport, item: Item<'_>) -> String {
    let command = match weight(item) {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = place(report, &target.target, item.finding()) {
        properties.push(format!("file={}", property(&crate::report::escape::escape(&place.path))));
        properties.push(format!("line={},col={}", place.line, place.column));
    }
    let name = crate::report::escape::escape(&target.target.name);
    properties.push(format!("title={}", property(&format!("{} ({name})", item.rule()))));
    let fix = item.fix();
    let fix = if fix.is_empty() { fix } else { format!("\nFix: {fix}") };
    let message = data(&format!("{name}: {}{fix}", item.message()));
    format!("::{command} {}::{message}", properties.join(","))
}

/// The data of a workflow command, with line breaks and percent signs escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at a comma or two colons.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The job summary in Markdown: the whole report, or as many targets as fit.
pub fn summary(report: &Report) -> String {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = markdown::render(report, &mut bytes);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if text.len() > MAX_SUMMARY {
        let end = text.as_bytes()[..MAX_SUMMARY].windows(2).rposition(|pair| pair == b"\n\n");
        text.truncate(end.unwrap_or(0));
        text.push_str("\n\nThe rest does not fit into the summary.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_before_its_time() {
        assert_eq!(data("100%0A\r\n::error::x"), "100%250A%0D%0A::error::x");
        assert_eq!(property("a,b::c"), "a%2Cb%3A%3Ac");
    }
}
