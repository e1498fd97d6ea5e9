//! Options of `nginx`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::probe::RunArgs;
use super::targets::TrustArgs;
use crate::nginx::defaults::Version;
use crate::openssl::release::Release;

const NGINX_EXAMPLES: &str = "\
Examples:
  # /etc/nginx/nginx.conf and what it leads to
  shakedown nginx
  # a dump, and what mends it as a patch
  nginx -T | shakedown nginx - --diff
  # the sockets are on another machine
  shakedown nginx site/nginx.conf --connect 192.0.2.10
  # what ingress-nginx makes of annotations
  kubectl get ingress -A -o json | shakedown nginx -";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = NGINX_EXAMPLES)]
pub(in crate::cli) struct NginxArgs {
    /// nginx.conf, the folder that it is in, or `-` for the output of nginx -T or kubectl get ingress -o json
    #[arg(value_name = "CONFIG", default_value = "/etc/nginx/nginx.conf")]
    pub(in crate::cli) config: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) source: ConfigurationArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    /// The certificate that the audit presents, and that is tried where an upstream wants one
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub(in crate::cli) client_cert: Option<PathBuf>,
    /// The key of --client-cert [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = "Targets")]
    pub(in crate::cli) client_key: Option<PathBuf>,
    /// List what every endpoint takes as well, as `scan` does: old versions and weak suites are found then
    #[arg(long, help_heading = "Targets")]
    pub(in crate::cli) scan: bool,
    /// Judge the configuration without making a connection; what would have to be probed is not counted
    #[arg(long = "static", conflicts_with_all = ["scan", "diff", "write", "connect"], help_heading = "Targets")]
    pub(in crate::cli) is_static: bool,
    /// Show the fixes that were tried and work as a unified diff, behind the report
    #[arg(long, help_heading = "Fixes")]
    pub(in crate::cli) diff: bool,
    /// Write a copy of the configuration with these fixes into this folder, which must be empty or new
    #[arg(long, value_name = "DIR", help_heading = "Fixes")]
    pub(in crate::cli) write: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
}

/// What the configuration itself does not say.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigurationArgs {
    /// The folder in which a tree lies that is written for /, as that of a container
    #[arg(long, value_name = "DIR", visible_alias = "prefix")]
    pub(in crate::cli) root: Option<PathBuf>,
    /// The value of a variable that each request decides (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(in crate::cli) var: Vec<(String, String)>,
    /// Where the sockets are, if not on this machine
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) connect: Option<String>,
    /// nginx's release, which decides about defaults
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) nginx_version: Option<Version>,
    /// The OpenSSL that nginx runs with
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) openssl_version: Option<Release>,
    /// Ask this nginx (-V) for its release and library
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nginx_version", "openssl_version"])]
    pub(in crate::cli) nginx_binary: Option<PathBuf>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let name = name.trim_start_matches('$');
    if name.is_empty() {
        Err("expected NAME=VALUE")
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}
