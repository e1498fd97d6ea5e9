//! Markdown (CommonMark with GitHub's tables), for tickets, comments and job summaries.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::audit::finding::{Finding, Fix};
use crate::report::escape::escape;
use crate::report::items::{Item, items};
use crate::report::words;
use crate::report::{Report, ReportKind, Summary, changes, matrix};
use crate::run::{Status, TargetReport};

/// Writes the whole report.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## TLS audit: {}\n", in_words(report))?;
    if report.interrupted {
        writeln!(out, "**The run was stopped before every target was tested.**\n")?;
    }
    if let Some(rehearsal) = &report.options.rehearsal {
        writeln!(out, "{}\n", text(&rehearsal.to_string()))?;
    }
    if !report.targets.is_empty() {
        overview(report, out)?;
    }
    for target in &report.targets {
        details(target, out)?;
    }
    Ok(())
}

/// The run in one line.
pub(super) fn in_words(report: &Report) -> String {
    let summary = report.summary();
    let Summary { passed, failed, untested, findings, excused, .. } = summary;
    let mut words = format!(
        "{}, {passed} passed, {failed} failed, {untested} could not be tested; errors: {}, warnings: {}, \
         notes: {}",
        summary.counted_kinds(report.kind),
        findings.error,
        findings.warning,
        findings.note
    );
    if excused > 0 {
        // Writing to a string cannot fail.
        let _ = write!(words, "; excused: {excused}");
    }
    words
}

fn overview(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let endpoints = report.kind == ReportKind::Endpoints;
    let cells = "| no SNI, TLS 1.2 | no SNI, TLS 1.3 | SNI, TLS 1.2 | SNI, TLS 1.3 ";
    let (cells, rules) = if endpoints { (cells, "|---|---|---|---") } else { ("", "") };
    writeln!(out, "| target | result {cells}| worst finding |\n|---|---{rules}|---|")?;
    for target in &report.targets {
        let (name, status) = (text(&target.target.name), word(target.status));
        let matrix: String = if endpoints { columns(target) } else { String::new() };
        let findings = &target.judgement.findings;
        let worst = match findings.as_slice() {
            [] => String::new(),
            [finding] => format!("`{}`", finding.rule),
            [finding, others @ ..] => format!("`{}` +{}", finding.rule, others.len()),
        };
        writeln!(out, "| {name} | {status} {matrix}| {worst} |")?;
    }
    writeln!(out)
}

/// The cells of the matrix, each with one word for each distinct result of the addresses.
fn columns(report: &TargetReport) -> String {
    let cell = |column| {
        let mut words: Vec<String> = Vec::new();
        for endpoint in &report.observation.endpoints {
            let word = matrix::word(endpoint, &report.target, column);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let words = if words.is_empty() { "-".to_owned() } else { words.join(" / ") };
        format!("| {} ", text(&words))
    };
    matrix::COLUMNS.map(cell).concat()
}

fn word(status: Status) -> &'static str {
    if status == Status::Fail { "**FAIL**" } else { words::status(status) }
}

fn details(report: &TargetReport, out: &mut dyn Write) -> io::Result<()> {
    let mut items = items(report).peekable();
    let changes = changes::lines(report);
    if items.peek().is_none() && changes.is_none() {
        return Ok(());
    }
    writeln!(out, "### {}\n", text(&report.target.name))?;
    if let Some((heading, lines)) = changes {
        writeln!(out, "- {}", text(&heading))?;
        for line in lines {
            writeln!(out, "  - {}", text(&line))?;
        }
    }
    for item in items {
        match item {
            Item::Finding(finding) => write_finding(finding, out)?,
            Item::Untested(rule, reason) => {
                writeln!(out, "- **could not test** `{rule}`: {}", text(reason))?;
            }
        }
    }
    writeln!(out)
}

fn write_finding(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "- **{}** `{}`: {}", finding.severity, finding.rule, text(&finding.message))?;
    if let Some(excuse) = &finding.excuse {
        writeln!(out, "  - *{}*", text(&excuse.to_string()))?;
    }
    for fact in &finding.evidence {
        writeln!(out, "  - {}", text(fact))?;
    }
    if let Some(fix) = &finding.fix {
        write_fix(fix, out)?;
    }
    for command in &finding.reproduce {
        writeln!(out, "\n{}", code(&escape(command)))?;
    }
    Ok(())
}

fn write_fix(fix: &Fix, out: &mut dyn Write) -> io::Result<()> {
    let mark = if fix.verified == Some(true) { "fix (tried, it works)" } else { "fix" };
    writeln!(out, "  - {mark}: {}", text(&fix.text))?;
    let mut block = String::new();
    for directive in &fix.directives {
        let place = match (&directive.file, directive.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => directive.context.clone(),
        };
        let line = format!("{} {};  # {place}", directive.name, directive.value);
        block = format!("{block}{}\n", escape(&line));
    }
    if block.is_empty() { Ok(()) } else { writeln!(out, "\n{}", code(block.trim_end())) }
}

/// A code block in a list item, with a fence longer than any run of backticks in it.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<&str> = text.lines().collect();
    format!("  {fence}\n  {}\n  {fence}\n", lines.join("\n  "))
}

/// Text that Markdown does not interpret: markup is escaped, and mentions of users are broken up.
pub(super) fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '@' => safe.push_str("@<!-- -->"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(c),
        }
    }
    safe
}
