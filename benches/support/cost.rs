//! What a command costs.

use std::process::Command;
use std::time::Instant;

use crate::support::{Outcome, children_cpu};

/// CPU seconds, wall seconds.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

/// Runs a command to its end and asks the system what it cost.
pub(crate) fn cost(command: &mut Command) -> Outcome<Cost> {
    let before = children_cpu()?;
    let started = Instant::now();
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{command:?} ended with {status}").into());
    }
    Ok(Cost { cpu: children_cpu()? - before, wall })
}
