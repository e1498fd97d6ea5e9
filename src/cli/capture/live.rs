//! A running summary of a stream, on standard error.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use time::macros::format_description;

use crate::capture::tally::{RunningCount, RunningTally};
use crate::cli::settings;
use crate::report::words::counted;

/// Classes that one line names.
const MAX_CLASSES: usize = 5;

type Stop = Arc<(Mutex<bool>, Condvar)>;

/// Says at each interval what was counted so far, until it is dropped.
pub(super) struct RunningSummary {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl RunningSummary {
    /// Begins.
    pub(super) fn start(interval: Duration, tally: RunningTally) -> Self {
        let stop = Stop::default();
        let known = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (stopped, signal) = &*known;
            let mut stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
            while !*stopped {
                let waited = signal.wait_timeout(stopped, interval);
                let (guard, result) = waited.unwrap_or_else(PoisonError::into_inner);
                stopped = guard;
                if result.timed_out() {
                    // If stderr is closed, the line is lost.
                    let _ = writeln!(anstream::stderr(), "{}", line(&tally.now()));
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for RunningSummary {
    fn drop(&mut self) {
        let (stopped, signal) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        signal.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(count: &RunningCount) -> String {
    let format = format_description!("[hour]:[minute]:[second]");
    let now = settings::now().format(&format).unwrap_or_default();
    let mut classes: Vec<_> = count.classes.iter().collect();
    classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let classes: Vec<String> =
        classes.iter().take(MAX_CLASSES).map(|(class, count)| format!("{class} {count}")).collect();
    let classes =
        if classes.is_empty() { String::new() } else { format!(" ({})", classes.join(", ")) };
    let all = count.established + count.failed + count.unclear;
    format!(
        "shakedown: {now} UTC, {}: {} succeeded, {} failed{classes}, {} unclear",
        counted(all, "handshake"),
        count.established,
        count.failed,
        count.unclear
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_most_frequent_classes_first() {
        let classes = [("alert-unknown-ca", 2), ("no-shared-cipher", 7)].into();
        let count = RunningCount { established: 3, failed: 9, unclear: 1, classes };
        let line = line(&count);
        let expected = "13 handshakes: 3 succeeded, 9 failed (no-shared-cipher 7, alert-unknown-ca 2), 1 unclear";
        assert!(line.ends_with(expected), "{line}");
    }
}
