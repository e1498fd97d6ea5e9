//! What the exporter counts of its own work.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::report::formats::prometheus::ExporterFigures;

/// The paths that are served. Any other is counted as one, so that clients cannot make series.
const PATHS: [&str; 5] = ["/", "/-/healthy", "/-/ready", "/metrics", "/probe"];

/// A request's path as it is counted.
pub(super) fn path(asked: &str) -> &'static str {
    PATHS.into_iter().find(|path| *path == asked).unwrap_or("other")
}

/// The figures so far.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<ExporterFigures>);

impl Counters {
    pub(super) fn count(&self, change: impl FnOnce(&mut ExporterFigures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn figures(&self) -> ExporterFigures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts an answer.
    pub(super) fn request(&self, path: &'static str, status: u16) {
        self.count(|figures| *figures.requests.entry((path, status)).or_default() += 1);
    }

    /// Counts a probe, from now until the result is dropped.
    pub(super) fn probe(&self) -> CountedProbe<'_> {
        self.count(|figures| figures.probes_running += 1);
        CountedProbe { counters: self, started: Instant::now(), is_complete: false }
    }
}

/// A probe that is running.
pub(super) struct CountedProbe<'c> {
    counters: &'c Counters,
    started: Instant,
    is_complete: bool,
}

impl CountedProbe<'_> {
    /// The probe has ended by itself, and not because its client has gone.
    pub(super) fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for CountedProbe<'_> {
    fn drop(&mut self) {
        self.counters.count(|figures| {
            figures.probes_running -= 1;
            figures.probes += 1;
            figures.probe_time += self.started.elapsed();
            figures.probes_cancelled += u64::from(!self.is_complete);
        });
    }
}
