//! Reads reports of earlier runs, as JSON documents or NDJSON.

pub mod change;
pub mod compare;
pub mod manifest;
pub mod merge;
mod negotiated;
mod reach;
mod renewed;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::audit::finding::Severity;
use crate::run::Status;
use crate::run::schema::{self, UnknownSchema};
use crate::targets::behaviour::{ReportedBehaviour, ReportedHandshake};

/// The schema of the report.
pub const SCHEMA: &str = "shakedown/report/v1";

/// The schema of the manifest.
pub const MANIFEST: &str = "shakedown/manifest/v1";

/// Why a file is not a report.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is not a JSON document of the right form.
    #[error("not a report: {0}")]
    Document(serde_json::Error),
    /// It is of another kind or a later version.
    #[error(transparent)]
    Schema(#[from] UnknownSchema),
    /// A line is not a target.
    #[error("line {line} is not a target: {error}")]
    Line {
        /// From 1.
        line: usize,
        /// The reason.
        error: serde_json::Error,
    },
}

/// The fields of a target that are used.
#[derive(Clone, Debug, Deserialize)]
pub struct SavedTarget {
    /// Its name.
    pub name: String,
    /// What it is; reports of early releases do not say it.
    #[serde(default)]
    pub kind: SavedKind,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that is sent and verified.
    pub server_name: Option<String>,
    /// Its status.
    pub status: Status,
    /// How it behaved.
    #[serde(flatten)]
    pub behaviour: ReportedBehaviour,
    /// Its findings.
    pub findings: Vec<SavedFinding>,
}

impl SavedTarget {
    /// Whether it was reached by a unix socket in a rehearsal. Early releases, which did not say what a target is, had
    /// no rehearsals.
    pub fn endpoint_is_unix(&self) -> bool {
        self.kind == SavedKind::Endpoint && self.port == 0 && !self.behaviour.handshakes.is_empty()
    }

    /// The complete handshakes with the target's own name, or without SNI if it has none.
    fn own(&self) -> impl Iterator<Item = &ReportedHandshake> {
        let named = self.server_name.is_some();
        let cells = self.behaviour.handshakes.iter().filter(|cell| cell.engine == "rustls");
        cells.filter(move |cell| cell.sni.is_some() == named)
    }

    /// Those of them that succeeded.
    fn established(&self) -> impl Iterator<Item = &ReportedHandshake> {
        self.own().filter(|cell| cell.is_established())
    }
}

/// What a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SavedKind {
    /// It was connected to.
    #[default]
    Endpoint,
    /// A configuration; a report has it only if something is said of it.
    Configuration,
    /// A file, or what another release knows.
    #[serde(other)]
    File,
}

/// One finding.
#[derive(Clone, Debug, Deserialize)]
pub struct SavedFinding {
    /// The rule's id.
    pub rule: String,
    /// The severity.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Identifies it across runs.
    pub fingerprint: String,
    /// Why it does not fail the run, if it is excused.
    #[serde(default)]
    pub excuse: Option<IgnoredAny>,
}

/// The targets of a report; `text` is a JSON document, or NDJSON with or without a manifest.
pub fn read(text: &str) -> Result<Vec<SavedTarget>, SavedError> {
    #[derive(Deserialize)]
    struct SavedDocument {
        targets: Vec<SavedTarget>,
    }
    if text.trim().is_empty() || is_stream(text) {
        return lines(text);
    }
    // The schema is checked first, so that a later version is reported as such.
    let Schema { schema } = serde_json::from_str(text).map_err(SavedError::Document)?;
    schema::check(&schema, SCHEMA)?;
    let SavedDocument { targets } = serde_json::from_str(text).map_err(SavedError::Document)?;
    Ok(targets)
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

/// Whether the first line is a complete object, and not a document in one line.
fn is_stream(text: &str) -> bool {
    #[derive(Deserialize)]
    struct FirstLine {
        targets: Option<IgnoredAny>,
    }
    let first = text.lines().next().unwrap_or_default();
    serde_json::from_str::<FirstLine>(first).is_ok_and(|line| line.targets.is_none())
}

fn lines(text: &str) -> Result<Vec<SavedTarget>, SavedError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut targets = Vec::new();
    for (index, line) in lines {
        match serde_json::from_str(line) {
            Ok(Schema { schema }) if schema == MANIFEST => {}
            Ok(Schema { schema }) => return Err(UnknownSchema::new(&schema, SCHEMA).into()),
            Err(_) => targets.push(
                serde_json::from_str(line)
                    .map_err(|error| SavedError::Line { line: index + 1, error })?,
            ),
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[track_caller]
    fn check_error(text: &str, words: &str) {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn files_that_are_not_reports_are_refused() {
        check_error("[]", "not a report");
        check_error("{\n}", "missing field `schema`");
        check_error(
            "{\"schema\": \"shakedown/report/v9\", \"targets\": []}",
            "\"shakedown/report/v9\"",
        );
        check_error("{\"schema\": \"another\"}\n", "unknown schema \"another\"");
        check_error("{\"name\": \"x\"}\n", "line 1 is not a target: missing field");
        check_error("{\"schema\": \"shakedown/report/v1\",\n \"targets\": [{}]}", "missing field");
    }

    #[test]
    fn an_empty_stream_is_a_report_of_nothing() {
        assert_eq!(read("").unwrap().len(), 0);
        assert_eq!(read("{\"schema\":\"shakedown/manifest/v1\"}\n").unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reader(text in "[{}\\[\\]\":,a-z0-9\n ]{0,80}") {
            let _ = read(&text);
        }
    }
}
