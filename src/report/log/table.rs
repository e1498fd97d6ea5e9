//! The report on logs as text: what to do first, then each class, then the results of access logs.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::document::{AccessOut, FailureClass, LogReport, NamedCount, UpstreamFailures, WhatIf};
use super::first_cause;
use crate::audit::finding::Severity;
use crate::log::direction::Direction;
use crate::log::importance::Concern;
use crate::log::next;
use crate::report::Look;
use crate::report::escape::escape;
use crate::report::text::{paragraph, styled};
use crate::report::words::counted;
use crate::run::Status;

/// Columns of the chart.
const CHART: usize = 24;

/// The most classes with a description.
const MAX_DETAILS: usize = 12;

/// The most names in a row.
const MAX_NAMES: usize = 5;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The whole report.
pub fn render(report: &LogReport, look: Look) -> String {
    let mut out = head(report, look);
    if !report.failures.is_empty() {
        out += &overview(report, look);
        let telling =
            |failure: &&FailureClass| matches!(failure.concern, Concern::Act | Concern::Look);
        let shown: Vec<&FailureClass> =
            report.failures.iter().filter(telling).take(MAX_DETAILS).collect();
        for (place, failure) in shown.into_iter().enumerate() {
            out += &details(place, failure, look);
        }
    }
    out += &upstreams(&report.upstreams, look);
    out.extend(
        report.upstreams.iter().filter(|it| !it.audits.is_empty()).map(|it| audited(it, look)),
    );
    if let Some(access) = &report.access {
        out += &access_text(access, look);
    }
    if let Some(what_if) = &report.what_if {
        out += &what_if_text(what_if, look);
    }
    if !report.notes.is_empty() {
        out += "\nWorth knowing:\n";
        out.extend(report.notes.iter().map(|note| paragraph(note, "  ", "    ", look)));
    }
    out
}

fn head(report: &LogReport, look: Look) -> String {
    let failures: u64 = report.failures.iter().map(|failure| failure.count).sum();
    let span = match (&report.first_seen, &report.last_seen) {
        (Some(first), Some(last)) => format!(", {first} to {last}").replace('T', " "),
        _ => String::new(),
    };
    let kinds = report.failures.len() as u64;
    let mut out = paragraph(
        &format!(
            "{}, {} in {}{span}",
            counted(report.lines, "line"),
            counted(failures, "TLS failure"),
            counted(kinds, "class")
        ),
        "",
        "  ",
        look,
    );
    if report.unreadable > 0 {
        out += &paragraph(
            &format!("{} could not be read", counted(report.unreadable, "line")),
            "",
            "  ",
            look,
        );
    }
    for file in &report.files {
        if let Some(error) = &file.error {
            out += &paragraph(
                &format!("{}: {error} (after {})", file.path, counted(file.lines, "line")),
                "",
                "  ",
                look,
            );
        }
    }
    out
}

/// A row for each class.
fn overview(report: &LogReport, look: Look) -> String {
    let width =
        report.failures.iter().map(|failure| title(failure).chars().count()).max().unwrap_or(0);
    let mut out = format!(
        "\n{:7} {:>9}  {:8}  {:width$}  {:>8}  {:8} rate\n",
        "", "lines", "side", "class", "clients", "trend"
    );
    for failure in &report.failures {
        let clients = if failure.clients_exact {
            failure.clients.to_string()
        } else {
            format!("~{}", failure.clients)
        };
        let concern =
            styled(&format!("{:7}", failure.concern.name()), style(failure.concern), look);
        let chart = failure.series.as_ref().map(|series| chart(&series.counts)).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{concern} {:>9}  {:8}  {:width$}  {clients:>8}  {:8} {chart}",
            failure.count,
            failure.direction.name(),
            title(failure),
            failure.trend,
        );
    }
    out
}

fn title(failure: &FailureClass) -> String {
    match failure.alert {
        Some(alert) => format!("{} ({alert})", failure.class),
        None => failure.class.to_owned(),
    }
}

fn style(concern: Concern) -> Style {
    let colour = match concern {
        Concern::Act => AnsiColor::Red,
        Concern::Look => AnsiColor::Yellow,
        Concern::Ignore | Concern::Follows => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(colour.into())).bold()
}

