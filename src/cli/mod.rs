//! The command line: what was typed, then what it means, then the run, the report and the exit status.

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
