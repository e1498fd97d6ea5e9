//! The report over captures as a page: which client gets which result, when handshakes failed, how large hellos are, and each kind
//! of failure with its causes.

mod charts;
mod details;

use std::collections::BTreeMap;
use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{CaptureReport, CapturedHandshake, ClientKindView, HandshakeResult};
use crate::report::formats::html::{SCRIPT, head, safe, table};
use crate::report::words::counted;

/// Classes of failures with a column of their own; the others share one.
const MAX_COLUMNS: usize = 6;

/// Handshakes without a verdict that are listed.
const MAX_UNCLEAR: usize = 50;

/// Writes the whole page.
pub fn render(report: &CaptureReport, out: &mut dyn Write) -> io::Result<()> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head("TLS handshakes of a capture"))
            body {
                (heading(report))
                main {
                    (filters(report))
                    (clients(report))
                    (charts::timeline(report))
                    (charts::sizes(report))
                    (details::failures(report))
                    p.empty #nothing hidden { "Nothing matches." }
                    (unclear(report))
                    (details::servers(report))
                    (notes(report))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    out.write_all(page.into_string().as_bytes())?;
    writeln!(out)
}

fn heading(report: &CaptureReport) -> Markup {
    let summary = report.summary;
    let tiles = [
        ("handshakes", summary.handshakes, ""),
        ("succeeded", summary.established, "pass"),
        ("failed", summary.failed, "fail"),
        ("unclear", summary.unclear, "untested"),
        ("kinds of failures", report.failures.len() as u64, ""),
        ("kinds of clients", report.client_kinds.len() as u64, ""),
    ];
    let tiles = html! { @for (label, count, class) in tiles {
        div class=(if count > 0 { class } else { "" }) { dt { (label) } dd { (count) } }
    } };
    html! {
        header {
            h1 { "TLS handshakes of a capture" }
            p {
                "shakedown " (report.tool.version) ", " (counted(report.traffic.frames, "frame"))
                @if let (Some(first), Some(last)) = (&report.first_seen, &report.last_seen) {
                    ", " (clock(first)) " to " (clock(last)) " UTC"
                }
            }
            @for file in &report.files {
                @if let Some(error) = &file.error { p.stopped { (safe(&file.path)) ": " (safe(error)) } }
            }
            dl.tiles { (tiles) }
        }
    }
}

/// The filters. Without scripts everything is shown, and the filters are hidden.
fn filters(report: &CaptureReport) -> Markup {
    let mut classes: Vec<&str> = report.failures.iter().map(|kind| kind.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let boxes = [("fail", "clients that fail, and failures"), ("pass", "clients that do not")];
    let boxes = html! { @for (value, label) in boxes {
        label { input type="checkbox" name="status" value=(value) checked; " " (label) }
    } };
    let options = html! { @for class in classes { option { (class) } } };
    html! {
        form #filters hidden {
            label { "Search " input type="search" name="text" placeholder="client, name, class, text"; }
            fieldset { legend { "Show" } (boxes) }
            label { "Class " select name="rule" { option value="" { "any or none" } (options) } }
            output aria-live="polite" {}
        }
    }
}

/// The matrix: a row for each kind of client, a column for each result.
fn clients(report: &CaptureReport) -> Markup {
    if report.client_kinds.is_empty() {
        return Markup::default();
    }
    let columns = columns(report);
    let headings = html! {
        thead { tr {
            th { "client" } th { "handshakes" } th { "addresses" } th { "succeeded" }
            @for class in &columns { th { (class) } }
            @if !columns.is_empty() { th { "other failures" } }
            th { "unclear" }
        } }
    };
    let rows = html! { @for (index, kind) in report.client_kinds.iter().enumerate() {
        (client(kind, index, &columns))
    } };
    html! {
        section #clients {
            h2 { "Clients by what they send" }
            p.legend { "One row for each JA4; the number is that of handshakes." }
            div.scroll { table { (headings) (rows) } }
        }
    }
}

/// The most frequent classes.
fn columns(report: &CaptureReport) -> Vec<&'static str> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for class in report.client_kinds.iter().flat_map(|kind| &kind.classes) {
        *counts.entry(class.class).or_default() += class.count;
    }
    let mut classes: Vec<_> = counts.into_iter().collect();
    classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    classes.into_iter().take(MAX_COLUMNS).map(|(class, _)| class).collect()
}

fn client(kind: &ClientKindView, index: usize, columns: &[&'static str]) -> Markup {
    let classes: Vec<&str> = kind.classes.iter().map(|it| it.class).collect();
    let count =
        |class: &str| kind.classes.iter().find(|it| it.class == class).map_or(0, |it| it.count);
    let named: u64 = columns.iter().map(|class| count(class)).sum();
    let status = if kind.failed > 0 { "fail" } else { "pass" };
    let likeness = html! { @match &kind.like {
        Some(like) if like.differences.is_empty() => { "as " (safe(like.title)) }
        Some(like) => { span title=(safe(&like.differences.join(", "))) { "nearly " (safe(like.title)) } }
        None => { "like no known client" }
    } };
    html! {
        tbody data-index=(index) data-status=(status) data-rules=(classes.join(" ")) {
            tr {
                th scope="row" { (likeness) " " small { (safe(&kind.ja4)) } }
                td { (kind.handshakes) } td { (kind.addresses) }
                (cell(kind.established, "good"))
                @for class in columns { (cell(count(class), "bad")) }
                @if !columns.is_empty() { (cell(kind.failed.saturating_sub(named), "bad")) }
                (cell(kind.unclear, "none"))
            }
        }
    }
}

fn cell(count: u64, class: &str) -> Markup {
    html! {
        @if count > 0 { td.cell.(class) { (count) } } @else { td.cell.none { "–" } }
    }
}

fn unclear(report: &CaptureReport) -> Markup {
    let is_unclear = |it: &&CapturedHandshake| it.result == HandshakeResult::Unclear;
    let found: Vec<&CapturedHandshake> = report.handshakes.iter().filter(is_unclear).collect();
    if found.is_empty() {
        return Markup::default();
    }
    let rows = html! { @for one in found.iter().take(MAX_UNCLEAR) {
        tr {
            td.nowrap { (clock(&one.time)) } td { (one.client) } td { (one.server) }
            td { (safe(one.hello.as_ref().and_then(|it| it.server_name.as_deref()).unwrap_or("–"))) }
            td { @if let Some(doubt) = one.doubt { (doubt.text()) } }
        }
    } };
    let headings =
        [("", "time"), ("", "client"), ("", "server"), ("", "name"), ("", "why it is unclear")];
    html! {
        section #unclear {
            h2 { "Unclear" }
            (table(&headings, &rows))
            @if found.len() > MAX_UNCLEAR { p { "and " (found.len() - MAX_UNCLEAR) " more" } }
        }
    }
}

fn notes(report: &CaptureReport) -> Markup {
    if report.notes.is_empty() {
        return Markup::default();
    }
    let notes = html! { @for note in &report.notes { li { (safe(note)) } } };
    html! { section #notes { h2 { "Worth knowing" } ul { (notes) } } }
}

/// A moment for people: `2026-01-31 10:00:00`.
fn clock(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}
