//! Errors before or after the probing: the error, then the next step.

use std::io::{self, Write};

use super::exit::Exit;
use crate::report::escape::escape;
use crate::report::formats::nagios::ServiceState;

/// A usage error, with advice.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(super) struct UsageError {
    problem: String,
    help: String,
}

impl UsageError {
    /// An error with its help.
    #[expect(clippy::new_ret_no_self, reason = "it is only ever returned as an error")]
    pub(super) fn new(problem: impl Into<String>, help: impl Into<String>) -> anyhow::Error {
        Self { problem: problem.into(), help: help.into() }.into()
    }
}

/// Prints an error and returns the exit status. A closed stdout, as with `head`, is not reported.
pub(super) fn complain(error: &anyhow::Error) -> Exit {
    if is_closed_pipe(error) {
        return Exit::Closed;
    }
    let io_error = error.downcast_ref::<io::Error>();
    // A failure to print cannot be reported.
    let _ = anstream::stderr().write_all(text(error).as_bytes());
    if io_error.is_some() { Exit::Internal } else { Exit::Usage }
}

/// Whether the reader of a pipe has closed it.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints a warning.
pub(super) fn warn(text: &str) {
    for line in text.lines() {
        // If stderr is closed, the message is lost.
        let _ = writeln!(anstream::stderr(), "shakedown: warning: {}", escape(line));
    }
}

/// Prints what the user should know about the run, and nothing that went wrong.
pub(super) fn note(text: &str) {
    // If stderr is closed, the message is lost.
    let _ = writeln!(anstream::stderr(), "shakedown: note: {}", escape(text));
}

/// Prints an error for a monitoring system, which reads the first line of stdout.
pub(super) fn unknown(error: &anyhow::Error) -> Exit {
    let text = format!("{error:#}").replace('\n', " ").replace('|', "/");
    // A failure to print cannot be reported.
    let _ = writeln!(anstream::stdout(), "SHAKEDOWN UNKNOWN - {}", escape(&text));
    Exit::Plugin(ServiceState::Unknown)
}

/// One problem per line; file names and contents are escaped for the terminal.
fn text(error: &anyhow::Error) -> String {
    let problem = format!("shakedown: error: {error:#}");
    let help = error.downcast_ref::<UsageError>().map(|error| format!("help: {}", error.help));
    let lines = problem.lines().chain(help.as_deref());
    lines.map(|line| escape(line).into_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn the_next_step_is_below_the_error() {
        let error = UsageError::new("no target is given", "give HOST:PORT");
        assert_eq!(text(&error), "shakedown: error: no target is given\nhelp: give HOST:PORT\n");
        assert_eq!(
            text(&anyhow!("2 problems:\n  a\u{1b}[31m\n  b")),
            "shakedown: error: 2 problems:\n  a\\u{1b}[31m\n  b\n"
        );
    }

    #[test]
    fn only_what_this_machine_refused_is_internal() {
        let io = |kind| Err::<(), _>(io::Error::from(kind)).context("report").unwrap_err();
        assert_eq!(complain(&io(io::ErrorKind::BrokenPipe)), Exit::Closed);
        assert_eq!(complain(&io(io::ErrorKind::StorageFull)), Exit::Internal);
        assert_eq!(complain(&anyhow!("unknown")), Exit::Usage);
    }
}
