//! Options about time and load.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::targets::options::{DurationError, parse_duration};

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct LimitArgs {
    /// Timeout of each connection, STARTTLS dialogue and handshake; replaces the three below
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Timeout of a DNS lookup
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(in crate::cli) dns_timeout: Duration,
    /// Timeout of a TCP connection
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(in crate::cli) connect_timeout: Duration,
    /// Timeout of the STARTTLS dialogue
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(in crate::cli) starttls_timeout: Duration,
    /// Timeout of a TLS handshake
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(in crate::cli) handshake_timeout: Duration,
    /// How long to wait for what a server sends after a handshake: session tickets, alerts, an HTTP response
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "500ms")]
    pub(in crate::cli) read_timeout: Duration,
    /// Stop the run after this long; targets not tested by then are reported as untested
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) run_timeout: Option<Duration>,
    /// Concurrent connections overall (never more than four to one address)
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) concurrency: u32,
    /// New connections per second to one address [default: no limit]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(in crate::cli) rate: Option<NonZeroU32>,
    /// Audit IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(in crate::cli) ipv4: bool,
    /// Audit IPv6 addresses only
    #[arg(short = '6', long)]
    pub(in crate::cli) ipv6: bool,
}

fn rate(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "expected a whole number of at least 1")
}

/// Parses a duration for clap.
pub(super) fn duration(text: &str) -> Result<Duration, DurationError> {
    parse_duration(text)
}
