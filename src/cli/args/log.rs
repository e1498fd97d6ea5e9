//! Options of `log`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::limits::LimitArgs;
use super::release::ReleaseArgs;
use super::report::OutputArgs;
use super::targets::TrustArgs;

const LOG_EXAMPLES: &str = "\
Examples:
  shakedown log /var/log/nginx/error.log*     # rotated and gzipped ones as well
  # and where failures and answers of 502 coincide
  shakedown log error.log access.log --since 2h
  shakedown log access.log --what-if TLSv1.3  # who would be refused
  shakedown log error.log --probe --nginx /etc/nginx/nginx.conf
  shakedown log --follow /var/log/nginx/error.log
  kubectl logs deploy/ingress | shakedown log -";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = LOG_EXAMPLES)]
pub(in crate::cli) struct LogArgs {
    /// Error logs and access logs, plain or gzipped, in any order; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Leave out older lines: 2h, 1d, 2026-12-31 or 2026-12-31T23:59, on the host's clock
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Keep reading and print failures as they are written; the report comes at the end
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
    /// The format of access lines, as in log_format [default: guessed]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) log_format: Option<String>,
    /// Read log_format and, with --probe, the directives of upstreams from this configuration
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) nginx: Option<PathBuf>,
    /// Audit the upstreams that failed as nginx connects to them, and try fixes
    #[arg(long)]
    pub(in crate::cli) probe: bool,
    /// With --probe, only make handshakes; do not repeat requests of the log
    #[arg(long, requires = "probe")]
    pub(in crate::cli) no_request: bool,
    /// Count the requests that these ssl_protocols would refuse
    #[arg(long, value_name = "VERSIONS")]
    pub(in crate::cli) what_if: Option<String>,
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: LogFormat,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    #[command(
        flatten,
        next_help_heading = "nginx, for --probe [default: the one on this machine]"
    )]
    pub(in crate::cli) release: ReleaseArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogFormat {
    /// Text for a terminal
    #[default]
    Table,
    /// One JSON document
    Json,
    /// For the textfile collector
    Prometheus,
}
