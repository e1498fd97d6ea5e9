//! The formats of a report, and their properties.

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// Text for a terminal.
    #[default]
    Table,
    /// One JSON document, in input order.
    Json,
    /// One JSON object per line, each as soon as its target is done.
    Ndjson,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML: a suite for each target, a case for each rule.
    Junit,
    /// Annotations of GitHub Actions, and the job's summary.
    Github,
    /// GitLab's Code Quality report.
    Gitlab,
    /// Markdown, for tickets and comments.
    Markdown,
    /// CSV, one row for each finding.
    Csv,
    /// Metrics for node_exporter's textfile collector.
    Prometheus,
    /// A status line with performance data, as Nagios plugins print it.
    Nagios,
    /// One self-contained HTML file.
    Html,
}

impl Format {
    /// Its name on the command line.
    pub fn name(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether targets are written one at a time, as each is done.
    pub fn streams(self) -> bool {
        matches!(self, Self::Ndjson)
    }

    /// Whether a monitoring system reads stdout and the exit status, as of a plugin.
    pub fn is_plugin(self) -> bool {
        matches!(self, Self::Nagios)
    }

    /// Whether every finding needs a place in a file.
    pub fn needs_place(self) -> bool {
        matches!(self, Self::Sarif | Self::Gitlab)
    }
}
