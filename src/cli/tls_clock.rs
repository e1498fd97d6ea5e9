//! The clock of TLS servers. Before 1970 there is no time in TLS; rustls's own clock panics there.

use std::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::settings;

/// The machine's clock, from 1970 on.
#[derive(Debug)]
pub(super) struct TlsClock;

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(settings::now().unix_timestamp()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
