//! The report over logs as Prometheus reads it, for the textfile collector.

use std::fmt::Write;

use super::document::LogReport;

/// The whole report.
pub fn render(report: &LogReport) -> String {
    let mut page = Page::default();
    page.family("shakedown_log_lines", "Lines that were read.", "gauge");
    page.sample(&[], count(report.lines));
    page.family("shakedown_log_unreadable_lines", "Lines that could not be understood.", "gauge");
    page.sample(&[], count(report.unreadable));
    failures(report, &mut page);
    if let Some(access) = &report.access {
        page.family("shakedown_log_requests", "Requests of access logs.", "gauge");
        page.sample(&[], count(access.requests));
        page.family("shakedown_log_tls_requests", "Requests by version of TLS.", "gauge");
        for version in &access.versions {
            page.sample(&[("version", &version.version)], count(version.requests));
        }
        if let Some(reuse) = access.session_reuse {
            page.family(
                "shakedown_log_session_reuse_ratio",
                "The share of resumed sessions.",
                "gauge",
            );
            page.sample(&[("per", reuse.per)], reuse.ratio);
        }
        page.family("shakedown_log_bad_gateway", "Answers of 502 and 504.", "gauge");
        page.sample(&[], count(access.bad_gateway));
        if let Some(times) = access.upstream_connect_ms {
            let help = "Connection and handshake to upstreams.";
            page.family("shakedown_log_upstream_connect_seconds", help, "summary");
            for (quantile, value) in [("0.5", times.p50), ("0.9", times.p90), ("0.99", times.p99)] {
                page.sample(&[("quantile", quantile)], count(value) / 1000.0);
            }
        }
    }
    page.text
}

fn failures(report: &LogReport, page: &mut Page) {
    let help = "Failures of TLS by class, side and the alert that the peer sent.";
    page.family("shakedown_log_failures", help, "gauge");
    for failure in &report.failures {
        let alert = failure.alert.map(|alert| alert.to_string()).unwrap_or_default();
        let labels = [
            ("class", failure.class),
            ("direction", failure.direction.name()),
            ("alert", &alert),
            ("concern", failure.concern.name()),
        ];
        page.sample(&labels, count(failure.count));
    }
    page.family("shakedown_log_failure_clients", "Different clients by class and side.", "gauge");
    for failure in &report.failures {
        let alert = failure.alert.map(|alert| alert.to_string()).unwrap_or_default();
        let labels =
            [("class", failure.class), ("direction", failure.direction.name()), ("alert", &alert)];
        page.sample(&labels, count(failure.clients));
    }
    page.family(
        "shakedown_log_upstream_failures",
        "Failures of TLS by upstream and class.",
        "gauge",
    );
    for upstream in &report.upstreams {
        for class in &upstream.classes {
            let labels = [("upstream", &*upstream.address), ("class", class.class)];
            page.sample(&labels, count(class.count));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floating-point numbers only")]
fn count(number: u64) -> f64 {
    number as f64
}

#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, help: &str, kind: &str) {
        self.name = name;
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{labels} {value}", self.name);
    }
}

/// A label's value: backslashes, quotes and line breaks are escaped, other control characters are dropped.
fn label(value: &str) -> String {
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    escaped.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_breaks_out() {
        let mut page = Page::default();
        page.family("a", "b.", "gauge");
        page.sample(&[("name", "x\"} 1\n\u{1b}y\\")], 1.0);
        assert!(page.text.ends_with("a{name=\"x\\\"} 1\\ny\\\\\"} 1\n"), "{}", page.text);
    }
}
