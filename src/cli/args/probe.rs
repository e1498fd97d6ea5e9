//! Options of `probe` and `scan`, and those of every audit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use super::fleet::FleetArgs;
use super::gate::GateArgs;
use super::limits::{LimitArgs, duration};
use super::report::ReportArgs;
use super::targets::SourceArgs;
use crate::run::FetchIssuers;
use crate::targets::clients::{self, ClientsError};
use crate::tls::profile::Profile;

const PROBE_EXAMPLES: &str = "\
Examples:
  shakedown probe www.example.com mail.example.com:993
  # a local server under its public name, as curl --connect-to does
  shakedown probe www.example.com:443:127.0.0.1:8443
  shakedown probe --role upstream 10.0.0.5:8443 \\
      --server-name backend.internal --ca-file internal-ca.pem
  # as nginx connects to it from a location
  shakedown probe --as-nginx 10.0.0.5:8443 --proxy-pass backend
  shakedown probe --starttls smtp mail.example.com
  shakedown probe - --format ndjson --output audit.ndjson < hosts.txt
  shakedown probe --config targets.toml --output sarif=tls.sarif
  # from cron
  shakedown probe --config targets.toml --quiet --baseline baseline.json";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = PROBE_EXAMPLES)]
pub(in crate::cli) struct ProbeArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
    /// Repeat the audit at this interval until the program is stopped
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        conflicts_with = "resume",
        help_heading = "Fleet"
    )]
    pub(in crate::cli) interval: Option<Duration>,
    /// Repeat the audit at this interval and redraw the table on the terminal, until the program is stopped
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5s",
        conflicts_with_all = ["interval", "resume", "quiet"],
        help_heading = "Fleet"
    )]
    pub(in crate::cli) watch: Option<Duration>,
}

/// Options of an audit, whatever the source of its targets.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct RunArgs {
    /// Fetch missing issuer certificates from the URLs that certificates name, and try the chain with them
    #[arg(
        long,
        value_enum,
        value_name = "FROM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "public",
        help_heading = "Targets"
    )]
    pub(in crate::cli) fetch_issuers: Option<FetchArg>,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
    #[command(flatten)]
    pub(in crate::cli) fleet: FleetArgs,
    /// Save what servers answered to this file, for `shakedown replay`
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(in crate::cli) save_observations: Option<PathBuf>,
    /// Report each target on stderr as soon as it is done, and how many connections were opened
    #[arg(short, long, help_heading = "Report")]
    pub(in crate::cli) verbose: bool,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  shakedown scan www.example.com
  # which clients can connect, which cannot, and why
  shakedown scan --clients all www.example.com
  shakedown scan --policy mozilla-intermediate www.example.com
  # with less load, as JSON for a script
  shakedown scan --rate 5 --format json 10.0.0.5:8443";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = SCAN_EXAMPLES)]
pub(in crate::cli) struct ScanArgs {
    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,
    #[command(flatten)]
    pub(in crate::cli) standard: StandardArgs,
    /// Scan MySQL and MariaDB servers too, although each hello counts as an error there and too many lock this machine out
    #[arg(long, help_heading = "Limits")]
    pub(in crate::cli) risk_lockout: bool,
}

/// What servers are compared with.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct StandardArgs {
    /// Test known clients: all, modern, a family such as java, names such as openssl-1.0.2, or a file of capture
    /// --write-clients (comma-separated)
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',', value_parser = select, help_heading = "Targets")]
    pub(in crate::cli) clients: Vec<Vec<&'static Profile>>,
    /// Check what a scan finds against a policy: mozilla-modern, mozilla-intermediate, or a file
    #[arg(long, value_name = "POLICY", help_heading = "Targets")]
    pub(in crate::cli) policy: Option<String>,
}

/// Files are relative to the current folder.
fn select(word: &str) -> Result<Vec<&'static Profile>, ClientsError> {
    clients::select(word, Path::new(""))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FetchArg {
    /// From public addresses only
    Public,
    /// From private networks as well
    Anywhere,
}

impl From<FetchArg> for FetchIssuers {
    fn from(from: FetchArg) -> Self {
        match from {
            FetchArg::Public => Self::Public,
            FetchArg::Anywhere => Self::Anywhere,
        }
    }
}
