//! Progress on stderr, for someone who watches.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::run::{Status, TargetReport};

/// A line that counts targets; invisible where stderr is no terminal or there is little to wait for.
pub(super) struct Progress {
    bar: ProgressBar,
    failed: usize,
}

impl Progress {
    pub(super) fn new(targets: usize) -> Self {
        let watched = targets > 1 && io::stderr().is_terminal();
        let target =
            if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(targets as u64), target);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} targets, {per_sec}, {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("0 failed");
        Self { bar, failed: 0 }
    }

    pub(super) fn count(&mut self, report: &TargetReport) {
        if report.status == Status::Fail {
            self.failed += 1;
            self.bar.set_message(format!("{} failed", self.failed));
        }
        self.bar.inc(1);
    }

    /// Takes the line away before the report is written.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
