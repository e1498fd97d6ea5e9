//! Options of `capture`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use super::limits::duration;
use super::release::ReleaseArgs;
use super::report::OutputArgs;
use super::targets::TrustArgs;
use crate::capture::filter::AddressBlock;

const CAPTURE_EXAMPLES: &str = "\
Examples:
  tcpdump -i any -s 0 -w clients.pcap 'tcp port 443'
  shakedown capture clients.pcap                 # who failed, and why
  shakedown capture --only-failing --format json clients.pcap.gz
  # and which directive of nginx decides
  shakedown capture --nginx /etc/nginx/nginx.conf clients.pcap
  # what TLS 1.3 encrypts is read with the secrets that a client or the server wrote
  shakedown capture --keylog keys.log clients.pcap
  # the clients that failed, to be tried against the server and against a change of its configuration
  shakedown capture clients.pcap --write-clients failing.toml
  shakedown scan --clients failing.toml www.example.com
  shakedown nginx site/nginx.conf --rehearse --clients failing.toml
  tcpdump -i any -s 0 -U -w - 'tcp port 443' | shakedown capture - --interval 10s
  # a small file without addresses for a ticket
  shakedown capture clients.pcap --anonymize --write-failing ticket.pcapng";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = CAPTURE_EXAMPLES)]
pub(in crate::cli) struct CaptureArgs {
    /// Captures as pcap or pcapng, plain or gzipped; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// List only the handshakes that did not succeed
    #[arg(long)]
    pub(in crate::cli) only_failing: bool,
    /// Judge failures by this configuration of the servers: nginx.conf, its folder, or a dump of nginx -T
    #[arg(long, value_name = "CONFIG")]
    pub(in crate::cli) nginx: Option<PathBuf>,
    /// Decrypt handshakes with the secrets in this file, as programs write them to SSLKEYLOGFILE; of data nothing is shown
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) keylog: Option<PathBuf>,
    /// Count only handshakes for this name; *.example.com stands for all below it (repeatable)
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    pub(in crate::cli) server_name: Vec<String>,
    /// Count only handshakes from or with this address, such as 192.0.2.1 or 192.0.2.0/24 (repeatable)
    #[arg(long, value_name = "ADDRESS", help_heading = "Filters")]
    pub(in crate::cli) address: Vec<AddressBlock>,
    /// Leave out what began before: 2h, 1d, 2026-12-31 or 2026-12-31T23:59, in UTC as in the report
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub(in crate::cli) since: Option<String>,
    /// Leave out what began at that time or later
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub(in crate::cli) until: Option<String>,
    /// Write placeholders instead of addresses, in every output
    #[arg(long)]
    pub(in crate::cli) anonymize: bool,
    /// Say on stderr at this interval what was counted so far, for a capture that is still being made
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) interval: Option<Duration>,
    /// Write the packets of the handshakes that failed to this pcapng file, for a ticket; requests of plain HTTP and passwords
    /// are masked
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_failing: Option<PathBuf>,
    /// Write the clients that failed to this file: scan, nginx and expect.clients send their hellos again
    #[arg(long, value_name = "FILE", help_heading = "Clients")]
    pub(in crate::cli) write_clients: Option<PathBuf>,
    /// Write the clients that did not fail as well
    #[arg(long, requires = "write_clients", help_heading = "Clients")]
    pub(in crate::cli) all_clients: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: CaptureFormat,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    // A heading holds for all that follows.
    #[command(flatten, next_help_heading = "Roots of the clients, for chains that they refuse")]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten, next_help_heading = "nginx, for --nginx")]
    pub(in crate::cli) release: ReleaseArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CaptureFormat {
    /// Text for a terminal
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line, for each handshake
    Ndjson,
    /// For the textfile collector
    Prometheus,
    /// One page
    Html,
}
