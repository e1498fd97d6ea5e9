//! Options of `capture`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::report::OutputArgs;

const CAPTURE_EXAMPLES: &str = "\
Examples:
  tcpdump -i any -s 0 -w clients.pcap 'tcp port 443'
  shakedown capture clients.pcap                 # who failed, and why
  shakedown capture --only-failing --format json clients.pcap.gz
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
