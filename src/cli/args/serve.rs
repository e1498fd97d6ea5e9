//! Options of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::gate::FailOn;
use super::limits::{LimitArgs, duration};
use super::targets::SourceArgs;

const SERVE_EXAMPLES: &str = "\
Examples:
  # http://127.0.0.1:9219/metrics, updated every ten minutes
  shakedown serve --config targets.toml
  curl 'http://127.0.0.1:9219/probe?target=www.example.com'
  curl 'http://127.0.0.1:9219/probe?target=mail.example.com&module=smtp'

/probe is scraped as blackbox_exporter is. Its modules are listener, upstream, and the names of --starttls.
/-/healthy says that it runs, /-/ready that the first audit is done. SIGHUP has the files read again and the targets
audited at once. An example of --web-config is contrib/prometheus/web-config.yml.";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = SERVE_EXAMPLES)]
pub(in crate::cli) struct ServeArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceArgs,
    #[command(flatten)]
    pub(in crate::cli) limits: LimitArgs,
    /// Address to listen on; anyone who can connect to it can have targets probed
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9219",
        help_heading = "Server"
    )]
    pub(in crate::cli) listen: SocketAddr,
    /// TLS, client certificates and passwords of the exporter itself, in the format of Prometheus's web.config.file
    #[arg(long, visible_alias = "web.config.file", value_name = "FILE", help_heading = "Server")]
    pub(in crate::cli) web_config: Option<PathBuf>,
    /// Pause between two audits of the targets
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m", help_heading = "Server")]
    pub(in crate::cli) interval: Duration,
    /// Let /probe test targets that are not configured
    #[arg(long, help_heading = "Server")]
    pub(in crate::cli) any_target: bool,
    /// Fail a target on findings of this severity or above
    #[arg(long, value_name = "SEVERITY", default_value = "error", help_heading = "Gate")]
    pub(in crate::cli) fail_on: FailOn,
    /// File with severities by rule and findings that are allowed until a date (see gate.example.toml)
    #[arg(long, value_name = "FILE", help_heading = "Gate")]
    pub(in crate::cli) gate: Option<PathBuf>,
}
