//! The clock of TLS sessions. It counts from its first use, and not from 1970, so it goes on whatever becomes of the
//! machine's clock. Nothing is verified with it: certificates are judged at the time that the run was given.

use std::sync::LazyLock;
use std::time::Instant;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Tells the age of sessions.
#[derive(Debug)]
pub(super) struct SessionClock;

impl TimeProvider for SessionClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(START.elapsed()))
    }
}
