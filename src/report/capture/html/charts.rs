//! Handshakes over time, and hellos by their size.

use maud::{Markup, html};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::clock;
use crate::report::capture::document::{CaptureReport, CapturedHandshake, HandshakeResult};
use crate::report::formats::html::table;

/// Bars of the timeline.
const BARS: usize = 60;
const LAST_BAR: i128 = 59;

/// The height of the timeline and the width of a bar of sizes, in their own units; they are stretched.
const HEIGHT: u64 = 100;
const WIDTH: u64 = 920;

/// Where ranges of sizes end, in bytes: some old servers hang on 256 to 511, and a packet has room for about 1400.
const SIZES: [usize; 6] = [256, 512, 1024, 1400, 1800, usize::MAX];

/// Handshakes by result: succeeded, failed, unclear.
#[derive(Clone, Copy, Debug, Default)]
struct ResultCounts([u64; 3]);

impl ResultCounts {
    fn add(&mut self, handshake: &CapturedHandshake) {
        let place = match handshake.result {
            HandshakeResult::Established => 0,
            HandshakeResult::Failed => 1,
            HandshakeResult::Unclear => 2,
        };
        self.0[place] += 1;
    }

    fn all(self) -> u64 {
        self.0.iter().sum()
    }

    /// Failed ones first, where the eye begins.
    fn parts(self) -> [(&'static str, u64); 3] {
        let [good, bad, unclear] = self.0;
        [("bad", bad), ("soon", unclear), ("good", good)]
    }

    fn text(self) -> String {
        let [good, bad, unclear] = self.0;
        format!("{bad} failed, {unclear} unclear, {good} succeeded")
    }
}

/// Bars from the first to the last handshake.
pub(super) fn timeline(report: &CaptureReport) -> Markup {
    let times: Vec<i128> = report.handshakes.iter().filter_map(|it| nanos(&it.time)).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return Markup::default();
    };
    let (first, span) = (*first, (last - first).max(1));
    let mut bars = [ResultCounts::default(); BARS];
    for handshake in &report.handshakes {
        let Some(time) = nanos(&handshake.time) else { continue };
        let share = (time - first) * LAST_BAR / span;
        if let Some(bar) = usize::try_from(share).ok().and_then(|at| bars.get_mut(at)) {
            bar.add(handshake);
        }
    }
    let most = bars.iter().map(|bar| bar.all()).max().unwrap_or(1).max(1);
    let drawn = html! { @for (at, bar) in bars.iter().enumerate() { (column(at, *bar, most)) } };
    let ends = [report.handshakes.first(), report.handshakes.last()];
    let ends = ends.map(|one| one.map(|one| clock(&one.time)).unwrap_or_default());
    html! {
        section #timeline {
            h2 { "Handshakes over time" }
            p.legend {
                "From " (ends[0]) " to " (ends[1]) " UTC; failed ones are at the bottom, and the highest bar has " (most) "."
            }
            svg.chart viewBox={ "0 0 " (BARS * 10) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label="handshakes over time" { (drawn) }
        }
    }
}

fn column(at: usize, bar: ResultCounts, most: u64) -> Markup {
    let mut bottom = HEIGHT;
    let parts = bar.parts().map(|(class, count)| {
        // What there is can be seen, however little it is.
        let height = if count == 0 { 0 } else { (count * HEIGHT / most).max(2).min(bottom) };
        bottom -= height;
        (class, bottom, height)
    });
    html! { @for (class, y, height) in parts { @if height > 0 {
        rect.(class) x=(at * 10) y=(y) width="9" height=(height) { title { (bar.text()) } }
    } } }
}

/// A bar for each range of sizes.
pub(super) fn sizes(report: &CaptureReport) -> Markup {
    let mut ranges = [ResultCounts::default(); SIZES.len()];
    for handshake in &report.handshakes {
        let Some(hello) = &handshake.hello else { continue };
        let place = SIZES.iter().position(|end| hello.size < *end);
        if let Some(range) = place.and_then(|place| ranges.get_mut(place)) {
            range.add(handshake);
        }
    }
    let most = ranges.iter().map(|range| range.all()).max().unwrap_or(0);
    if most == 0 {
        return Markup::default();
    }
    let rows =
        html! { @for (place, range) in ranges.iter().enumerate() { (size(place, *range, most)) } };
    let headings = [
        ("", "bytes of the hello"),
        ("", "failed"),
        ("", "unclear"),
        ("", "succeeded"),
        ("wide", ""),
    ];
    html! {
        section #sizes { h2 { "Sizes of hellos" } (table(&headings, &rows)) }
    }
}

fn size(place: usize, range: ResultCounts, most: u64) -> Markup {
    let begin = place.checked_sub(1).and_then(|before| SIZES.get(before)).copied().unwrap_or(0);
    let end = SIZES.get(place).copied().filter(|end| *end < usize::MAX);
    let label =
        end.map_or_else(|| format!("{begin} and more"), |end| format!("{begin} to {}", end - 1));
    let mut left = 0;
    let parts = range.parts().map(|(class, count)| {
        let width = count * WIDTH / most;
        left += width;
        (class, left - width, width)
    });
    let [good, bad, unclear] = range.0;
    let parts = html! { @for (class, x, width) in parts { @if width > 0 {
        rect.(class) x=(x) y="2" width=(width) height="8" {}
    } } };
    html! {
        tr {
            th.nowrap scope="row" { (label) } td { (bad) } td { (unclear) } td { (good) }
            td {
                svg viewBox={ "0 0 " (WIDTH) " 12" } preserveAspectRatio="none" role="img" aria-label=(range.text()) { (parts) }
            }
        }
    }
}

fn nanos(time: &str) -> Option<i128> {
    Some(OffsetDateTime::parse(time, &Rfc3339).ok()?.unix_timestamp_nanos())
}
