//! The last reload of a running nginx, if it failed: nginx goes on as before, and says so only in its error log.
//!
//! The log has whole seconds. What it says of the second in which the workers were started may be from before that or
//! from after it. Then the order of the lines decides, if the log has one about the start of the workers; otherwise
//! nothing is concluded.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::cli::installed::{Master, StartTime};
use crate::cli::settings;
use crate::log::line;
use crate::nginx::facts::{FactKind, Unloaded};
use crate::nginx::tree::{Directive, Tree};

/// How much of the end of an error log is read, in bytes.
const LOG_TAIL: u64 = 1024 * 1024;

/// What the error logs say about it. Only the master's own messages count: `nginx -t` and `nginx -s` write theirs with
/// another process id.
pub(super) fn fact(
    master: &Master,
    tree: &Tree,
    (worker, loaded): (u32, StartTime),
    path: impl Fn(&str) -> PathBuf,
) -> Option<FactKind> {
    let offset = Duration::seconds(settings::local_offset(loaded.earliest));
    let named = tree.directives.iter().filter(|one| one.name == "error_log");
    let mut logs: Vec<&str> = named.map(Directive::first).collect();
    if logs.is_empty() {
        logs.push(built_in_log(master));
    }
    let history = WorkerHistory { master: master.pid, worker, loaded, offset };
    logs.into_iter().map(|log| master.full_name(log)).find_map(|log| {
        let failure = history.last_failure(&tail(&path(&log))?)?;
        let at = text(failure.at);
        let seen = format!("logged at {at} by master process {} in {log}", master.pid);
        let words = failure.words;
        Some(if failure.is_after {
            FactKind::NotRunning(Unloaded::Reload { words, seen })
        } else {
            let reason = format!(
                "a reload of nginx failed ({words}) in the same second as one that worked, and which was the last is not \
                 known; reload it again"
            );
            FactKind::Untested { reason }
        })
    })
}

/// What is known about a master and its workers.
struct WorkerHistory {
    master: u32,
    /// The oldest worker that accepts connections; the master itself if it has none.
    worker: u32,
    /// When that was started.
    loaded: StartTime,
    /// The time zone of the log.
    offset: Duration,
}

/// A message about a reload that failed.
#[derive(Debug, PartialEq, Eq)]
struct FailedReload {
    words: String,
    at: OffsetDateTime,
    /// Whether it is certainly later than the start of the workers.
    is_after: bool,
}

impl WorkerHistory {
    /// The last one in a log that is not certainly older than the workers.
    fn last_failure(&self, log: &[u8]) -> Option<FailedReload> {
        let start = format!("start worker process {}", self.worker);
        let mut last: Option<FailedReload> = None;
        for bytes in log.split(|byte| *byte == b'\n').rev() {
            let line = line::parse(bytes);
            if line.pid != Some(self.master.into()) {
                continue;
            }
            if line.level == Some("notice") && *line.message == *start.as_bytes() {
                return last.map(|failure| FailedReload { is_after: true, ..failure });
            }
            if line.level != Some("emerg") || last.is_some() {
                continue;
            }
            let Some(at) = line.time.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
            else {
                continue;
            };
            let at = at - self.offset;
            if at + Duration::SECOND <= self.loaded.earliest {
                return None;
            }
            let words = String::from_utf8_lossy(&line.message).into_owned();
            last = Some(FailedReload { words, at, is_after: at >= self.loaded.latest });
        }
        last
    }
}

/// A moment, to the second.
pub(super) fn text(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// The log of a configuration without `error_log`.
fn built_in_log(master: &Master) -> &str {
    let built = master.build.as_ref().and_then(|build| build.argument("--error-log-path"));
    built.unwrap_or("logs/error.log")
}

/// The end of a file.
#[expect(clippy::disallowed_methods, reason = "the error log is named by the configuration")]
fn tail(path: &Path) -> Option<Vec<u8>> {
    // Who opens a pipe waits for who writes to it.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut file = fs::File::open(path).ok()?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const EMERG: &str = "[emerg] 7#7: unknown directive \"x\" in /etc/nginx/nginx.conf:1\n";
    const STARTED: &str = "[notice] 7#7: start worker process 9\n";

    /// Whether the last failure in this log is later than worker 9, which was started between 12:00:05.2 and 12:00:05.4.
    fn is_after(log: &[(u8, &str)]) -> Option<bool> {
        let history = WorkerHistory {
            master: 7,
            worker: 9,
            loaded: StartTime {
                earliest: datetime!(2026-06-15 12:00:05.2 UTC),
                latest: datetime!(2026-06-15 12:00:05.4 UTC),
            },
            offset: Duration::ZERO,
        };
        let line = |(second, text): &(u8, &str)| format!("2026/06/15 12:00:{second:02} {text}");
        let log: String = log.iter().map(line).collect();
        history.last_failure(log.as_bytes()).map(|failure| failure.is_after)
    }

    #[test]
    fn another_second_decides() {
        assert_eq!(is_after(&[(4, EMERG)]), None);
        assert_eq!(is_after(&[(6, EMERG)]), Some(true));
        assert_eq!(is_after(&[(4, EMERG), (6, EMERG)]), Some(true));
    }

    #[test]
    fn in_the_second_of_the_start_the_order_of_the_lines_decides() {
        assert_eq!(is_after(&[(5, EMERG)]), Some(false));
        assert_eq!(is_after(&[(5, EMERG), (5, STARTED)]), None);
        assert_eq!(is_after(&[(5, STARTED), (5, EMERG)]), Some(true));
        assert_eq!(is_after(&[(5, EMERG), (5, STARTED), (5, EMERG)]), Some(true));
        assert_eq!(is_after(&[(5, &STARTED.replace('9', "8")), (5, EMERG)]), Some(false));
    }

    #[test]
    fn a_log_that_is_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("log");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(tail(&pipe), None);
    }

    #[test]
    fn messages_of_other_processes_do_not_count() {
        assert_eq!(is_after(&[(6, &EMERG.replace("7#7", "8#8"))]), None);
        assert_eq!(is_after(&[(6, "[error] 7#7: x\n"), (6, "\n")]), None);
    }
}
