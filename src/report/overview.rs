//! The overview for people: a row for each target, with the four cells at a glance.

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

/// One line under the headings is all that the eye needs.
const RULED: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Headings of the columns between the target and its worst finding.
const HEADINGS: [&str; 6] =
    ["result", "no SNI\nTLS 1.2", "no SNI\nTLS 1.3", "SNI\nTLS 1.2", "SNI\nTLS 1.3", "expires"];

/// Blank behind a column; the table's own separator is one more.
const PADDING: u16 = 1;

/// A name is broken to this width before the worst findings are left out.
const NAME_WIDTH: usize = 24;

/// A name is broken no narrower than this.
const MIN_NAME_WIDTH: usize = 8;

/// One row: a target, or a group of its addresses that fared alike.
struct Row {
    /// The target's name, or the addresses.
    place: Vec<String>,
    /// `None` for a row of addresses.
    status: Option<Status>,
    /// The four cells and the expiry.
    fate: Vec<String>,
    /// The worst finding's rule, and how many more there are.
    worst: String,
}

/// The table, without a line break at its end.
pub(super) fn table(report: &Report, look: Look) -> String {
    let now = report.finished_at;
    let rows: Vec<Row> = {
        let named = names::distinct(report).into_iter().zip(&report.targets);
        named.flat_map(|(name, target)| rows(&name, target, now)).collect()
    };
    let (name_width, with_worst) = layout(&rows, look.width);
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
    let worst = with_worst.then_some("worst finding");
    let headings = std::iter::once("target").chain(HEADINGS).chain(worst);
    table.set_header(headings.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    table.add_rows(rows.iter().map(|row| cells(row, name_width, with_worst)));
    let last = HEADINGS.len() + usize::from(with_worst);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { PADDING }));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// How wide the names may be, and whether there is room for the worst findings beside them.
fn layout(rows: &[Row], width: usize) -> (usize, bool) {
    let gap = usize::from(PADDING) + 1;
    let widest =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(display_width).max().unwrap_or(0);
    let column = |index: usize| {
        let result = |row: &Row| row.status.map_or(0, |status| words::status(status).len());
        let heading = widest(&mut HEADINGS[index].lines());
        let content = match index {
            0 => rows.iter().map(result).max().unwrap_or(0),
            _ => widest(&mut rows.iter().map(|row| row.fate[index - 1].as_str())),
        };
        gap + heading.max(content)
    };
    let room = width.saturating_sub((0..HEADINGS.len()).map(column).sum());
    let names = widest(&mut rows.iter().flat_map(|row| &row.place).map(String::as_str));
    let worst = widest(&mut rows.iter().map(|row| row.worst.as_str()));
    let worst = gap + worst.max(display_width("worst finding"));
    let with_worst = room >= worst + names.min(NAME_WIDTH);
    let room = if with_worst { room - worst } else { room };
    (room.max(MIN_NAME_WIDTH), with_worst)
}

fn cells(row: &Row, name_width: usize, with_worst: bool) -> Vec<Cell> {
    let place: Vec<String> = row.place.iter().map(|line| broken(line, name_width)).collect();
    let result = row.status.map_or_else(
        || Cell::new(""),
        |status| Cell::new(words::status(status)).fg(status_colour(status)),
    );
    let (expiry, words) = row.fate.split_last().expect("a fate ends with the expiry");
    [Cell::new(place.join("\n")), result]
        .into_iter()
        .chain(words.iter().map(Cell::new))
        .chain([Cell::new(expiry).set_alignment(CellAlignment::Right)])
        .chain(with_worst.then(|| Cell::new(&row.worst)))
        .collect()
}

/// A target's row; addresses of it that fared differently have rows of their own.
fn rows(name: &str, report: &TargetReport, now: OffsetDateTime) -> Vec<Row> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for endpoint in &report.observation.endpoints {
        let (fate, address) = (fate(report, endpoint, now), endpoint.address.ip().to_string());
        match groups.iter_mut().find(|(known, _)| *known == fate) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((fate, vec![address])),
        }
    }
    if groups.is_empty() {
        groups.push((vec!["-".to_owned(); matrix::COLUMNS.len() + 1], Vec::new()));
    }
    let head = |fate| Row {
        place: vec![escape(name).into_owned()],
        status: Some(report.status),
        fate,
        worst: worst(report),
    };
    if groups.len() == 1 {
        return groups.into_iter().map(|(fate, _)| head(fate)).collect();
    }
    let several = groups.into_iter().map(|(fate, addresses)| Row {
        place: addresses.iter().map(|ip| format!("  {ip}")).collect(),
        status: None,
        fate,
        worst: String::new(),
    });
    std::iter::once(head(vec![String::new(); matrix::COLUMNS.len() + 1])).chain(several).collect()
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

/// Findings stand worst first.
fn worst(report: &TargetReport) -> String {
    match report.judgement.findings.as_slice() {
        [] => String::new(),
        [finding] => finding.rule.to_owned(),
        [finding, others @ ..] => format!("{} +{}", finding.rule, others.len()),
    }
}

/// Breaks a name after its dots, colons, hyphens, slashes and spaces, so that its parts stay whole; longer parts break anywhere.
fn broken(name: &str, width: usize) -> String {
    let indent = name.len() - name.trim_start().len();
    let room = width.saturating_sub(indent).max(1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in name.trim_start().split_inclusive(['.', ':', '-', '/', ' ']) {
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
    lines.iter().map(|line| " ".repeat(indent) + line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, width: usize, expected: &[&str]) {
        assert_eq!(broken(name, width).lines().collect::<Vec<_>>(), expected);
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
