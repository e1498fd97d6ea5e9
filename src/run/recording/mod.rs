//! Observations in a file: JSON lines of schema `shakedown/observations/v1`, so that a run can be judged again without
//! the network. The first line describes the run, the last marks the file as complete, and each target has a line in
//! between. Private keys are never written.

mod finding;
mod packing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::finding::RecordedFinding;
pub use self::packing::PackingError;
use super::FetchIssuers;
use super::schema::{self, UnknownSchema};
use super::settings::Surroundings;
use crate::audit::policy::Policy;
use crate::certificate::stored::StoredBytes;
use crate::certificate::trust::TrustStore;
use crate::observation::Observation;
use crate::observation::nginx::NginxAttempt;
use crate::probe::fetch::FetchError;
use crate::targets::{Origin, Target, Trust};

/// The name of the schema.
pub const SCHEMA: &str = "shakedown/observations/v1";

/// The most lines of a file.
const MAX_LINES: usize = 4_000_000;

/// The settings of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The version of the program that wrote the file.
    pub version: String,
    /// The time at which certificates were judged (RFC 3339).
    pub judged_at: String,
    /// The policy of the run.
    pub policy: Option<Policy>,
    /// Whether missing issuers were fetched.
    pub fetch_issuers: FetchIssuers,
    /// Properties of the machine that affect fixes.
    pub surroundings: Surroundings,
    /// The roots that targets name.
    pub roots: Vec<(Trust, Arc<TrustStore>)>,
    /// Comments of a configuration that allow findings beside them.
    pub ignored: Vec<RecordedIgnore>,
}

/// A comment of a configuration that allows findings beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedIgnore {
    /// The line that it applies to.
    pub origin: Origin,
    /// The rules or groups of rules.
    pub rules: Vec<String>,
    /// The reason.
    pub reason: String,
}

/// A result that needed no connection, with its findings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedText {
    /// The configuration, or the place in one.
    pub target: Target,
    /// Why no connection was made.
    pub observation: Observation,
    /// What was found in the text.
    pub findings: Vec<RecordedFinding>,
    /// What could not be tested: the rule's id and the reason.
    pub untested: Vec<(String, String)>,
}

/// A target, and all network answers about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedTarget {
    /// Its position among all targets, from 0.
    pub index: usize,
    /// The target.
    pub target: Target,
    /// What was seen.
    pub observation: Observation,
    /// nginx's handshakes with changed settings, in order.
    pub attempts: Vec<(SocketAddr, NginxAttempt)>,
}

/// A fetched issuer certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedFetch {
    /// The URL.
    pub url: String,
    /// Its contents.
    pub answer: Result<StoredBytes, FetchError>,
}

/// The end of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// The number of targets in the file.
    pub targets: usize,
    /// Whether the run was stopped before every target was tested.
    pub interrupted: bool,
    /// When the last target was judged (RFC 3339).
    pub finished_at: String,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordingLine {
    /// The first.
    Start(Box<Start>),
    /// A result that needed no connection.
    Text(Box<RecordedText>),
    /// A target.
    Target(Box<RecordedTarget>),
    /// A fetched issuer.
    Fetch(RecordedFetch),
    /// The last.
    End(RecordedEnd),
}

impl RecordingLine {
    /// The line as written, with its line feed.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        packing::pack(self)
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file does not begin like an observations file.
    #[error("not a file of saved observations: the first line must have the schema {SCHEMA:?}")]
    NotObservations,
    /// It is of another version.
    #[error(transparent)]
    Schema(#[from] UnknownSchema),
    /// A line cannot be read.
    #[error("line {line}: {error}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        error: PackingError,
    },
    /// A line is in the wrong place.
    #[error("line {line}: {reason}")]
    Place {
        /// The line, from 1.
        line: usize,
        /// The reason.
        reason: &'static str,
    },
    /// The end is missing.
    #[error("the file ends too early: its last line is missing")]
    CutShort,
    /// Targets are missing.
    #[error("{found} targets in the file: expected {expected}")]
    Targets {
        /// Those in the file.
        found: usize,
        /// Those that the last line counts.
        expected: usize,
    },
    /// There are too many lines.
    #[error("more than {MAX_LINES} lines")]
    TooLong,
}

/// A complete file.
#[derive(Debug)]
pub struct Recording {
    /// The settings of the run.
    pub start: Start,
    /// Results that needed no connection.
    pub texts: Vec<RecordedText>,
    /// The targets, in the order of the run.
    pub targets: Vec<RecordedTarget>,
    /// What was fetched, by URL.
    pub fetched: HashMap<String, Result<StoredBytes, FetchError>>,
    /// How the run ended.
    pub end: RecordedEnd,
}

/// Reads a complete file.
pub fn read(text: &str) -> Result<Recording, RecordingError> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let start = start(lines.next().map_or("", |(_, line)| line))?;
    let roots: Vec<&Trust> = start.roots.iter().map(|(trust, _)| trust).collect();
    let (mut texts, mut targets, mut fetched) = (Vec::new(), BTreeMap::new(), HashMap::new());
    let mut end = None;
    for (number, line) in lines {
        let misplaced = |reason| RecordingError::Place { line: number, reason };
        if number > MAX_LINES {
            return Err(RecordingError::TooLong);
        }
        if end.is_some() {
            return Err(misplaced("nothing may follow the end"));
        }
        match packing::unpack(line).map_err(|error| RecordingError::Line { line: number, error })? {
            RecordingLine::Start(_) => {
                return Err(misplaced("only the first line may be the start"));
            }
            RecordingLine::Text(text) => texts.push(*text),
            RecordingLine::Target(target) if !roots.contains(&&target.target.trust) => {
                return Err(misplaced("the roots of this target are missing"));
            }
            RecordingLine::Target(target) => {
                if targets.insert(target.index, *target).is_some() {
                    return Err(misplaced("another target has this index"));
                }
            }
            RecordingLine::Fetch(RecordedFetch { url, answer }) => {
                drop(fetched.insert(url, answer));
            }
            RecordingLine::End(line) => end = Some(line),
        }
    }
    let end = end.ok_or(RecordingError::CutShort)?;
    if targets.len() != end.targets {
        return Err(RecordingError::Targets { found: targets.len(), expected: end.targets });
    }
    let targets = targets.into_values().collect();
    Ok(Recording { start, texts, targets, fetched, end })
}

fn start(line: &str) -> Result<Start, RecordingError> {
    let found = packing::schema(line).ok_or(RecordingError::NotObservations)?;
    schema::check(&found, SCHEMA)?;
    match packing::unpack(line).map_err(|error| RecordingError::Line { line: 1, error })? {
        RecordingLine::Start(start) => Ok(*start),
        _ => Err(RecordingError::NotObservations),
    }
}