/// Counts as bars; several counts share a column if there are more counts than columns.
fn chart(counts: &[u64]) -> String {
    let columns = counts.len().min(CHART);
    let sums: Vec<u64> = (0..columns)
        .map(|column| {
            let (from, to) =
                (column * counts.len() / columns, (column + 1) * counts.len() / columns);
            counts[from..to].iter().sum()
        })
        .collect();
    let most = sums.iter().max().copied().unwrap_or(0).max(1);
    let last = BARS.len() as u64 - 1;
    let bar = |sum: &u64| match sum {
        0 => ' ',
        sum => usize::try_from(sum * last / most)
            .ok()
            .and_then(|bar| BARS.get(bar))
            .copied()
            .unwrap_or(' '),
    };
    sums.iter().map(bar).collect::<String>().trim_end().to_owned()
}

fn details(place: usize, failure: &FailureClass, look: Look) -> String {
    let head = format!("{}. {}, {}", place + 1, failure.direction, title(failure));
    let mut out = format!("\n{}\n", styled(&head, Style::new().bold().underline(), look));
    let mut say = |title: &str, text: &str| {
        out += &paragraph(&format!("{title}{text}"), "   ", "     ", look);
    };
    let rate = format!("{}, {:.2} a minute", counted(failure.count, "line"), failure.per_minute);
    let followed = match failure.joined {
        0 => String::new(),
        joined => format!(", and {joined} more that only followed"),
    };
    let seen = match (&failure.first_seen, &failure.last_seen) {
        (Some(first), Some(last)) => format!("; {first} to {last}").replace('T', " "),
        _ => String::new(),
    };
    say("", &format!("{rate}{followed}{seen}"));
    if let Some(meaning) = failure.meaning {
        say("Meaning: ", meaning);
    }
    say("Why it is listed here: ", &failure.reason);
    for (title, names) in [("Upstreams: ", &failure.upstreams), ("Servers: ", &failure.servers)] {
        let unnamed = names.iter().all(|named| named.name.is_empty());
        if !names.is_empty() && !unnamed {
            say(title, &row(names));
        }
    }
    if let Some(first) = first_cause(failure) {
        say("Likeliest cause: ", &format!("{}: {}", first.cause.id, first.cause.why));
        say("How to tell: ", first.cause.how_to_tell);
        say("Fix: ", first.cause.fix);
    }
    let others: Vec<&str> = failure.causes.iter().skip(1).map(|cause| cause.cause.id).collect();
    if !others.is_empty() {
        say("Else: ", &others.join(", "));
    }
    if failure.causes.is_empty() {
        say("Line: ", &failure.example);
    }
    for command in next::first(&failure.next) {
        say("Next: ", command);
    }
    out
}

/// A row for each upstream, if there are several.
fn upstreams(upstreams: &[UpstreamFailures], look: Look) -> String {
    if upstreams.len() < 2 {
        return String::new();
    }
    let mut out = format!("\n{}\n", styled("Upstreams", Style::new().bold().underline(), look));
    for upstream in upstreams.iter().take(MAX_DETAILS) {
        let classes = upstream.classes.iter().map(|class| match class.cause {
            Some(cause) => format!("{} ({}, {cause})", class.class, class.count),
            None => format!("{} ({})", class.class, class.count),
        });
        let classes: Vec<String> = classes.collect();
        let text = format!("{}: {}", upstream.address, classes.join("; "));
        out += &paragraph(&text, "   ", "     ", look);
    }
    if upstreams.len() > MAX_DETAILS {
        let more = upstreams.len() - MAX_DETAILS;
        out += &paragraph(&format!("and {more} more"), "   ", "     ", look);
    }
    out
}

/// The lines of an upstream, and the findings of its audits.
fn audited(upstream: &UpstreamFailures, look: Look) -> String {
    let probed = upstream.audits.iter().any(|audit| audit.status != Status::Untested);
    let probed = if probed { "probed" } else { "not tested" };
    let lines = counted(upstream.count, "line");
    let head = format!("{}: {lines}, {probed}", escape(&upstream.address));
    let mut out = format!("\n{}\n", styled(&head, Style::new().bold().underline(), look));
    for audit in &upstream.audits {
        let serious = audit.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let place = audit.place.as_ref().map(|place| format!(" at {place}"));
        let target = format!("{}{}", audit.target, place.unwrap_or_default());
        out += &paragraph(&target, "   ", "     ", look);
        for finding in serious.clone() {
            let text = format!("{}: {}", finding.rule, finding.message);
            out += &paragraph(&text, "   ", "     ", look);
            if let Some(fix) = &finding.fix {
                out += &paragraph(&format!("Fix: {}", fix.text), "   ", "     ", look);
                let directives = fix.directives.iter();
                out.extend(directives.map(|one| {
                    paragraph(&format!("{} {};", one.name, one.value), "       ", "         ", look)
                }));
                out += match fix.verified {
                    Some(true) => "   Tried: the handshake works with this.\n",
                    Some(false) => "   Tried: this alone does not fix it.\n",
                    None => "   Not tried.\n",
                };
            }
        }
        if serious.count() == 0 {
            let untested = match &audit.reason {
                Some(reason) => format!("Could not test: {reason}."),
                None => "Could not test.".to_owned(),
            };
            let text = match audit.status {
                Status::Untested => &*untested,
                _ => "The handshake as nginx makes it works now: the failures were temporary.",
            };
            out += &paragraph(text, "   ", "     ", look);
        }
    }
    out
}

