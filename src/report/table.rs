//! The report for people: a row for each target, then each finding with its evidence and fix.

use std::io::{self, Write};

use anstyle::Style;
use comfy_table::{Attribute, Cell, ContentArrangement, LineStyle, Table, TableStyle};
use time::OffsetDateTime;

use super::escape::escape;
use super::text::{paragraph, severity_style, status_colour, styled};
use super::{Kind, Look, Report, Summary, chain, matrix};
use crate::audit::finding::{Directive, Finding};
use crate::audit::judge::Assessed;
use crate::observation::Endpoint;
use crate::run::{Status, TargetReport};

/// Narrower terminals get lines that run over.
const MIN_WIDTH: usize = 60;

/// One line under the headings is all that the eye needs.
const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Writes the whole report.
pub fn render(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let look = Look { width: look.width.max(MIN_WIDTH), ..look };
    if report.kind == Kind::Endpoints && !report.targets.is_empty() {
        writeln!(out, "{}\n", overview(report, look))?;
    }
    for target in &report.targets {
        details(target, report.finished_at, look, out)?;
    }
    closing(report, look, out)
}

/// A row for each target; further addresses of it have rows of their own where they fared differently.
fn overview(report: &Report, look: Look) -> String {
    let mut table = Table::new();
    table
        .load_style(RULED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(look.width).unwrap_or(u16::MAX));
    if look.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let headings = [
        "target",
        "result",
        "no SNI\nTLS 1.2",
        "no SNI\nTLS 1.3",
        "SNI\nTLS 1.2",
        "SNI\nTLS 1.3",
        "expires",
    ];
    table.set_header(headings.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for target in &report.targets {
        table.add_rows(rows(target, report.finished_at));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn rows(report: &TargetReport, now: OffsetDateTime) -> Vec<Vec<Cell>> {
    let name = escape(&report.target.name).into_owned();
    let result = match report.status {
        Status::Pass => "pass",
        Status::Fail => "FAIL",
        Status::Untested => "untested",
    };
    let result = Cell::new(result).fg(status_colour(report.status));
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for endpoint in &report.observation.endpoints {
        let fate = fate(report, endpoint, now);
        match groups.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, addresses)) => addresses.push(endpoint.address.ip().to_string()),
            None => groups.push((fate, vec![endpoint.address.ip().to_string()])),
        }
    }
    if groups.is_empty() {
        groups.push((vec!["-".to_owned(); matrix::COLUMNS.len() + 1], Vec::new()));
    }
    let several = groups.len() > 1;
    let first_cells =
        groups.iter().enumerate().map(|(index, (_, addresses))| match (index, several) {
            (0, false) => (name.clone(), result.clone()),
            (0, true) => (format!("{name}\n  {}", addresses.join("\n  ")), result.clone()),
            _ => (format!("  {}", addresses.join("\n  ")), Cell::new("")),
        });
    let first_cells: Vec<_> = first_cells.collect();
    let row = |((name, result), (fate, _)): ((String, Cell), (Vec<String>, Vec<String>))| {
        [Cell::new(name), result].into_iter().chain(fate.into_iter().map(Cell::new)).collect()
    };
    first_cells.into_iter().zip(groups).map(row).collect()
}

/// The four cells of an address, and when its certificate ends.
fn fate(report: &TargetReport, endpoint: &Endpoint, now: OffsetDateTime) -> Vec<String> {
    let words = matrix::COLUMNS.map(|column| matrix::word(endpoint, &report.target, column));
    words.into_iter().chain(std::iter::once(expiry(report, endpoint, now))).collect()
}

fn expiry(report: &TargetReport, endpoint: &Endpoint, now: OffsetDateTime) -> String {
    let mut cells = endpoint.cells(report.target.server_name.is_some());
    match cells.find_map(|cell| cell.chain.as_ref()?.leaf()) {
        None => "-".to_owned(),
        Some(leaf) if leaf.not_after < now => "expired".to_owned(),
        Some(leaf) => format!("{} d", (leaf.not_after - now).whole_days()),
    }
}

/// Whatever is to be said of one target, under its name.
fn details(
    report: &TargetReport,
    now: OffsetDateTime,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let unexplained =
        report.judgement.untested.iter().filter(|(rule, _)| {
            !report.judgement.findings.iter().any(|finding| finding.rule == *rule)
        });
    let unexplained: Vec<_> = unexplained.collect();
    let chains: &[Assessed] = if look.show_chain { &report.judgement.chains } else { &[] };
    if report.judgement.findings.is_empty() && unexplained.is_empty() && chains.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "{}",
        styled(&escape(&report.target.name), Style::new().bold().underline(), look)
    )?;
    for assessed in chains {
        chain::write(assessed, &report.target, (now, look), out)?;
    }
    for finding in &report.judgement.findings {
        write_finding(finding, look, out)?;
    }
    for (_, reason) in unexplained {
        out.write_all(
            paragraph(&format!("could not test: {reason}"), "  ", "    ", look).as_bytes(),
        )?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_finding(finding: &Finding, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let severity = finding.severity.to_string();
    let head = paragraph(
        &format!("{severity}[{}]: {}", finding.rule, finding.message),
        "  ",
        "    ",
        look,
    );
    let label = format!("{severity}[{}]", finding.rule);
    out.write_all(
        head.replacen(&label, &styled(&label, severity_style(finding.severity), look), 1)
            .as_bytes(),
    )?;
    for fact in &finding.evidence {
        out.write_all(paragraph(fact, "    - ", "      ", look).as_bytes())?;
    }
    if let Some(fix) = &finding.fix {
        let mark = if fix.verified == Some(true) { "fix (tried, it works): " } else { "fix: " };
        out.write_all(
            paragraph(&format!("{mark}{}", fix.text), "    ", "      ", look).as_bytes(),
        )?;
        for directive in &fix.directives {
            out.write_all(line(directive, look).as_bytes())?;
        }
    }
    for command in &finding.reproduce {
        // A command is pasted, so it is never broken, however narrow the terminal.
        writeln!(out, "    $ {}", styled(&escape(command), Style::new().dimmed(), look))?;
    }
    writeln!(out)
}

/// A directive as it stands in a configuration, with the place where it belongs.
fn line(directive: &Directive, look: Look) -> String {
    let text = format!("{} {};", directive.name, directive.value);
    let place = match (&directive.file, directive.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => directive.context.clone(),
    };
    format!(
        "        {}    # {}\n",
        styled(&escape(&text), Style::new().bold(), look),
        escape(&place)
    )
}

fn closing(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if report.interrupted {
        out.write_all(
            paragraph("The run was stopped before every target was tested.", "", "", look)
                .as_bytes(),
        )?;
    }
    out.write_all(paragraph(&in_words(&report.summary(), report.kind), "", "", look).as_bytes())
}

fn in_words(summary: &Summary, kind: Kind) -> String {
    let Summary { targets, passed, failed, untested, findings } = summary;
    format!(
        "{}: {passed} passed, {failed} failed, {untested} could not be tested; {}, {}, {}.",
        counted(*targets, if kind == Kind::Files { "chain" } else { "target" }),
        counted(findings.error, "error"),
        counted(findings.warning, "warning"),
        counted(findings.note, "note")
    )
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
