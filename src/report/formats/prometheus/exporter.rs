//! What the exporter tells of itself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use crate::report::exposition::Exposition;
use crate::report::exposition::MetricType::{Counter, Gauge};

/// Figures of the exporter since its start.
#[derive(Clone, Debug, Default)]
pub struct ExporterFigures {
    /// Answers, by path and status.
    pub requests: BTreeMap<(&'static str, u16), u64>,
    /// Probes that were refused, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Requests that were turned away before they were read, by reason.
    pub turned_away: BTreeMap<&'static str, u64>,
    /// TLS handshakes of clients that failed, by reason.
    pub handshakes_failed: BTreeMap<&'static str, u64>,
    /// Probes that have ended.
    pub probes: u64,
    /// Those among them whose client had gone.
    pub probes_cancelled: u64,
    /// Probes that are running.
    pub probes_running: u64,
    /// How long all probes took together.
    pub probe_time: Duration,
    /// Audits of the configured targets.
    pub audits: u64,
    /// Audits that could not be made.
    pub audits_failed: u64,
    /// Attempts to read the targets that failed.
    pub reads_failed: u64,
    /// Attempts to read the web configuration again that failed.
    pub web_reads_failed: u64,
    /// Connections that were closed for others.
    pub connections_closed: u64,
}

/// Writes the exporter's figures.
pub fn render_exporter(figures: &ExporterFigures, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Exposition::default();
    let help = "Answers of the exporter by path and HTTP status.";
    let requests = page.family_of(Counter, "shakedown_exporter_requests_total", help);
    for ((path, status), count) in &figures.requests {
        requests.add(&[("path", path), ("code", &status.to_string())], number(*count));
    }
    for (name, help, counts) in [
        (
            "shakedown_exporter_probes_refused_total",
            "Probes that the exporter refused.",
            &figures.refusals,
        ),
        (
            "shakedown_exporter_requests_refused_total",
            "Requests that were refused for their password, or because there were too many.",
            &figures.turned_away,
        ),
        (
            "shakedown_exporter_handshakes_failed_total",
            "TLS handshakes of the exporter's own clients that failed.",
            &figures.handshakes_failed,
        ),
    ] {
        let family = page.family_of(Counter, name, help);
        for (reason, count) in counts {
            family.add(&[("reason", reason)], number(*count));
        }
    }
    let help = "Probes that are running.";
    let running = page.family_of(Gauge, "shakedown_exporter_probes_running", help);
    running.add(&[], number(figures.probes_running));
    for (name, help, count) in [
        ("shakedown_exporter_probes_total", "Probes that have ended.", figures.probes),
        (
            "shakedown_exporter_probes_cancelled_total",
            "Probes that ended because their client had gone.",
            figures.probes_cancelled,
        ),
        ("shakedown_exporter_audits_total", "Audits of the configured targets.", figures.audits),
        (
            "shakedown_exporter_audits_failed_total",
            "Audits of the configured targets that could not be made.",
            figures.audits_failed,
        ),
        (
            "shakedown_exporter_reads_failed_total",
            "Attempts to read the targets that failed; the previous targets were kept.",
            figures.reads_failed,
        ),
        (
            "shakedown_exporter_web_reads_failed_total",
            "Attempts to read the web configuration again that failed; the previous one was kept.",
            figures.web_reads_failed,
        ),
        (
            "shakedown_exporter_connections_closed_total",
            "Connections that were closed because there were too many.",
            figures.connections_closed,
        ),
    ] {
        page.family_of(Counter, name, help).add(&[], number(count));
    }
    let help = "Duration of all probes together.";
    let time = page.family_of(Counter, "shakedown_exporter_probe_seconds_total", help);
    time.add(&[], figures.probe_time.as_secs_f64());
    page.write(out)
}

/// A count as a metric's value, which is exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no exporter counts that far")]
fn number(count: u64) -> f64 {
    count as f64
}
