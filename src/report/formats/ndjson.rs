//! One JSON object per line, written when its target is done: memory use is constant, and complete lines survive an
//! interruption.

use std::io::{self, Write};

use super::json;
use crate::report::{Report, inert_json};
use crate::run::TargetReport;

/// Writes every target of a report that was not streamed.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    report.targets.iter().try_for_each(|target| line(target, out))
}

/// Writes one target: the same object as in the `targets` of the JSON document.
pub fn line(report: &TargetReport, out: &mut dyn Write) -> io::Result<()> {
    inert_json::write(&json::view(report), out)?;
    writeln!(out)
}
