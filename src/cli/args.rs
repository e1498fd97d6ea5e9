//! What can be typed. Nothing here has a meaning yet: `settings` resolves every default.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::destination::{Destination, destination};
use super::gate::{FailOn, GateArgs};
use super::log::LogArgs;
use super::nginx::NginxArgs as NginxCommand;
use super::portion::PortionArgs;
use crate::nginx::defaults::Version;
use crate::report::Format;
use crate::run::FetchIssuers;
use crate::target::nginx_client::Library;
use crate::target::options::{DurationError, parse_alpn, parse_duration};
use crate::target::proxy_ssl::ProxySsl;
use crate::target::{Role, Roots, StartTls};
use crate::tls::profile::{Profile, select};
use crate::tls::version::ProtocolVersion;

/// From an nginx `SSL_do_handshake() failed` line to a verified fix.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  shakedown probe www.example.com                       audit a listener
  shakedown probe --role upstream api.example.com:8443  audit an upstream of nginx
  shakedown probe --config targets.toml --format json   audit what a file lists
  shakedown scan --clients all www.example.com          what it speaks, and who can connect
  nginx -T | shakedown nginx - --diff                   audit a configuration, and try what mends it
  shakedown explain sni-required                        what a finding means
  shakedown log /var/log/nginx/error.log                which failures matter, and what to do first
  shakedown demo                                        see it at work on misconfigured servers

Exit status: 0 all tested, nothing found; 1 findings (see --fail-on); 2 usage or configuration error, nothing was
probed; 3 something could not be tested; 4 internal error. With --format nagios those of a plugin: 0 ok, 1 warning,
2 critical, 3 unknown.";

impl Args {
    /// Whether a monitoring system reads stdout and the exit status as those of a plugin.
    pub(super) fn is_plugin(&self) -> bool {
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
pub(super) enum Command {
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
  shakedown probe --role upstream --ca-file internal-ca.pem 10.0.0.5:8443 --server-name backend.internal
  shakedown probe www.example.com:443:127.0.0.1:8443    connect to a local server, as curl --connect-to does
  shakedown probe --as-nginx --ca-file internal-ca.pem 10.0.0.5:8443 --proxy-pass backend
  shakedown probe --starttls smtp mail.example.com
  grep -v staging hosts.txt | shakedown probe - --format ndjson --output audit.ndjson
  shakedown probe --config targets.toml --output sarif=tls.sarif --output junit=tls.xml
  shakedown probe --config targets.toml --quiet --gate gate.toml --baseline baseline.json    for cron";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = PROBE_EXAMPLES)]
pub(super) struct ProbeArgs {
    /// HOST[:PORT], [IPV6]:PORT, https://HOST, NAME:PORT:CONNECT-HOST:CONNECT-PORT; `-` reads such lines from stdin
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Read targets from this file (see targets.example.toml); options typed here win over what it says
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// How an audit runs, whatever its targets come from.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct RunArgs {
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
    pub(super) fetch_issuers: Option<FetchArg>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    /// The severity from which a finding makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(super) fail_on: FailOn,
    #[command(flatten)]
    pub(super) gate: GateArgs,
    #[command(flatten)]
    pub(super) portion: PortionArgs,
    /// Tell of each target on stderr as soon as it is done
    #[arg(short, long, help_heading = "Report")]
    pub(super) verbose: bool,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Targets")]
pub(super) struct TargetArgs {
    /// The name to send as SNI and to verify, where it is not the target's host
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
    /// Which side of nginx the targets are on
    #[arg(long, value_enum)]
    pub(super) role: Option<RoleArg>,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) nginx: NginxArgs,
    /// Upgrade from this plain-text protocol first; it also sets the default port
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub(super) starttls: Option<StartTls>,
    /// The certificate chain to present when the server asks for one, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) client_cert: Option<PathBuf>,
    /// The key of --client-cert [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
    /// ALPN protocols to offer, one of which must be chosen (comma-separated)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_alpn)]
    pub(super) alpn: Vec<String>,
    /// Report certificates this many days before they expire [default: 30, or a third of their lifetime]
    #[arg(long, value_name = "DAYS")]
    pub(super) warning_days: Option<u32>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct TrustArgs {
    /// Trust only the certificates of this file, instead of public roots
    #[arg(long, value_name = "FILE", conflicts_with = "trust")]
    pub(super) ca_file: Option<PathBuf>,
    /// Trust the certificates of this file as well (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) add_ca_file: Vec<PathBuf>,
    /// Which public roots to trust [default: native]
    #[arg(long, value_enum)]
    pub(super) trust: Option<RootsArg>,
}

impl TrustArgs {
    /// The base set of roots, where one was named.
    pub(super) fn roots(&self) -> Option<Roots> {
        match (&self.ca_file, self.trust) {
            (Some(path), _) => Some(Roots::File(path.clone())),
            (None, Some(RootsArg::Native)) => Some(Roots::Native),
            (None, Some(RootsArg::Mozilla)) => Some(Roots::Mozilla),
            (None, None) => None,
        }
    }
}

/// nginx as the client of the targets.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "As nginx")]
pub(super) struct NginxArgs {
    /// Make the handshake as nginx would, with the directives below, say what it would log, and try what mends it
    #[arg(long)]
    pub(super) as_nginx: bool,
    /// The host in proxy_pass, where it is not the target's: the name of an upstream block
    #[arg(long, value_name = "HOST", requires = "as_nginx")]
    pub(super) proxy_pass: Option<String>,
    #[arg(long, value_name = "on|off", requires = "as_nginx", value_parser = switch)]
    pub(super) proxy_ssl_server_name: Option<bool>,
    #[arg(long, value_name = "NAME", requires = "as_nginx")]
    pub(super) proxy_ssl_name: Option<String>,
    /// Such as "TLSv1.2 TLSv1.3"
    #[arg(long, value_name = "VERSIONS", requires = "as_nginx", value_delimiter = ' ')]
    pub(super) proxy_ssl_protocols: Vec<ProtocolVersion>,
    #[arg(long, value_name = "LIST", requires = "as_nginx")]
    pub(super) proxy_ssl_ciphers: Option<String>,
    #[arg(long, value_name = "on|off", requires = "as_nginx", value_parser = switch)]
    pub(super) proxy_ssl_verify: Option<bool>,
    #[arg(long, value_name = "NUMBER", requires = "as_nginx")]
    pub(super) proxy_ssl_verify_depth: Option<usize>,
    #[arg(long, value_name = "FILE", requires = "as_nginx")]
    pub(super) proxy_ssl_trusted_certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "as_nginx")]
    pub(super) proxy_ssl_crl: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "as_nginx")]
    pub(super) proxy_ssl_certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "as_nginx")]
    pub(super) proxy_ssl_certificate_key: Option<PathBuf>,
    /// nginx's release, which decides about defaults [default: a current one]
    #[arg(long, value_name = "VERSION", requires = "as_nginx")]
    pub(super) nginx_version: Option<Version>,
    /// The OpenSSL that nginx runs with [default: what is usual for its release]
    #[arg(long, value_name = "VERSION", requires = "as_nginx")]
    pub(super) openssl_version: Option<Library>,
}

