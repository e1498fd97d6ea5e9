//! Options about time and load.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::targets::options::{DurationError, parse_duration};

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct LimitArgs {
    /// One deadline for connection, STARTTLS and handshake each; replaces the finer ones
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Deadline for looking up a name
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(in crate::cli) dns_timeout: Duration,
    /// Deadline for a TCP connection
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(in crate::cli) connect_timeout: Duration,
    /// Deadline for the dialogue before TLS
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(in crate::cli) starttls_timeout: Duration,
    /// Deadline for a TLS handshake
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(in crate::cli) handshake_timeout: Duration,
    /// How long to wait for what a server sends after a handshake: tickets, late alerts, an HTTP answer
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "500ms")]
    pub(in crate::cli) read_timeout: Duration,
    /// Stop the whole run after this long; what was not tested by then is reported as such
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) run_timeout: Option<Duration>,
    /// Connections at once, overall (never more than four to one address)
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) concurrency: u32,
    /// New connections a second to one address, at the most [default: no limit]
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
    text.parse().map_err(|_| "it must be a whole number from 1")
}

/// A duration as clap wants it read.
pub(super) fn duration(text: &str) -> Result<Duration, DurationError> {
    parse_duration(text)
}
