//! Whether files can be opened at all: below a handful, the parts that the program stands on fail without a word.

use std::os::unix::net::UnixStream;

use super::errors::UsageError;

/// Pairs of descriptors that must be free at the start: for signals, the runtime, a report and a first connection.
const NEEDED_PAIRS: usize = 6;

/// The limit that the advice names.
const ENOUGH: u64 = 1024;

/// Raises the soft limit as far as is needed, and tries.
pub(super) fn check() -> anyhow::Result<()> {
    let limit = rlimit::increase_nofile_limit(ENOUGH);
    let pairs: Result<Vec<_>, _> = (0..NEEDED_PAIRS).map(|_| UnixStream::pair()).collect();
    let Err(error) = pairs else { return Ok(()) };
    let limit = limit.map(|limit| format!(" (the limit is {limit})")).unwrap_or_default();
    Err(UsageError::new(
        format!("too few file descriptors to start{limit}: {error}"),
        format!("raise the limit: ulimit -n {ENOUGH}, or LimitNOFILE= in a unit"),
    ))
}
