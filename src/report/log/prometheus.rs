//! The report on logs as Prometheus metrics, for the textfile collector.

use super::document::{AccessOut, LogReport};
use crate::report::exposition::Exposition;
use crate::report::exposition::MetricType::{Counter, Gauge, Summary};

/// The whole report.
pub fn render(report: &LogReport) -> String {
    let mut page = Exposition::default();
    one(&mut page, "shakedown_log_lines_total", "Lines read.", report.lines);
    let help = "Lines that could not be parsed.";
    one(&mut page, "shakedown_log_unreadable_lines_total", help, report.unreadable);
    failures(report, &mut page);
    if let Some(access) = &report.access {
        requests(access, &mut page);
    }
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = page.write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn failures(report: &LogReport, page: &mut Exposition) {
    let help = "TLS failures by class, side and the alert that the peer sent.";
    let family = page.family_of(Counter, "shakedown_log_failures_total", help);
    for failure in &report.failures {
        let alert = failure.alert.map(|alert| alert.to_string()).unwrap_or_default();
        let labels = [
            ("class", failure.class),
            ("direction", failure.direction.name()),
            ("alert", &alert),
            ("concern", failure.concern.name()),
        ];
        family.add(&labels, count(failure.count));
    }
    let help = "Distinct clients by class and side.";
    let family = page.family_of(Gauge, "shakedown_log_failure_clients", help);
    for failure in &report.failures {
        let alert = failure.alert.map(|alert| alert.to_string()).unwrap_or_default();
        let labels =
            [("class", failure.class), ("direction", failure.direction.name()), ("alert", &alert)];
        family.add(&labels, count(failure.clients));
    }
    let help = "TLS failures by upstream and class.";
    let family = page.family_of(Counter, "shakedown_log_upstream_failures_total", help);
    for upstream in &report.upstreams {
        for class in &upstream.classes {
            let labels = [("upstream", &*upstream.address), ("class", class.class)];
            family.add(&labels, count(class.count));
        }
    }
}

fn requests(access: &AccessOut, page: &mut Exposition) {
    one(page, "shakedown_log_requests_total", "Requests in access logs.", access.requests);
    let help = "Requests by TLS version.";
    let family = page.family_of(Counter, "shakedown_log_tls_requests_total", help);
    for version in &access.versions {
        family.add(&[("version", &version.version)], count(version.requests));
    }
    if let Some(reuse) = access.session_reuse {
        let help = "Share of resumed sessions.";
        let family = page.family_of(Gauge, "shakedown_log_session_reuse_ratio", help);
        family.add(&[("per", reuse.per)], reuse.ratio);
    }
    let help = "Responses with status 502 or 504.";
    one(page, "shakedown_log_bad_gateway_total", help, access.bad_gateway);
    if let Some(times) = access.upstream_connect_ms {
        let help = "Time for connection and handshake to upstreams.";
        let family = page.family_of(Summary, "shakedown_log_upstream_connect_seconds", help);
        for (quantile, value) in [("0.5", times.p50), ("0.9", times.p90), ("0.99", times.p99)] {
            family.add(&[("quantile", quantile)], count(value) / 1000.0);
        }
    }
}

/// A counter without labels.
fn one(page: &mut Exposition, name: &'static str, help: &'static str, value: u64) {
    page.family_of(Counter, name, help).add(&[], count(value));
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floating-point numbers only")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::intake::Intake;

    #[test]
    fn no_upstream_breaks_out_of_its_label_or_hides_another() {
        let mut intake = Intake::default();
        let failed = |name: &str| {
            format!(
                "2026/01/31 10:00:00 [error] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name:SSL alert number 112) while SSL handshaking to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", upstream: \"https://{name}/\", host: \"a.test\""
            )
        };
        let names = ["x\u{1b}y", "xy", "x\u{202e}y", "x\\\"y"];
        for name in names {
            intake.line(failed(name).as_bytes());
        }
        let text = render(&LogReport::new(&intake, Vec::new(), None));
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        let mut samples: Vec<&str> =
            text.lines().filter(|line| line.starts_with("shakedown_log_upstream_f")).collect();
        assert!(samples.iter().all(|line| line.ends_with("class=\"alert-unrecognized-name\"} 1")));
        let count = samples.len();
        samples.sort_unstable();
        samples.dedup();
        assert_eq!((count, samples.len()), (4, 4), "{text}");
        assert!(text.contains("# TYPE shakedown_log_failures_total counter\n"), "{text}");
    }
}
