//! A target's section of the page: its findings with evidence and fix, then every connection and certificate.

use std::time::Duration;

use maud::{Markup, html};

use super::{marks, safe, table};
use crate::audit::finding::{Finding, Fix, ProposedDirective};
use crate::audit::rule::day;
use crate::certificate::Certificate;
use crate::observation::{Endpoint, Handshake, RawHello};
use crate::report::items::{Item, address, items};
use crate::report::{Look, changes, scan, words};
use crate::run::{Status, TargetReport};

/// The section of a target. Targets that passed without findings are folded.
pub(super) fn article(report: &TargetReport, index: usize) -> Markup {
    let (status, rules) = marks(report);
    let open = report.status != Status::Pass;
    let changes = html! { @if let Some((heading, lines)) = changes::lines(report) {
        p { (safe(&heading)) }
        ul.changes { @for line in &lines { li { (safe(line)) } } }
    } };
    html! {
        details.target #{ "t" (index) } data-index=(index) data-status=(status) data-rules=(rules) open[open] {
            summary {
                span.badge.(status) { (words::status(report.status)) } " "
                strong { (safe(&report.target.name)) } " "
                small { (address(&report.target)) }
                @if let Some(origin) = &report.target.origin {
                    " " small { (safe(&origin.file)) ":" (origin.line) }
                }
            }
            (changes)
            @for item in items(report) { (item_section(item)) }
            @if !report.observation.endpoints.is_empty() { (connections(report)) }
            @for endpoint in report.observation.endpoints.iter().filter(|it| it.is_scanned()) {
                (scanned(endpoint))
            }
            (certificates(report))
        }
    }
}

/// The results of a scan, as on a terminal.
fn scanned(endpoint: &Endpoint) -> Markup {
    let look = Look { width: 100, colour: false, show_chain: false };
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = scan::write(endpoint, look, &mut text);
    html! {
        details {
            summary { "What " (endpoint.address) " accepts" }
            pre { code { (String::from_utf8_lossy(&text)) } }
        }
    }
}

fn item_section(item: Item<'_>) -> Markup {
    html! {
        section.finding.(item.level()) {
            h3 { span.badge.(item.level()) { (item.level()) } " " code { (item.rule()) } }
            p { (item.message()) }
            @if let Some(finding) = item.finding() { (finding_details(finding)) }
        }
    }
}

fn finding_details(finding: &Finding) -> Markup {
    let facts = html! { @for fact in &finding.evidence { li { (safe(fact)) } } };
    let commands =
        html! { @for command in &finding.reproduce { pre { code { "$ " (safe(command)) } } } };
    html! {
        @if let Some(excuse) = &finding.excuse { p.excuse { (safe(&excuse.to_string())) } }
        @if !finding.evidence.is_empty() { ul { (facts) } }
        @if let Some(fix) = &finding.fix { (fix_block(fix)) }
        @if !finding.reproduce.is_empty() { details { summary { "Reproduce" } (commands) } }
    }
}

fn fix_block(fix: &Fix) -> Markup {
    let tried = if fix.verified == Some(true) { "Fix (tried, it works): " } else { "Fix: " };
    let lines = html! { @for directive in &fix.directives { (line(directive)) "\n" } };
    html! {
        div.fix {
            p { strong { (tried) } (safe(&fix.text)) }
            @if !fix.directives.is_empty() { pre { code { (lines) } } }
        }
    }
}

fn line(directive: &ProposedDirective) -> Markup {
    let place = match (&directive.file, directive.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => directive.context.clone(),
    };
    let text = format!("{} {};", directive.name, directive.value);
    html! { (safe(&text)) span.place { "  # " (safe(&place)) } }
}

const HEADINGS: [(&str, &str); 9] = [
    ("", "address"),
    ("", "SNI"),
    ("", "version"),
    ("", "result"),
    ("", "suite"),
    ("", "group"),
    ("", "ALPN"),
    ("", "connect"),
    ("", "handshake"),
];

fn connections(report: &TargetReport) -> Markup {
    let endpoints = &report.observation.endpoints;
    let rows = html! { @for endpoint in endpoints {
        @for cell in &endpoint.handshakes { (connection(endpoint, cell)) }
        @for raw in &endpoint.raw { (hello(endpoint, raw)) }
    } };
    html! { details { summary { "Every connection" } (table(&HEADINGS, &rows)) } }
}

fn hello(endpoint: &Endpoint, raw: &RawHello) -> Markup {
    let (result, suite) = match &raw.outcome {
        Ok(choice) => ("answered".to_owned(), choice.cipher_suite.to_string()),
        Err(failure) => (failure.cause.to_string(), String::new()),
    };
    html! {
        tr {
            td { (endpoint.address) }
            td { (safe(raw.sni.as_deref().unwrap_or("none"))) }
            td.nowrap { (raw.version) " (hello)" }
            td { (safe(&result)) }
            td { (suite) }
            td colspan="4" {}
        }
    }
}

fn connection(endpoint: &Endpoint, cell: &Handshake) -> Markup {
    let session = cell.outcome.as_ref().ok();
    let result = cell.failure().map_or_else(
        || "established".to_owned(),
        |failure| format!("{} ({})", failure.cause, failure.stage),
    );
    html! {
        tr {
            td { (endpoint.address) }
            td { (safe(cell.sni.as_deref().unwrap_or("none"))) }
            td.nowrap { (cell.version) }
            td { (safe(&result)) }
            td { (session.map(|it| it.cipher_suite.to_string()).unwrap_or_default()) }
            td { (session.and_then(|it| Some(it.group?.to_string())).unwrap_or_default()) }
            td { (safe(session.and_then(|it| it.alpn.as_deref()).unwrap_or_default())) }
            td.nowrap { (milliseconds(cell.connect_time)) }
            td.nowrap { (milliseconds(cell.handshake_time)) }
        }
    }
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map(|time| format!("{:.1} ms", time.as_secs_f64() * 1000.0)).unwrap_or_default()
}

fn certificates(report: &TargetReport) -> Markup {
    let chains = &report.judgement.chains;
    if chains.is_empty() {
        return Markup::default();
    }
    let lists = html! { @for assessed in chains {
        ol { @for certificate in &assessed.chain.certificates { (certificate_item(certificate)) } }
    } };
    html! { details { summary { "Certificates as sent" } (lists) } }
}

fn certificate_item(certificate: &Certificate) -> Markup {
    html! {
        li {
            strong { (safe(&certificate.subject.text)) }
            br; "issued by " (safe(&certificate.issuer.text))
            br; (day(certificate.not_before)) " to " (day(certificate.not_after)) ", "
            (certificate.public_key.to_string()) ", " (safe(&certificate.signature_algorithm.name))
            @if !certificate.dns_names().is_empty() {
                br; "for " (safe(&certificate.dns_names().join(", ")))
            }
            br; code { "SHA-256 " (certificate.sha256) }
        }
    }
}
