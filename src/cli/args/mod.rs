//! What can be typed. Nothing here has a meaning yet: `settings` resolves every default.

mod nginx;
mod saved;
mod source;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(in crate::cli) use self::saved::{DiffArgs, MergeArgs, MergeFormat};
use self::source::duration;
pub(in crate::cli) use self::source::{LimitArgs, SourceArgs, TargetArgs, TrustArgs};
use crate::cli::destination::{Destination, destination};
use crate::cli::gate::{FailOn, GateArgs};
use crate::cli::log::LogArgs;
use crate::cli::nginx::NginxArgs as NginxCommand;
use crate::cli::portion::PortionArgs;
use crate::report::Format;
use crate::run::FetchIssuers;
use crate::tls::profile::{Profile, select};

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
  shakedown probe --config targets.toml --format json   # what a file lists
  shakedown scan --clients all www.example.com          # who can connect
  shakedown nginx                                       # a whole configuration
  nginx -T | shakedown nginx - --diff                   # and what mends it
  shakedown log /var/log/nginx/error.log                # what to do first
  shakedown explain sni-required                        # what a finding means
  shakedown demo                                        # see it at work

Exit status:
  0  all was tested, and nothing reaches --fail-on
  1  a finding reaches it
  2  usage or configuration error; nothing was probed
  3  something could not be tested, and nothing found reaches --fail-on
  4  internal error
With --format nagios those of a plugin: 0 ok, 1 warning, 2 critical, 3 unknown.";

impl Args {
    /// Whether a monitoring system reads stdout and the exit status as those of a plugin.
    pub(in crate::cli) fn is_plugin(&self) -> bool {
        let report = match &self.command {
            Command::Probe(args) => &args.run.report,
            Command::Scan(args) => &args.probe.run.report,
            Command::Nginx(args) => &args.run.report,
            Command::Cert(args) => &args.report,
            _ => return false,
        };
        report.format == Format::Nagios
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Probe endpoints with and without SNI over TLS 1.2 and 1.3, and audit their certificates
    Probe(Box<ProbeArgs>),
    /// List what endpoints take: versions, suites, groups, schemes, known clients
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(Box<ScanArgs>),
    /// Audit every listener and upstream of an nginx configuration, and try what mends them
    Nginx(Box<NginxCommand>),
    /// Audit certificate files before they are deployed
    Cert(CertArgs),
    /// Compare two reports: what is new, what is gone, what changed, and whether it got worse
    Diff(DiffArgs),
    /// Audit again and again, and serve what is found to Prometheus
    Serve(Box<ServeArgs>),
    /// Put the shards of one run together
    Merge(MergeArgs),
    /// Read error and access logs: which failures matter, and what to do first
    Log(Box<LogArgs>),
    /// Explain a rule, an alert, an error code or a log line
    Explain(ExplainArgs),
    /// Audit misconfigured servers that are started for it on loopback
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

const PROBE_EXAMPLES: &str = "\
Examples:
  shakedown probe www.example.com mail.example.com:993
  # a local server under its public name, as curl --connect-to does
  shakedown probe www.example.com:443:127.0.0.1:8443
  shakedown probe --role upstream 10.0.0.5:8443 \\
      --server-name backend.internal --ca-file internal-ca.pem
  # as the location that proxies to it meets it
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
    /// Audit again each time that this long has passed, until the program is told to stop
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        conflicts_with = "resume",
        help_heading = "Fleet"
    )]
    pub(in crate::cli) interval: Option<Duration>,
}

/// How an audit runs, whatever its targets come from.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct RunArgs {
    /// Fetch the certificates of missing issuers from where certificates say they lie, and try the chain with them
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
    /// The severity from which a finding makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(in crate::cli) fail_on: FailOn,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
    #[command(flatten)]
    pub(in crate::cli) portion: PortionArgs,
    /// Tell of each target on stderr as soon as it is done
    #[arg(short, long, help_heading = "Report")]
    pub(in crate::cli) verbose: bool,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Report")]
