//! Each kind of failure with its evidence, its causes and the directive that decides; then the servers.

use maud::{Markup, html};

use super::clock;
use crate::log::table::Weight;
use crate::report::capture::document::{CaptureReport, FailureKind};
use crate::report::capture::table::directive_text;
use crate::report::formats::html::{safe, table};
use crate::report::words::{counted, likelihood};

pub(super) fn failures(report: &CaptureReport) -> Markup {
    // Clients have the numbers before.
    let first = report.client_kinds.len();
    html! {
        section #details {
            h2 { "Failures" }
            @for (place, kind) in report.failures.iter().enumerate() { (failure(kind, first + place)) }
            @if report.failures.is_empty() { p.empty { "No handshake failed." } }
        }
    }
}

fn failure(kind: &FailureKind, index: usize) -> Markup {
    let (word, class) = match kind.weight {
        Weight::Fault => ("fault", "error"),
        Weight::Mixed => ("mixed", "warning"),
        Weight::Noise | Weight::Symptom | Weight::Aside => ("noise", "note"),
    };
    let causes = html! { @for cause in &kind.causes {
        section.finding.(class) {
            h3 { code { (cause.id) } " " small { (likelihood(cause.likelihood)) } }
            p { (cause.why) }
            p { "Fix: " (cause.fix) }
            p.place { "How to tell: " (cause.how_to_tell) }
        }
    } };
    let directives = html! { @for directive in &kind.directives {
        li { "Directive: " code { (safe(&directive_text(directive))) } }
    } };
    let open = kind.weight == Weight::Fault || kind.weight == Weight::Mixed;
    html! {
        details.target data-index=(index) data-status="fail" data-rules=(kind.class) open[open] {
            summary {
                span.badge.(class) { (word) } " " strong { (kind.count) " × " (kind.class) } " "
                small { "at " (kind.server) ", from " (counted(kind.clients, "address")) }
            }
            p { (kind.meaning) @if kind.inferred { " (inferred from the sizes of encrypted records)" } }
            ul {
                @for evidence in &kind.evidence { li { (safe(evidence)) } }
                (directives)
                @if !kind.server_names.is_empty() { li { "Names: " (safe(&kind.server_names.join(", "))) } }
                li { "Clients: " (kind.client_addresses.join(", ")) }
                li { "Between " (clock(&kind.first_seen)) " and " (clock(&kind.last_seen)) " UTC" }
            }
            (causes)
        }
    }
}

pub(super) fn servers(report: &CaptureReport) -> Markup {
    if report.servers.is_empty() {
        return Markup::default();
    }
    let rows = html! { @for server in &report.servers {
        tr {
            th scope="row" { (server.address) } td { (server.established) }
            td { (server.versions.join(" ")) } td { (server.cipher_suites.join(" ")) } td { (server.groups.join(" ")) }
        }
    } };
    let headings = [
        ("", "server"),
        ("", "succeeded"),
        ("", "versions"),
        ("", "cipher suites"),
        ("", "groups"),
    ];
    html! {
        section #servers { h2 { "Servers, by what they were seen to accept" } (table(&headings, &rows)) }
    }
}
