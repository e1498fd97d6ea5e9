//! Options of `capture`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::release::ReleaseArgs;
use super::report::OutputArgs;

const CAPTURE_EXAMPLES: &str = "\
Examples:
  tcpdump -i any -s 0 -w clients.pcap 'tcp port 443'
  shakedown capture clients.pcap                 # who failed, and why
  shakedown capture --only-failing --format json clients.pcap.gz
  # and which directive of nginx decides
  shakedown capture --nginx /etc/nginx/nginx.conf clients.pcap
  # the clients that failed, to be tried against the server and against a change of its configuration
  shakedown capture clients.pcap --write-clients failing.toml
  shakedown scan --clients failing.toml www.example.com
  shakedown nginx site/nginx.conf --rehearse --clients failing.toml
  tcpdump -i any -s 0 -U -w - 'tcp port 443' | shakedown capture -";

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
    #[command(flatten, next_help_heading = "nginx, for --nginx")]
    pub(in crate::cli) release: ReleaseArgs,
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
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CaptureFormat {
    /// Text for a terminal
    #[default]
    Table,
    /// One JSON document
    Json,
}
