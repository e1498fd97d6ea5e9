//! The report over captures as Prometheus metrics, for the textfile collector.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::document::CaptureReport;
use crate::report::exposition::Exposition;
use crate::report::exposition::MetricType::{Counter, Gauge};

/// Kinds of clients that have series of their own.
const MAX_CLIENTS: usize = 50;

/// Writes the whole report.
pub fn render(report: &CaptureReport, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Exposition::default();
    let (summary, traffic) = (report.summary, report.traffic);
    let help = "Frames in the captures.";
    page.family_of(Counter, "shakedown_capture_frames_total", help).add(&[], value(traffic.frames));
    let help = "Handshakes by how they ended.";
    let family = page.family_of(Counter, "shakedown_capture_handshakes_total", help);
    for (result, count) in [
        ("established", summary.established),
        ("failed", summary.failed),
        ("unclear", summary.unclear),
    ] {
        family.add(&[("result", result)], value(count));
    }
    let help = "Connections that were given up because too many were open.";
    let family = page.family_of(Counter, "shakedown_capture_connections_given_up_total", help);
    family.add(&[], value(traffic.connections_given_up));
    failures(report, &mut page);
    let help = "Failed handshakes by kind of client: the JA4 of its hellos, and the known client that they are like.";
    let family = page.family_of(Counter, "shakedown_capture_client_failures_total", help);
    for kind in report.client_kinds.iter().filter(|kind| kind.failed > 0).take(MAX_CLIENTS) {
        let like = kind.like.as_ref().map_or("", |like| like.title);
        family.add(&[("ja4", &kind.ja4), ("like", like)], value(kind.failed));
    }
    page.write(out)
}

/// Failures of one class at one server may have several causes, and are one series.
fn failures(report: &CaptureReport, page: &mut Exposition) {
    let mut counts: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for kind in &report.failures {
        let count = counts.entry((kind.class, &kind.server)).or_default();
        *count = (count.0 + kind.count, count.1.max(kind.clients));
    }
    let help = "Failed handshakes by class and server.";
    let family = page.family_of(Counter, "shakedown_capture_failures_total", help);
    for ((class, server), (count, _)) in &counts {
        family.add(&[("class", class), ("server", server)], value(*count));
    }
    let help = "Different addresses of clients that failed, by class and server.";
    let family = page.family_of(Gauge, "shakedown_capture_failure_clients", help);
    for ((class, server), (_, clients)) in &counts {
        family.add(&[("class", class), ("server", server)], value(*clients));
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floating-point numbers only")]
fn value(number: u64) -> f64 {
    number as f64
}
