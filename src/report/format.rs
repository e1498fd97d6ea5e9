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

    /// Its kind; each format has exactly one.
    fn kind(self) -> FormatKind {
        match self {
            Self::Ndjson => FormatKind::Stream,
            Self::Nagios => FormatKind::Plugin,
            Self::Sarif | Self::Gitlab => FormatKind::Places,
            Self::Table
            | Self::Json
            | Self::Junit
            | Self::Github
            | Self::Markdown
            | Self::Csv
            | Self::Prometheus
            | Self::Html => FormatKind::Document,
        }
    }

    /// Whether targets are written one at a time, as each is done.
    pub fn streams(self) -> bool {
        self.kind() == FormatKind::Stream
    }

    /// Whether a monitoring system reads stdout and the exit status, as of a plugin.
    pub fn is_plugin(self) -> bool {
        self.kind() == FormatKind::Plugin
    }

    /// Whether every finding needs a place in a file.
    pub fn needs_place(self) -> bool {
        self.kind() == FormatKind::Places
    }
}

/// What a format needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FormatKind {
    /// Every target, at the end.
    Document,
    /// Each target as soon as it is done.
    Stream,
    /// Every target, and an exit status as of a plugin.
    Plugin,
    /// A place in a file for every finding.
    Places,
}
