//! One JSON object a line, each as soon as its target is done: flat in memory, and whole lines survive an interruption.

use std::io::{self, Write};

use super::json::TargetView;
use crate::run::TargetReport;

/// Writes one target: the same object as in the `targets` of the JSON document.
pub fn line(report: &TargetReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &TargetView::of(report))?;
    writeln!(out)
}
