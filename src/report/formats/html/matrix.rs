//! The matrix: a row for each target, and below it one for each group of addresses with equal results.

use std::net::SocketAddr;

use maud::{Markup, html};

use super::{marks, safe};
use crate::observation::{ClientAuth, Endpoint};
use crate::report::{Report, matrix, words};
use crate::run::{Status, TargetReport};
use crate::tls::version::ProtocolVersion;

/// The most addresses of one group that are named.
const MAX_ADDRESSES: usize = 8;

/// Addresses with equal results, and the results: a word, and whether it is good.
struct AddressGroup {
    addresses: Vec<SocketAddr>,
    cells: [CellOutcome; 4],
}

/// The result of one cell.
#[derive(Clone, PartialEq, Eq)]
struct CellOutcome {
    word: String,
    class: &'static str,
    /// Details for a tooltip.
    title: String,
}

pub(super) fn section(report: &Report) -> Markup {
    let targets = report.targets.iter().enumerate();
    let rows = html! { @for (index, target) in targets { (rows(target, index)) } };
    html! {
        section #matrix { h2 { "Handshakes" } div.scroll { table { (headings()) (rows) } } }
    }
}

fn headings() -> Markup {
    let versions = html! { @for (_, version) in matrix::COLUMNS { th { (short(version)) } } };
    html! {
        thead {
            tr {
                th rowspan="2" { "target" } th rowspan="2" { "result" }
                th colspan="2" { "without SNI" } th colspan="2" { "with SNI" }
                th.aside rowspan="2" { "worst finding" }
            }
            tr { (versions) }
        }
    }
}

fn short(version: ProtocolVersion) -> &'static str {
    if version == ProtocolVersion::TLS1_2 { "1.2" } else { "1.3" }
}

fn rows(report: &TargetReport, index: usize) -> Markup {
    let (status, rules) = marks(report);
    let groups = groups(report);
    let (own, below): (Markup, &[AddressGroup]) = match groups.as_slice() {
        [group] => (cells(group), &[]),
        groups => (html! { td colspan="4" {} }, groups),
    };
    let below = html! { @for group in below { (address_row(group)) } };
    html! {
        tbody data-index=(index) data-status=(status) data-rules=(rules) {
            tr {
                th scope="row" { a href={ "#t" (index) } { (safe(&report.target.name)) } }
                td { span.badge.(status) { (words::status(report.status)) } }
                (own)
                td.aside { (worst(report)) }
            }
            (below)
        }
    }
}

fn address_row(group: &AddressGroup) -> Markup {
    html! {
        tr.address {
            th scope="row" { (addresses(&group.addresses)) } td {} (cells(group)) td.aside {}
        }
    }
}

fn cells(group: &AddressGroup) -> Markup {
    html! { @for outcome in &group.cells {
        td.cell.(outcome.class) title=(safe(&outcome.title)) { (safe(&outcome.word)) }
    } }
}

fn addresses(addresses: &[SocketAddr]) -> String {
    let named: Vec<String> =
        addresses.iter().take(MAX_ADDRESSES).map(|address| address.ip().to_string()).collect();
    let more = addresses.len().saturating_sub(MAX_ADDRESSES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(" ") + &more
}

fn worst(report: &TargetReport) -> Markup {
    let findings = &report.judgement.findings;
    html! { @if let Some(finding) = findings.first() {
        code { (finding.rule) }
        @if findings.len() > 1 { " +" (findings.len() - 1) }
    } }
}

fn groups(report: &TargetReport) -> Vec<AddressGroup> {
    let mut groups: Vec<AddressGroup> = Vec::new();
    for endpoint in &report.observation.endpoints {
        let cells = matrix::COLUMNS.map(|column| outcome(endpoint, report, column));
        let alike = |known: &&mut AddressGroup| {
            let pairs = known.cells.iter().zip(&cells);
            pairs.into_iter().all(|(a, b)| (&a.word, a.class) == (&b.word, b.class))
        };
        match groups.iter_mut().find(alike) {
            Some(known) => known.addresses.push(endpoint.address),
            None => groups.push(AddressGroup { addresses: vec![endpoint.address], cells }),
        }
    }
    groups
}

fn outcome(
    endpoint: &Endpoint,
    report: &TargetReport,
    column: (bool, ProtocolVersion),
) -> CellOutcome {
    let word = matrix::word(endpoint, &report.target, column);
    let Some(cell) = endpoint.cell(column.0, column.1) else {
        return CellOutcome { word, class: "none", title: "not tried".to_owned() };
    };
    let (class, title) = match &cell.outcome {
        Ok(_) if matches!(cell.client_auth, ClientAuth::Required(..)) => {
            ("bad", "a client certificate is required".to_owned())
        }
        Ok(session) => ("good", session.cipher_suite.to_string()),
        Err(_) if word == "untested" => ("none", "not tried".to_owned()),
        // A version that a server refuses on purpose, such as TLS 1.2, is not a problem.
        Err(failure) => {
            let class = if report.status == Status::Pass { "none" } else { "bad" };
            (class, format!("{} ({})", failure.cause, failure.stage))
        }
    };
    CellOutcome { word, class, title }
}
