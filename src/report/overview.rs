//! The overview as text: a row for each target, with the four cells.

use comfy_table::{
    Attribute, Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle,
};
use textwrap::core::display_width;
use time::OffsetDateTime;

use super::escape::escape;
use super::text::status_colour;
use super::{Look, Report, matrix, names, words};
use crate::observation::Endpoint;
use crate::run::{Status, TargetReport};

/// A single line under the headings.
const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Headings of the columns between the target and its worst finding.
const HEADINGS: [&str; 6] =
    ["result", "no SNI\nTLS 1.2", "no SNI\nTLS 1.3", "SNI\nTLS 1.2", "SNI\nTLS 1.3", "expires"];

/// Spaces after a column; the table's own separator adds one.
const PADDING: u16 = 1;

/// Longer names are wrapped to this width before the worst findings move to separate lines.
const NAME_WIDTH: usize = 24;

/// Indentation of what is below a row.
const INDENT: &str = "  ";

/// Lines above the rows: two of headings and the rule.
const HEAD: usize = 3;

/// The positions of names and worst findings. Narrow terminals get fewer columns; nothing is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Everything in one row, with names of this width.
    Beside(usize),
    /// The worst finding below the row, with names of this width.
    Below(usize),
    /// The name above the row and the worst finding below it.
    Stacked,
}

/// One row: a target, or a group of its addresses with equal results.
struct OverviewRow {
    /// The target's name, or the addresses.
    place: Vec<String>,
    /// `None` for a row of addresses.
    status: Option<Status>,
    /// The four cells and the expiry.
    outcome: Vec<String>,
    /// The rule of the worst finding, and how many more there are.
    worst: String,
}

/// The table, without a line break at its end.
pub(super) fn table(report: &Report, look: Look) -> String {
    let now = report.finished_at;
    let rows: Vec<OverviewRow> = {
        let named = names::distinct(report).into_iter().zip(&report.targets);
        named.flat_map(|(name, target)| rows(&name, target, now)).collect()
    };
    let layout = layout(&rows, look.width);
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Disabled);
    if look.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let name = (layout != Layout::Stacked).then_some("target");
    let worst = matches!(layout, Layout::Beside(_)).then_some("worst finding");
    let headings = name.into_iter().chain(HEADINGS).chain(worst);
    table.set_header(headings.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    table.add_rows(rows.iter().map(|row| cells(row, layout)));
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        let padding = if index == last || layout == Layout::Stacked { 0 } else { PADDING };
        column.set_padding((0, padding));
    }
    let indent = if layout == Layout::Stacked { INDENT } else { "" };
    let lines = table.lines().map(|line| format!("{indent}{}", line.trim_end())).collect();
    interleaved(&rows, layout, look.width, lines).join("\n")
}

/// The lines of the table, with names and findings that are not in columns inserted.
fn interleaved(
    rows: &[OverviewRow],
    layout: Layout,
    width: usize,
    lines: Vec<String>,
) -> Vec<String> {
    let mut lines = lines.into_iter();
    let mut all: Vec<String> = lines.by_ref().take(HEAD).collect();
    for row in rows {
        let height = match layout {
            Layout::Stacked => {
                all.extend(row.place.iter().flat_map(|line| broken(line, width)));
                1
            }
            Layout::Beside(name_width) | Layout::Below(name_width) => {
                row.place.iter().map(|line| broken(line, name_width).len()).sum()
            }
        };
        all.extend(lines.by_ref().take(height));
        if !matches!(layout, Layout::Beside(_)) && !row.worst.is_empty() {
            let indent = if layout == Layout::Stacked { INDENT } else { "" };
            all.push(format!("{indent}{INDENT}{}", row.worst));
        }
    }
    all.extend(lines);
    all
}

/// Names are only wrapped between their parts; if the longest part does not fit beside the cells, names go above them.
fn layout(rows: &[OverviewRow], width: usize) -> Layout {
    let gap = usize::from(PADDING) + 1;
    let widest =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(display_width).max().unwrap_or(0);
    let column = |index: usize| {
        let result = |row: &OverviewRow| row.status.map_or(0, |status| words::status(status).len());
        let heading = widest(&mut HEADINGS[index].lines());
        let content = match index {
            0 => rows.iter().map(result).max().unwrap_or(0),
            _ => widest(&mut rows.iter().map(|row| row.outcome[index - 1].as_str())),
        };
        gap + heading.max(content)
    };
    let room = width.saturating_sub((0..HEADINGS.len()).map(column).sum());
    let places = || rows.iter().flat_map(|row| &row.place).map(String::as_str);
    let part = widest(&mut places().flat_map(parts)) + INDENT.len();
    let part = part.min(widest(&mut places()));
    let worst = widest(&mut rows.iter().map(|row| row.worst.as_str()));
    let worst = gap + worst.max(display_width("worst finding"));
    let beside = room.saturating_sub(worst);
    if beside >= part.max(widest(&mut places()).min(NAME_WIDTH)) {
        Layout::Beside(beside)
    } else if room >= part.max(display_width("target")) {
        Layout::Below(room)
    } else {
        Layout::Stacked
    }
}

