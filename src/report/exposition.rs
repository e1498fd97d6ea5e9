//! Prometheus' text format 0.0.4: families in the order of their first use, each series once.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::report::escape::escape;

/// The metric families of one document.
#[derive(Debug, Default)]
pub(in crate::report) struct Exposition {
    families: Vec<MetricFamily>,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum MetricType {
    /// The value goes up and down.
    Gauge,
    /// The value only goes up.
    Counter,
    /// Quantiles of a measurement.
    Summary,
}

/// One metric's series.
#[derive(Debug)]
pub(in crate::report) struct MetricFamily {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    /// In order, with the labels as written.
    series: Vec<(String, f64)>,
    known: BTreeSet<String>,
}

impl Exposition {
    /// The family of gauges with that name.
    pub(super) fn family(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.family_of(MetricType::Gauge, name, help)
    }

    /// The family with that name.
    pub(in crate::report) fn family_of(
        &mut self,
        kind: MetricType,
        name: &'static str,
        help: &'static str,
    ) -> &mut MetricFamily {
        let at = self.families.iter().position(|family| family.name == name);
        let at = at.unwrap_or_else(|| {
            let (series, known) = (Vec::new(), BTreeSet::new());
            self.families.push(MetricFamily { name, help, kind, series, known });
            self.families.len() - 1
        });
        &mut self.families[at]
    }

    /// Writes the document.
    pub(in crate::report) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for MetricFamily { name, help, kind, series, .. } in &self.families {
            if series.is_empty() {
                continue;
            }
            writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name())?;
            for (labels, value) in series {
                writeln!(out, "{name}{labels} {value}")?;
            }
        }
        Ok(())
    }
}

impl MetricType {
    fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Summary => "summary",
        }
    }
}

impl MetricFamily {
    /// Adds a series. Duplicate labels would make the whole document invalid, so only the first series is kept.
    pub(in crate::report) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        // An empty label is the same as no label.
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> =
            labels.map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        let labels =
            if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        if self.known.insert(labels.clone()) {
            self.series.push((labels, value));
        }
    }
}

/// A label's value, escaped for quotes.
fn label(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_no_series_is_written_twice() {
        let mut exposition = Exposition::default();
        let family = exposition.family("m", "What it is.");
        family.add(&[("a", "x\"} 1\nm{a=\"y\\")], 1.5);
        family.add(&[("a", "x\"} 1\nm{a=\"y\\")], 2.0);
        let mut out = Vec::new();
        exposition.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP m What it is.\n# TYPE m gauge\nm{a=\"x\\\"} 1\\\\nm{a=\\\"y\\\\\"} 1.5\n"
        );
    }
}
