//! The exit status: a contract with CI jobs and cron, the same in every format.

use std::process::ExitCode;

use crate::report::Summary;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every target was tested, and nothing reaches the threshold.
    Passed = 0,
    /// A finding reaches the threshold.
    Findings = 1,
    /// What was typed or configured is wrong; nothing was probed.
    Usage = 2,
    /// Something could not be tested, and no finding reaches the threshold.
    Untested = 3,
    /// This program failed.
    Internal = 4,
}

impl Exit {
    /// The status of a run. `gate` is false where findings are not to fail it.
    pub(super) fn of(summary: &Summary, gate: bool, internal_errors: usize) -> Self {
        if gate && summary.failed > 0 {
            Self::Findings
        } else if internal_errors > 0 {
            Self::Internal
        } else if summary.untested > 0 {
            Self::Untested
        } else {
            Self::Passed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
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
