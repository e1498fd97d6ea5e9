//! CSV (RFC 4180), one row for each finding and for everything that could not be tested; a target without either has
//! one row. Spreadsheets read no cell as a formula.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};

use crate::report::Report;
use crate::report::escape::escape;
use crate::report::items::{Item, host_and_port, items};
use crate::run::TargetReport;
use crate::targets::Role;

/// The first row.
const HEADINGS: [&str; 16] = [
    "target",
    "host",
    "port",
    "server_name",
    "role",
    "status",
    "level",
    "rule",
    "message",
    "section",
    "fix",
    "fix_verified",
    "excuse",
    "fingerprint",
    "origin",
    "evidence",
];

/// Writes the whole report.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new()
        // In much of Europe, an unquoted semicolon would start a new cell.
        .quote_style(QuoteStyle::Always)
        .terminator(Terminator::CRLF)
        .from_writer(out);
    writer.write_record(HEADINGS)?;
    for target in &report.targets {
        let mut items = items(target).peekable();
        if items.peek().is_none() {
            writer.write_record(row(target, None))?;
        }
        for item in items {
            writer.write_record(row(target, Some(item)))?;
        }
    }
    writer.flush()
}

fn row(report: &TargetReport, item: Option<Item<'_>>) -> Vec<String> {
    let target = &report.target;
    let finding = item.and_then(Item::finding);
    let origin = target.origin.as_ref();
    let (host, port) = host_and_port(target);
    let cells = [
        target.name.clone(),
        host,
        port.to_string(),
        target.server_name.clone().unwrap_or_default(),
        match target.role {
            Role::Listener => "listener".to_owned(),
            Role::Upstream => "upstream".to_owned(),
        },
        report.status.name().to_owned(),
        item.map(Item::level).unwrap_or_default().to_owned(),
        item.map(Item::rule).unwrap_or_default().to_owned(),
        item.map(Item::message).unwrap_or_default(),
        finding.map(|finding| finding.section.to_string()).unwrap_or_default(),
        item.map(Item::fix).unwrap_or_default(),
        match finding.and_then(|finding| finding.fix.as_ref()?.verified) {
            None => String::new(),
            Some(verified) => verified.to_string(),
        },
        finding
            .and_then(|finding| finding.excuse.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        item.map(|item| item.fingerprint(target)).unwrap_or_default(),
        origin.map(|origin| format!("{}:{}", origin.file, origin.line)).unwrap_or_default(),
        finding.map(|finding| finding.evidence.join("; ")).unwrap_or_default(),
    ];
    cells.iter().map(|cell| inert(cell)).collect()
}

/// A cell that spreadsheets do not read as a formula: if it starts like one, an apostrophe is put before it (OWASP, CSV
/// injection).
fn inert(text: &str) -> String {
    let text = escape(text);
    let first = text.trim_start().chars().next();
    let formula = first.is_some_and(|c| "=+-@|%＝＋－＠".contains(c));
    if formula { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn nothing_begins_a_formula() {
        for text in ["=cmd()", "+1", "-1", "@SUM(A1)", "  =1", "＝1", "|x"] {
            assert_eq!(inert(text), format!("'{text}"));
        }
        assert_eq!(inert("\t=1"), "\\t=1");
        assert_eq!(inert("CN=x"), "CN=x");
    }
}
