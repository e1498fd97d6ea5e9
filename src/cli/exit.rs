//! The exit status: a contract with CI jobs and cron. It is the same in every format except Nagios, which defines its
//! own.

use std::process::ExitCode;

use super::args::FailOn;
use crate::report::formats::nagios;
use crate::report::{Format, Report, Summary};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every target was tested, and no finding reaches the threshold.
    Passed,
    /// A finding reaches the threshold.
    Findings,
    /// Usage or configuration error; nothing was probed.
    Usage,
    /// Something could not be tested, and no finding reaches the threshold.
    Untested,
    /// Internal error.
    Internal,
    /// stdout was closed before the end, as with `head`; this says nothing about the targets.
    Closed,
    /// The state of a Nagios plugin.
    Plugin(nagios::ServiceState),
}

impl Exit {
    /// The status of a run with this report in this format.
    pub(super) fn of_report(
        report: &Report,
        format: Format,
        fail_on: FailOn,
        internal_errors: usize,
    ) -> Self {
        match format {
            Format::Nagios => Self::Plugin(nagios::state(report)),
            _ => Self::of(&report.summary(), fail_on.gates(), internal_errors),
        }
    }

    /// Findings take precedence over errors of this program, and those over targets that could not be tested. What the
    /// operator allows to be untested does not count. `gate` is false if findings do not fail the run.
    pub(super) fn of(summary: &Summary, gate: bool, internal_errors: usize) -> Self {
        if gate && summary.failed > 0 {
            Self::Findings
        } else if internal_errors > 0 {
            Self::Internal
        } else if summary.untested > summary.waived {
            Self::Untested
        } else {
            Self::Passed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Passed => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Untested => 3,
            Exit::Internal => 4,
            // The status that shells give a program ended by SIGPIPE.
            Exit::Closed => 141,
            Exit::Plugin(state) => state as u8,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failed: usize, untested: usize, gate: bool, internal_errors: usize, expected: Exit) {
        let summary = Summary { failed, untested, ..Summary::default() };
        assert_eq!(Exit::of(&summary, gate, internal_errors), expected);
    }

    #[test]
    fn findings_count_more_than_what_could_not_be_tested() {
        check(0, 0, true, 0, Exit::Passed);
        check(1, 0, true, 0, Exit::Findings);
        check(1, 1, true, 1, Exit::Findings);
        check(0, 1, true, 0, Exit::Untested);
        check(0, 1, true, 1, Exit::Internal);
    }

    #[test]
    fn without_a_gate_only_what_is_unknown_counts() {
        check(1, 0, false, 0, Exit::Passed);
        check(1, 1, false, 0, Exit::Untested);
    }
}