fn row(names: &[NamedCount]) -> String {
    let shown = names.iter().take(MAX_NAMES).map(|named| {
        let name = if named.name.is_empty() { "(no name)".into() } else { escape(&named.name) };
        format!("{name} ({})", named.count)
    });
    let mut shown: Vec<String> = shown.collect();
    if names.len() > MAX_NAMES {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

fn access_text(access: &AccessOut, look: Look) -> String {
    let head = format!("Requests: {}", access.requests);
    let mut out = format!("\n{}\n", styled(&head, Style::new().bold().underline(), look));
    let mut say = |text: &str| out += &paragraph(text, "   ", "     ", look);
    for version in &access.versions {
        let change = match (version.share_before, version.share_after) {
            (Some(before), Some(after)) => {
                format!("; {} before, {} after", percent(before), percent(after))
            }
            _ => String::new(),
        };
        say(&format!(
            "{}: {} of requests over TLS ({}), {}{change}",
            version.version,
            percent(version.share),
            version.requests,
            counted(version.clients, "client")
        ));
    }
    if !access.ciphers.is_empty() {
        say(&format!("Ciphers: {}", row(&access.ciphers)));
    }
    if !access.curves.is_empty() {
        say(&format!("Curves: {}", row(&access.curves)));
    }
    if let Some(reuse) = access.session_reuse {
        let warning = if reuse.low {
            "; below 70 %: see ssl_session_cache, ssl_session_timeout, and one ssl_session_ticket_key on all machines"
        } else {
            ""
        };
        say(&format!("Sessions resumed: {} of {}s{warning}", percent(reuse.ratio), reuse.per));
    }
    if let Some(times) = access.upstream_connect_ms {
        say(&format!(
            "Connection and handshake to upstreams: {} ms median, {} ms at 90 %, {} ms at 99 %, {} ms at most",
            times.p50, times.p90, times.p99, times.max
        ));
    }
    if access.bad_gateway > 0 {
        let lost = access
            .bad_gateway_not_connected
            .map(|count| format!(", of which {count} never got a connection or a handshake"));
        let coincide = access.bad_gateway_with_handshake_failure.map(|count| {
            format!(", {count} in the second of a failed handshake with the same upstream")
        });
        say(&format!(
            "502 and 504: {}{}{}",
            access.bad_gateway,
            lost.unwrap_or_default(),
            coincide.unwrap_or_default()
        ));
    }
    if !access.failed_tries.is_empty() {
        say(&format!("Attempts that never connected: {}", row(&access.failed_tries)));
    }
    out
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn what_if_text(what_if: &WhatIf, look: Look) -> String {
    let head = format!("With ssl_protocols {};", what_if.ssl_protocols.join(" "));
    let mut out = format!("\n{}\n", styled(&escape(&head), Style::new().bold().underline(), look));
    let mut say = |text: &str| out += &paragraph(text, "   ", "     ", look);
    say(&format!(
        "{} of requests over TLS ({}) would be refused, from {}",
        percent(what_if.refused_share),
        what_if.refused_requests,
        counted(what_if.refused_clients, "client")
    ));
    if what_if.refused_requests > 0 && !what_if.exact {
        say(
            "No request used a version that would remain: these clients may support it if the listener accepts it.",
        );
    }
    if !what_if.server_names.is_empty() {
        say(&format!("Requested names: {}", row(&what_if.server_names)));
    }
    if !what_if.user_agents.is_empty() {
        say(&format!("Clients: {}", row(&what_if.user_agents)));
    }
    out
}

/// One failure on one line, for `--follow`.
pub fn follow_line(
    time: Option<&str>,
    direction: Direction,
    class: &str,
    about: &str,
    cause: &str,
) -> String {
    let time = time.unwrap_or("-").replace('T', " ");
    format!("{time}  {direction:8}  {class}  {}  {cause}\n", escape(about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_for_each_column_and_none_for_nothing() {
        assert_eq!(chart(&[0, 1, 4, 8]), " ▁▄█");
        assert_eq!(chart(&[1; 100]).chars().count(), CHART);
        assert_eq!(chart(&[]), "");
        assert_eq!(chart(&[0, 0]), "");
    }
}