impl NginxArgs {
    /// The directives, where nginx's handshake is wanted.
    pub(super) fn proxy_ssl(&self) -> Option<ProxySsl> {
        let protocols = &self.proxy_ssl_protocols;
        self.as_nginx.then(|| ProxySsl {
            pass: self.proxy_pass.clone(),
            server_name: self.proxy_ssl_server_name,
            name: self.proxy_ssl_name.clone(),
            protocols: (!protocols.is_empty()).then(|| protocols.clone()),
            ciphers: self.proxy_ssl_ciphers.clone(),
            verify: self.proxy_ssl_verify,
            verify_depth: self.proxy_ssl_verify_depth,
            trusted_certificate: self.proxy_ssl_trusted_certificate.clone(),
            crl: self.proxy_ssl_crl.clone(),
            certificate: self.proxy_ssl_certificate.clone(),
            certificate_key: self.proxy_ssl_certificate_key.clone(),
            version: self.nginx_version,
            library: self.openssl_version,
        })
    }
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// One deadline for connection, STARTTLS and handshake each; replaces the finer ones
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Deadline for looking up a name
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(super) dns_timeout: Duration,
    /// Deadline for a TCP connection
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    pub(super) connect_timeout: Duration,
    /// Deadline for the dialogue before TLS
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(super) starttls_timeout: Duration,
    /// Deadline for a TLS handshake
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub(super) handshake_timeout: Duration,
    /// How long to wait for what a server sends after a handshake: tickets, late alerts, an HTTP answer
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "500ms")]
    pub(super) read_timeout: Duration,
    /// Stop the whole run after this long; what was not tested by then is reported as such
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) run_timeout: Option<Duration>,
    /// Connections at once, overall (never more than four to one address)
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) concurrency: u32,
    /// New connections a second to one address, at the most [default: no limit]
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<NonZeroU32>,
    /// Audit IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(super) ipv4: bool,
    /// Audit IPv6 addresses only
    #[arg(short = '6', long)]
    pub(super) ipv6: bool,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Report")]
pub(super) struct ReportArgs {
    /// The form of the report
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// Write the report to this file, whole or not at all, instead of stdout; FORMAT=FILE writes another form beside it
    /// (repeatable)
    #[arg(
        long,
        value_name = "[FORMAT=]FILE",
        value_parser = clap::builder::OsStringValueParser::new().try_map(destination)
    )]
    pub(super) output: Vec<Destination>,
    /// The file that findings point at whose target stands in no file (SARIF, GitLab)
    #[arg(long, value_name = "FILE")]
    pub(super) sarif_anchor: Option<String>,
    /// Give metrics these names as well
    #[arg(long, value_enum, value_name = "NAMES")]
    pub(super) metrics_compat: Option<MetricsArg>,
    /// List every certificate that was sent, and both verdicts over the chain
    #[arg(long)]
    pub(super) show_chain: bool,
    /// Leave out of JSON and NDJSON when and how long: equal observations then give equal bytes
    #[arg(long)]
    pub(super) omit_times: bool,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(super) color: ColorArg,
}