fn cells(row: &OverviewRow, layout: Layout) -> Vec<Cell> {
    let name = match layout {
        Layout::Stacked => None,
        Layout::Beside(width) | Layout::Below(width) => {
            let lines = row.place.iter().flat_map(|line| broken(line, width));
            Some(Cell::new(lines.collect::<Vec<_>>().join("\n")))
        }
    };
    let result = row.status.map_or_else(
        || Cell::new(""),
        |status| Cell::new(words::status(status)).fg(status_colour(status)),
    );
    let (expiry, words) = row.outcome.split_last().expect("an outcome ends with the expiry");
    let worst = matches!(layout, Layout::Beside(_)).then(|| Cell::new(&row.worst));
    name.into_iter()
        .chain([result])
        .chain(words.iter().map(Cell::new))
        .chain([Cell::new(expiry).set_alignment(CellAlignment::Right)])
        .chain(worst)
        .collect()
}

/// The row of a target; addresses with different results have their own rows.
fn rows(name: &str, report: &TargetReport, now: OffsetDateTime) -> Vec<OverviewRow> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for endpoint in &report.observation.endpoints {
        let (outcome, address) =
            (outcome(report, endpoint, now), endpoint.address.ip().to_string());
        match groups.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((outcome, vec![address])),
        }
    }
    if groups.is_empty() {
        groups.push((vec!["-".to_owned(); matrix::COLUMNS.len() + 1], Vec::new()));
    }
    let head = |outcome| OverviewRow {
        place: vec![escape(name).into_owned()],
        status: Some(report.status),
        outcome,
        worst: worst(report),
    };
    if groups.len() == 1 {
        return groups.into_iter().map(|(outcome, _)| head(outcome)).collect();
    }
    let several = groups.into_iter().map(|(outcome, addresses)| OverviewRow {
        place: addresses.iter().map(|ip| format!("  {ip}")).collect(),
        status: None,
        outcome,
        worst: String::new(),
    });
    std::iter::once(head(vec![String::new(); matrix::COLUMNS.len() + 1])).chain(several).collect()
}

/// The four cells of an address, and the end of its certificate.
fn outcome(report: &TargetReport, endpoint: &Endpoint, now: OffsetDateTime) -> Vec<String> {
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

/// The worst finding, which is the first.
fn worst(report: &TargetReport) -> String {
    match report.judgement.findings.as_slice() {
        [] => String::new(),
        [finding] => finding.rule.to_owned(),
        [finding, others @ ..] => format!("{} +{}", finding.rule, others.len()),
    }
}

/// Wraps a name after dots, colons, hyphens, slashes and spaces; parts that are too long are broken anywhere.
fn broken(name: &str, width: usize) -> Vec<String> {
    let indent = name.len() - name.trim_start().len();
    let room = width.saturating_sub(indent).max(1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in parts(name.trim_start()) {
        if display_width(&line) + display_width(part) > room {
            lines.push(std::mem::take(&mut line));
        }
        for c in part.chars() {
            if display_width(&line) >= room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| " ".repeat(indent) + line).collect()
}

/// The parts of a name that are not broken.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive(['.', ':', '-', '/', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, width: usize, expected: &[&str]) {
        assert_eq!(broken(name, width), expected);
    }

    #[test]
    fn names_break_between_their_parts() {
        check("api.test:8443", 20, &["api.test:8443"]);
        check("api.internal.example.com:8443", 16, &["api.internal.", "example.com:8443"]);
        check("aaaaaaaaaaaaaa.test", 10, &["aaaaaaaaaa", "aaaa.test"]);
        check("  2001:db8:1:2:3:4:5:6", 14, &["  2001:db8:1:", "  2:3:4:5:6"]);
        check("本本本本", 4, &["本本", "本本"]);
    }
}
