//! Options about targets, shared by several subcommands.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::as_nginx::AsNginxArgs;
use crate::targets::options::parse_alpn;
use crate::targets::redirect::Redirect;
use crate::targets::{Role, Roots, StartTls};

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct SourceArgs {
    /// HOST[:PORT], [IPV6]:PORT, https://HOST, unix:/PATH, NAME:PORT:CONNECT-HOST:CONNECT-PORT, NAME:PORT:unix:/PATH,
    /// NETWORK/BITS[:PORT]; `-` reads from stdin:
    /// a list, nmap's XML, masscan's JSON, or the JSON of Prometheus' file and HTTP service discovery
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// Read targets from this file (see targets.example.toml); options on the command line override it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Connect to these addresses for a host and a port, as curl does (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDRESS[,ADDRESS]", value_parser = Redirect::resolve, help_heading = "Targets")]
    pub(in crate::cli) resolve: Vec<Redirect>,
    /// Connect to HOST2 and PORT2 for HOST1 and PORT1, as curl does; an empty part is any, or the same (repeatable)
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", value_parser = Redirect::connect_to, help_heading = "Targets")]
    pub(in crate::cli) connect_to: Vec<Redirect>,
    /// Also probe the QUIC socket (HTTP/3) at the address and port of each target
    #[arg(long, conflicts_with_all = ["starttls", "as_nginx"], help_heading = "Targets")]
    pub(in crate::cli) quic: bool,
    #[command(flatten)]
    pub(in crate::cli) target: TargetArgs,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Targets")]
pub(in crate::cli) struct TargetArgs {
    /// Name to send as SNI and to verify [default: the target's host; none at a unix socket]
    #[arg(long, value_name = "NAME", alias = "servername")]
    pub(in crate::cli) server_name: Option<String>,
    /// Which side of nginx the targets are on
    #[arg(long, value_enum)]
    pub(in crate::cli) role: Option<RoleArg>,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) nginx: AsNginxArgs,
    /// Start in this plain-text protocol and upgrade to TLS; also sets the default port
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub(in crate::cli) starttls: Option<StartTls>,
    /// Send a PROXY protocol header first, as a load balancer does
    #[arg(long)]
    pub(in crate::cli) proxy_protocol: bool,
    /// Client certificate chain to present if the server asks for one, in PEM
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) client_cert: Option<PathBuf>,
    /// The key of --client-cert [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(in crate::cli) client_key: Option<PathBuf>,
    /// ALPN protocols to offer; the server must select one (comma-separated)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_alpn)]
    pub(in crate::cli) alpn: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) expiry: ExpiryArgs,
}

/// When the end of a certificate becomes a finding.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(in crate::cli) struct ExpiryArgs {
    /// Report certificates this many days before they expire [default: 30, or a third of their lifetime]
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) warning_days: Option<u32>,
    /// Report certificates as an error, not a warning, this many days before they expire [default: never]
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) critical_days: Option<u32>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct TrustArgs {
    /// Trust only the certificates in this file instead of the public roots
    #[arg(long, value_name = "FILE", conflicts_with = "trust")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Also trust the certificates in this file (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) add_ca_file: Vec<PathBuf>,
    /// Which public roots to trust [default: native]
    #[arg(long, value_enum)]
    pub(in crate::cli) trust: Option<RootsArg>,
}

impl TrustArgs {
    /// The base set of roots, if given.
    pub(in crate::cli) fn roots(&self) -> Option<Roots> {
        match (&self.ca_file, self.trust) {
            (Some(path), _) => Some(Roots::File(path.clone())),
            (None, Some(RootsArg::Native)) => Some(Roots::Native),
            (None, Some(RootsArg::Mozilla)) => Some(Roots::Mozilla),
            (None, None) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RoleArg {
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
pub(in crate::cli) enum RootsArg {
    /// The operating system's roots
    Native,
    /// Mozilla's roots, which are built in
    Mozilla,
}