const SCAN_EXAMPLES: &str = "\
Examples:
  shakedown scan www.example.com
  shakedown scan --clients all www.example.com          which clients can connect, which cannot, and why
  shakedown scan --policy mozilla-intermediate www.example.com
  shakedown scan --rate 5 --format json 10.0.0.5:8443   gently, and for a script";

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    pub(super) probe: ProbeArgs,
    /// Replay known clients: all, modern, a family such as java, or names such as openssl-1.0.2 (comma-separated)
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',', value_parser = select, help_heading = "Targets")]
    pub(super) clients: Vec<Vec<&'static Profile>>,
    /// Hold the scan against a policy: mozilla-modern, mozilla-intermediate, or a file
    #[arg(long, value_name = "POLICY", help_heading = "Targets")]
    pub(super) policy: Option<String>,
}

const CERT_EXAMPLES: &str = "\
Examples:
  shakedown cert fullchain.pem --key privkey.pem --hostname www.example.com
  shakedown cert /etc/nginx/certs --ca-file internal-ca.pem
  shakedown cert fullchain.pem --at 2027-01-01          as it will be on that day";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = CERT_EXAMPLES)]
pub(super) struct CertArgs {
    /// PEM bundles, DER files, or folders of such
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// The private key that is to go with the certificate
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// A name that the certificate must cover (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) hostname: Vec<String>,
    /// Judge as of this time: 2026-12-31 or 2026-12-31T23:59:59Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// Report certificates this many days before they expire [default: 30, or a third of their lifetime]
    #[arg(long, value_name = "DAYS")]
    pub(super) warning_days: Option<u32>,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) report: ReportArgs,
    /// The severity from which a finding makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(super) fail_on: FailOn,
    #[command(flatten)]
    pub(super) gate: GateArgs,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  shakedown diff known-good.json now.json               before a deployment; exit status 1 where something got worse
  shakedown diff yesterday.ndjson today.ndjson          from cron, which sends no mail where nothing changed

Worse is a result, a new finding of --fail-on or above, a version that is no longer spoken, an earlier expiry.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = DIFF_EXAMPLES)]
pub(super) struct DiffArgs {
    /// The report of the earlier run, in JSON or NDJSON
    pub(super) old: PathBuf,
    /// The report of the later run
    pub(super) new: PathBuf,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: PlainFormat,
    /// The severity from which a new finding is for the worse
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(super) fail_on: FailOn,
}

const MERGE_EXAMPLES: &str = "\
Example:
  shakedown probe --config targets.toml --shard 1/2 --resume 1.ndjson    on one machine
  shakedown probe --config targets.toml --shard 2/2 --resume 2.ndjson    on another
  shakedown merge 1.ndjson 2.ndjson > report.json

The exit status is that of one run over all targets; a shard that is missing or unfinished is named, with status 2.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = MERGE_EXAMPLES)]
pub(super) struct MergeArgs {
    /// The NDJSON files that the shards wrote, in any order
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: MergeFormat,
    /// Write the report to this file, whole or not at all, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum MergeFormat {
    /// One JSON document, as probe writes it
    #[default]
    Json,
    /// One JSON object a line, in input order
    Ndjson,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  shakedown explain certificate-expired
  shakedown explain 112                                 an alert; or unrecognized_name
  shakedown explain 0A000410                            a code of OpenSSL
  shakedown explain X509_V_ERR_CERT_HAS_EXPIRED         a result of verification; or 10
  tail -n1 /var/log/nginx/error.log | shakedown explain -";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(super) struct ExplainArgs {
    /// A rule's id, an alert, an error code, a verification error, or a whole log line; `-` reads lines from stdin
    #[arg(value_name = "RULE|ALERT|CODE|LINE")]
    pub(super) subject: Option<OsString>,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: PlainFormat,
}

#[derive(Clone, Debug, ClapArgs)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    pub(super) report: ReportArgs,
    #[command(flatten)]
    pub(super) gate: GateArgs,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "Example:\n  shakedown completions bash > /etc/bash_completion.d/shakedown")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  shakedown man | man -l -\n  shakedown man --dir /usr/local/share/man/man1"
)]
pub(super) struct ManArgs {
    /// Write one page for each subcommand into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RoleArg {
    /// Clients of every kind connect to it
    Listener,
    /// nginx connects to it as a proxy
    Upstream,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Listener => Self::Listener,
            RoleArg::Upstream => Self::Upstream,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FetchArg {
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
pub(super) enum RootsArg {
    /// The operating system's roots
    Native,
    /// Mozilla's roots, as compiled in
    Mozilla,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MetricsArg {
    /// Those of blackbox_exporter: probe_success, probe_ssl_earliest_cert_expiry …
    Blackbox,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PlainFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it must be \"on\" or \"off\""),
    }
}

fn duration(text: &str) -> Result<Duration, DurationError> {
    parse_duration(text)
}