pub(in crate::cli) struct ReportArgs {
    /// The form of the report
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: Format,
    /// Write the report to this file, whole or not at all, instead of stdout; FORMAT=FILE writes another form beside it
    /// (repeatable)
    #[arg(
        long,
        value_name = "[FORMAT=]FILE",
        value_parser = clap::builder::OsStringValueParser::new().try_map(destination)
    )]
    pub(in crate::cli) output: Vec<Destination>,
    /// The file that findings point at whose target stands in no file (SARIF, GitLab)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) sarif_anchor: Option<String>,
    /// Give metrics these names as well
    #[arg(long, value_enum, value_name = "NAMES")]
    pub(in crate::cli) metrics_compat: Option<MetricsArg>,
    /// List every certificate that was sent, and both verdicts over the chain
    #[arg(long)]
    pub(in crate::cli) show_chain: bool,
    /// Leave out of JSON and NDJSON when and how long: equal observations then give equal bytes
    #[arg(long)]
    pub(in crate::cli) omit_times: bool,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(in crate::cli) color: ColorArg,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  shakedown scan www.example.com
  # which clients can connect, which cannot, and why
  shakedown scan --clients all www.example.com
  shakedown scan --policy mozilla-intermediate www.example.com
  # gently, and for a script
  shakedown scan --rate 5 --format json 10.0.0.5:8443";

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ScanArgs {
    #[command(flatten)]
    pub(in crate::cli) probe: ProbeArgs,
    /// Replay known clients: all, modern, a family such as java, or names such as openssl-1.0.2 (comma-separated)
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',', value_parser = select, help_heading = "Targets")]
    pub(in crate::cli) clients: Vec<Vec<&'static Profile>>,
    /// Hold the scan against a policy: mozilla-modern, mozilla-intermediate, or a file
    #[arg(long, value_name = "POLICY", help_heading = "Targets")]
    pub(in crate::cli) policy: Option<String>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  # http://127.0.0.1:9219/metrics, anew every ten minutes
  shakedown serve --config targets.toml
  curl 'http://127.0.0.1:9219/probe?target=www.example.com'
  curl 'http://127.0.0.1:9219/probe?target=mail.example.com&module=smtp'

/probe is scraped as blackbox_exporter is. Its modules are listener, upstream, and the names of --starttls.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = SERVE_EXAMPLES)]
pub(in crate::cli) struct ServeArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
    /// Where to listen; whoever can connect there can have targets probed
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9219",
        help_heading = "Server"
    )]
    pub(in crate::cli) listen: SocketAddr,
    /// How long from one audit of the targets to the next
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m", help_heading = "Server")]
    pub(in crate::cli) interval: Duration,
    /// Let /probe look at targets that are not among the configured ones
    #[arg(long, help_heading = "Server")]
    pub(in crate::cli) any_target: bool,
    /// The severity from which a finding fails its target
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(in crate::cli) fail_on: FailOn,
    /// Severities by rule, and findings allowed until a day (see gate.example.toml)
    #[arg(long, value_name = "FILE", help_heading = "Gate")]
    pub(in crate::cli) gate: Option<PathBuf>,
}

const CERT_EXAMPLES: &str = "\
Examples:
  shakedown cert fullchain.pem --key privkey.pem --hostname www.example.com
  shakedown cert /etc/nginx/certs --ca-file internal-ca.pem
  shakedown cert fullchain.pem --at 2027-01-01  # as it will be on that day";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = CERT_EXAMPLES)]
pub(in crate::cli) struct CertArgs {
    /// PEM bundles, DER files, or folders of such
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// The private key that is to go with the certificate
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) key: Option<PathBuf>,
    /// A name that the certificate must cover (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) hostname: Vec<String>,
    /// Judge as of this time: 2026-12-31 or 2026-12-31T23:59:59Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    /// Report certificates this many days before they expire [default: 30, or a third of their lifetime]
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) warning_days: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    /// The severity from which a finding makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(in crate::cli) fail_on: FailOn,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  shakedown explain certificate-expired
  shakedown explain 112                          # an alert, or its name
  shakedown explain 0A000410                     # a code of OpenSSL
  shakedown explain X509_V_ERR_CERT_HAS_EXPIRED  # of verification; or 10
  tail -n1 /var/log/nginx/error.log | shakedown explain -";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(in crate::cli) struct ExplainArgs {
    /// A rule's id, an alert, an error code, a verification error, or a whole log line; `-` reads lines from stdin
    #[arg(value_name = "RULE|ALERT|CODE|LINE")]
    pub(in crate::cli) subject: Option<OsString>,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) format: PlainFormat,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct DemoArgs {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum MetricsArg {
    /// Those of blackbox_exporter: probe_success, probe_ssl_earliest_cert_expiry …
    Blackbox,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlainFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}
