//! The arguments as typed. `settings` resolves every default. This module uses no other part of the command line.

mod as_nginx;
mod capture;
mod cert;
mod deferred;
mod fleet;
mod gate;
mod limits;
mod log;
mod nginx;
mod probe;
mod release;
mod replay;
mod report;
mod saved;
mod serve;
mod targets;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;

pub(in crate::cli) use self::capture::{CaptureArgs, CaptureFormat};
pub(in crate::cli) use self::cert::{CertArgs, Holder};
use self::deferred::Deferred;
pub(in crate::cli) use self::fleet::FleetArgs;
pub(in crate::cli) use self::gate::{FailOn, GateArgs};
pub(in crate::cli) use self::limits::LimitArgs;
pub(in crate::cli) use self::log::{LogArgs, LogFormat};
pub(in crate::cli) use self::nginx::{ConfigurationArgs, NginxArgs};
pub(in crate::cli) use self::probe::{ProbeArgs, RunArgs, ScanArgs, StandardArgs};
pub(in crate::cli) use self::release::ReleaseArgs;
pub(in crate::cli) use self::replay::ReplayArgs;
pub(in crate::cli) use self::report::{
    ColorArg, Framing, MetricsArg, OutputArgs, PlainFormat, ReportArgs, ReportFile,
};
pub(in crate::cli) use self::saved::{DiffArgs, MergeArgs, MergeFormat};
pub(in crate::cli) use self::serve::ServeArgs;
pub(in crate::cli) use self::targets::{SourceArgs, TargetArgs};

/// From an nginx `SSL_do_handshake() failed` line to a verified fix.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  shakedown probe www.example.com                       # a listener
  shakedown probe --role upstream api.example.com:8443  # an upstream of nginx
  shakedown probe --config targets.toml --format json   # the targets in a file
  shakedown scan --clients all www.example.com          # who can connect
  shakedown nginx                                       # a whole configuration
  nginx -T | shakedown nginx - --diff                   # and fixes as a patch
  shakedown log /var/log/nginx/error.log                # what to do first
  shakedown capture clients.pcap                        # who failed, and why
  shakedown explain sni-required                        # what a finding means
  shakedown demo                                        # try it out

Exit status:
  0  everything was tested, and no finding reaches --fail-on
  1  a finding reaches --fail-on
  2  usage or configuration error; nothing was probed
  3  something could not be tested, and no finding reaches --fail-on
  4  internal error
With --format nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.";

impl Args {
    /// Whether a monitoring system reads stdout and the exit status, as of a plugin.
    pub(in crate::cli) fn is_plugin(&self) -> bool {
        let report = match &self.command {
            Command::Probe(args) => &args.run.report,
            Command::Scan(args) => &args.probe.run.report,
            Command::Nginx(args) => &args.run.report,
            Command::Cert(args) => &args.report,
            Command::Replay(args) => &args.report,
            _ => return false,
        };
        report.format.is_plugin()
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Probe endpoints with and without SNI over TLS 1.2 and 1.3, and audit their certificates
    Probe(Deferred<ProbeArgs>),
    /// List what endpoints accept: versions, cipher suites, groups, signature schemes, client compatibility
    Scan(Deferred<ScanArgs>),
    /// Audit every listener and upstream of an nginx configuration, and try fixes
    Nginx(Deferred<NginxArgs>),
    /// Audit certificate files before deploying them
    Cert(Deferred<CertArgs>),
    /// Judge saved observations again, without the network
    Replay(Deferred<ReplayArgs>),
    /// Compare two reports: what is new, what is gone, what changed, and whether it got worse
    Diff(Deferred<DiffArgs>),
    /// Audit targets at an interval, and serve the results to Prometheus
    Serve(Deferred<ServeArgs>),
    /// Merge the shards of one run
    Merge(Deferred<MergeArgs>),
    /// Read error and access logs: which failures matter, and what to do first
    Log(Deferred<LogArgs>),
    /// Read packet captures: which handshakes failed, on whose side, and why
    Capture(Deferred<CaptureArgs>),
    /// Explain a rule, an alert, an error code or a log line
    Explain(Deferred<ExplainArgs>),
    /// Start misconfigured servers on loopback and audit them
    Demo(Deferred<DemoArgs>),
    /// Print completions for a shell
    Completions(Deferred<CompletionsArgs>),
    /// Print the manual page
    Man(Deferred<ManArgs>),
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  shakedown explain certificate-expired
  shakedown explain 112                          # an alert, or its name
  shakedown explain 0A000410                     # an OpenSSL error code
  shakedown explain X509_V_ERR_CERT_HAS_EXPIRED  # a verification error
  tail -n1 /var/log/nginx/error.log | shakedown explain -";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(in crate::cli) struct ExplainArgs {
    /// A rule's id, an alert, an error code, a verification error, or a whole log line; `-` reads lines from stdin
    #[arg(value_name = "RULE|ALERT|CODE|LINE")]
    pub(in crate::cli) subject: Option<OsString>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: PlainFormat,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DemoArgs {
    /// Keep the servers running after the report, so that its commands can be tried (stop with Ctrl-C)
    #[arg(long)]
    pub(in crate::cli) keep: bool,
    /// Write the packet capture of clients that cannot connect to this file, for shakedown capture
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_capture: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Example:\n  shakedown completions bash > /etc/bash_completion.d/shakedown")]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  shakedown man | man -l -\n  shakedown man --dir /usr/local/share/man/man1"
)]
pub(in crate::cli) struct ManArgs {
    /// Write one page for each subcommand into this folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
}
