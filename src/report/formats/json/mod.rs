//! The JSON document of schema `shakedown/report/v1`. Field names and values are a contract: they are only ever added to.

mod certificate;
mod change;
mod finding;
mod handshake;
mod kept;
mod requests;
pub(in crate::report) mod target;

use std::cell::RefCell;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub use self::kept::KeptTargets;
use self::kept::RecentBlocks;
use self::target::TargetView;
use crate::report::changes;
pub use crate::report::saved::SCHEMA;
use crate::report::tool::Tool;
use crate::report::{Rehearsed, Report, Summary, inert_json};
use crate::run::TargetReport;

/// Writes the whole report as one document.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let targets = report.targets.iter().map(LateView).collect();
    inert_json::write_pretty(&Document::of(report, targets), out)?;
    writeln!(out)
}

/// Writes the document of a report whose targets were kept as text.
pub fn render_kept(report: &Report, kept: &KeptTargets, out: &mut dyn Write) -> io::Result<()> {
    let unpacked = RefCell::<RecentBlocks>::default();
    inert_json::write_pretty(&Document::of(report, kept.views(&unpacked)), out)?;
    writeln!(out)
}

/// The JSON Schema of the document.
///
/// # Panics
///
/// Never: a schema is plain data.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Document<TargetView<'static>>);
    serde_json::to_string_pretty(&schema).expect("a schema is plain data") + "\n"
}

/// A target as the document has it.
pub(super) fn view(report: &TargetReport) -> TargetView<'_> {
    TargetView::of(report).compared(changes::of(report), changes::weight(report))
}

/// Writes targets that are already JSON as the document of a finished run; `times` are its start and end.
pub(in crate::report) fn write_document(
    targets: &[Value],
    summary: Summary,
    (started_at, finished_at): (Option<String>, Option<String>),
    out: &mut dyn Write,
) -> io::Result<()> {
    let (tool, interrupted) = (Tool::default(), false);
    let targets = targets.iter().collect();
    let document: Document<&Value> = Document {
        schema: SCHEMA,
        tool,
        started_at,
        finished_at,
        interrupted,
        rehearsal: None,
        summary,
        targets,
    };
    inert_json::write_pretty(&document, out)?;
    writeln!(out)
}

/// A whole run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Document")]
struct Document<T> {
    /// Always `shakedown/report/v1`.
    schema: &'static str,
    tool: Tool,
    /// When the first probe started, in UTC; null without times.
    started_at: Option<String>,
    /// When the last target was judged, in UTC; null without times.
    finished_at: Option<String>,
    /// Whether the run was stopped before every target was tested.
    interrupted: bool,
    /// The rehearsal that was probed; absent if the live sockets were probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<Rehearsed>,
    summary: Summary,
    /// The targets, in input order.
    targets: Vec<T>,
}

/// A target whose view is made when it is written, so that only one exists at a time.
struct LateView<'a>(&'a TargetReport);

impl Serialize for LateView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        view(self.0).serialize(serializer)
    }
}

impl<T> Document<T> {
    fn of(report: &Report, targets: Vec<T>) -> Self {
        let (started_at, finished_at) = report.times();
        Self {
            schema: SCHEMA,
            tool: Tool::default(),
            started_at,
            finished_at,
            interrupted: report.interrupted,
            rehearsal: report.options.rehearsal.clone(),
            summary: report.summary(),
            targets,
        }
    }
}
