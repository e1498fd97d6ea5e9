//! Certificates over time: a bar from the first to the last day of each, ordered by the last day.

use std::collections::HashMap;
use std::sync::Arc;

use maud::{Markup, html};
use time::{Duration, OffsetDateTime};

use super::{safe, table};
use crate::audit::rule::day;
use crate::certificate::Certificate;
use crate::report::Report;

/// The window that is drawn, in days before and after the report.
const PAST: i64 = 60;
const FUTURE: i64 = 400;

/// The width of the drawing in its own units; it is stretched to the column.
const WIDTH: i64 = 920;

/// The most bars that are drawn; those that end first are the important ones.
const MAX_BARS: usize = 1000;

/// The most targets that one bar names.
const MAX_NAMES: usize = 3;

/// A certificate and the targets that send it.
struct Bar<'a> {
    certificate: &'a Certificate,
    targets: Vec<&'a str>,
}

const HEADINGS: [(&str, &str); 5] =
    [("", "certificate"), ("", "ends"), ("", "left"), ("wide", "valid"), ("aside", "shown by")];

pub(super) fn section(report: &Report) -> Markup {
    let bars = bars(report);
    let surplus = bars.len().saturating_sub(MAX_BARS);
    if bars.is_empty() {
        return Markup::default();
    }
    let shown = bars.iter().take(MAX_BARS);
    let rows = html! { @for bar in shown { (row(bar, report.finished_at)) } };
    html! {
        section #certificates {
            h2 { "Certificates by expiry date" }
            p.legend { "The line is the day of the report; " (PAST) " days before it and "
                (FUTURE) " after it are drawn." }
            (table(&HEADINGS, &rows))
            @if surplus > 0 { p { "and " (surplus) " more, which expire later" } }
        }
    }
}

fn row(bar: &Bar<'_>, now: OffsetDateTime) -> Markup {
    let Certificate { not_before, not_after, .. } = *bar.certificate;
    let left = (not_after - now).whole_days();
    let (left, class) = match left {
        _ if not_after < now => ("expired".to_owned(), "bad"),
        _ if not_before > now => ("not yet valid".to_owned(), "bad"),
        0..=29 => (format!("{left} d"), "soon"),
        _ => (format!("{left} d"), "good"),
    };
    let (from, to) = (position(not_before - now), position(not_after - now));
    let kind = if bar.certificate.is_ca() { "authority" } else { "leaf" };
    let drawing = html! {
        svg viewBox={ "0 0 " (WIDTH) " 12" } preserveAspectRatio="none" role="img"
            aria-label={ "from " (day(not_before)) " to " (day(not_after)) } {
            rect.(class) x=(from) y="2" width=((to - from).max(3)) height="8" {}
            rect.now x=(position(Duration::ZERO)) y="0" width="2" height="12" {}
        }
    };
    html! {
        tr {
            th scope="row" title=(safe(&bar.certificate.issuer.text)) {
                (safe(name(bar.certificate))) " " small { (kind) }
            }
            td.nowrap { (day(not_after)) }
            td.nowrap.(class) { (left) }
            td { (drawing) }
            td.aside { (shown_by(&bar.targets)) }
        }
    }
}

/// The position of a time in the drawing, clamped to its edges.
fn position(from_now: Duration) -> i64 {
    let days = from_now.whole_days().clamp(-PAST, FUTURE);
    (days + PAST) * WIDTH / (PAST + FUTURE)
}

fn name(certificate: &Certificate) -> &str {
    let name = certificate.common_name().or_else(|| Some(certificate.dns_names().first()?));
    name.map_or(certificate.subject.text.as_str(), |name| name)
}

fn shown_by(targets: &[&str]) -> String {
    let named: Vec<_> = targets.iter().take(MAX_NAMES).map(|name| safe(name)).collect();
    let more = targets.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

/// Every certificate that was sent for a target's own name, without duplicates.
fn bars(report: &Report) -> Vec<Bar<'_>> {
    let mut bars: Vec<Bar<'_>> = Vec::new();
    let mut places: HashMap<[u8; 32], usize> = HashMap::new();
    for target in &report.targets {
        let chains = target.judgement.chains.iter().map(|assessed| &assessed.chain);
        let cells = target.observation.endpoints.iter().flat_map(|endpoint| &endpoint.handshakes);
        let named = target.target.server_name.is_some();
        let cells = cells.filter(|cell| cell.sni.is_some() == named);
        let chains = chains.chain(cells.filter_map(|cell| cell.chain.as_ref()));
        for certificate in chains.flat_map(|chain| &chain.certificates) {
            let certificate: &Arc<Certificate> = certificate;
            let place = *places.entry(certificate.sha256.0).or_insert(bars.len());
            if place == bars.len() {
                bars.push(Bar { certificate, targets: Vec::new() });
            }
            let name = target.target.name.as_str();
            if bars[place].targets.last() != Some(&name) {
                bars[place].targets.push(name);
            }
        }
    }
    bars.sort_by_key(|bar| bar.certificate.not_after);
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_the_window_lies_at_its_edge() {
        assert_eq!(position(Duration::days(-4000)), 0);
        assert_eq!(position(Duration::days(4000)), WIDTH);
        assert_eq!(position(Duration::ZERO), WIDTH * PAST / (PAST + FUTURE));
    }
}
