//! Options of `nginx`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::probe::{RunArgs, StandardArgs};
use super::release::ReleaseArgs;
use super::targets::TrustArgs;
use crate::nginx::kubernetes::NextController;

const NGINX_EXAMPLES: &str = "\
Examples:
  # /etc/nginx/nginx.conf, with all its listeners and upstreams
  shakedown nginx
  # a dump, with fixes as a patch
  nginx -T | shakedown nginx - --diff
  # before deploying: a private nginx runs it, and nothing live is touched
  shakedown nginx site/nginx.conf --rehearse --clients all
  # which clients does a change lose, and how many requests do they make?
  shakedown nginx new.conf --rehearse --against live --access-log access.log
  # the servers run on another machine
  shakedown nginx site/nginx.conf --connect 192.0.2.10
  # what a controller makes of the objects of Kubernetes
  kubectl get ingress,services,endpointslices -A -o json | shakedown nginx -
  # what changes for TLS with another controller?
  kubectl get ingress -A -o json | shakedown nginx - --as nic --static";

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = NGINX_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the command line")]
pub(in crate::cli) struct NginxArgs {
    /// nginx.conf, the folder that it is in, or `-` for the output of nginx -T or kubectl get -o json
    #[arg(value_name = "CONFIG", default_value = "/etc/nginx/nginx.conf")]
    pub(in crate::cli) config: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) source: ConfigurationArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    /// Client certificate to present, and to try as a fix where an upstream requires one
    #[arg(long, value_name = "FILE", help_heading = "Targets")]
    pub(in crate::cli) client_cert: Option<PathBuf>,
    /// The key of --client-cert [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = "Targets")]
    pub(in crate::cli) client_key: Option<PathBuf>,
    /// Also list what every endpoint accepts, as scan does; this finds old versions and weak cipher suites
    #[arg(long, help_heading = "Targets")]
    pub(in crate::cli) scan: bool,
    #[command(flatten)]
    pub(in crate::cli) standard: StandardArgs,
    /// Check the configuration without connecting anywhere; endpoints are not counted
    #[arg(long = "static", conflicts_with_all = ["scan", "clients", "policy", "diff", "write", "connect"], help_heading = "Targets")]
    pub(in crate::cli) is_static: bool,
    /// Run the configuration in a private nginx, with its own folder and ports, and audit that instead of the live
    /// sockets; upstreams are not tested. It uses --nginx-binary, or else the nginx of this machine. The text runs with
    /// your rights, as with nginx -t: it may load libraries (load_module) and name every file that you can read, and
    /// while it runs, others on this machine can connect to it. Rehearse a stranger's text in a container
    #[arg(long, conflicts_with_all = ["is_static", "connect", "root", "nginx_version", "openssl_version"], help_heading = "Rehearsal")]
    pub(in crate::cli) rehearse: bool,
    /// Also run the configuration's scripts (Lua, njs, Perl) in the rehearsal
    #[arg(long, requires = "rehearse", help_heading = "Rehearsal")]
    pub(in crate::cli) rehearse_scripts: bool,
    /// Compare with OLD, and report clients that can connect there and not here. OLD is live (what runs now), another
    /// configuration or dump, which is rehearsed too, or a JSON report made with --clients
    #[arg(long, value_name = "OLD", requires = "rehearse", help_heading = "Rehearsal")]
    pub(in crate::cli) against: Option<PathBuf>,
    /// Say how many requests of this access log (repeatable; plain or gzipped, - is stdin) come from clients that the
    /// rehearsed configuration turns away, by its $ssl_protocol, $ssl_cipher, $ssl_ciphers, $ssl_curves and
    /// $http_user_agent, as far as the format has them. Implies --scan
    #[arg(long, value_name = "FILE", requires = "rehearse", help_heading = "Rehearsal")]
    pub(in crate::cli) access_log: Vec<PathBuf>,
    /// The format of --access-log, as in log_format [default: those of the configuration and of OLD, or guessed]
    #[arg(long, value_name = "FORMAT", requires = "access_log", help_heading = "Rehearsal")]
    pub(in crate::cli) log_format: Option<String>,
    /// Read Ingress objects of ingress-nginx as this controller would, and report what changes for TLS
    #[arg(long = "as", value_name = "CONTROLLER", help_heading = "Configuration")]
    pub(in crate::cli) next: Option<NextController>,
    /// Only make handshakes with upstreams; send no HTTP requests
    #[arg(long, help_heading = "Targets")]
    pub(in crate::cli) no_request: bool,
    /// Print the fixes that were tried and work after the report: as a unified diff, or for Kubernetes objects as manifests
    #[arg(long, help_heading = "Fixes")]
    pub(in crate::cli) diff: bool,
    /// Write a copy of the configuration with these fixes to this empty or new folder
    #[arg(long, value_name = "DIR", help_heading = "Fixes")]
    pub(in crate::cli) write: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
}

/// What the text of the configuration does not contain.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Configuration")]
pub(in crate::cli) struct ConfigurationArgs {
    /// Folder that the configuration sees as /, such as a container's root file system
    #[arg(long, value_name = "DIR", visible_alias = "prefix")]
    pub(in crate::cli) root: Option<PathBuf>,
    /// Value of a variable that depends on the request (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(in crate::cli) var: Vec<(String, String)>,
    /// Host on which the servers listen, if not this machine
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) connect: Option<String>,
    /// Certificates of a Secret or ConfigMap that is not among the Kubernetes objects: PEM, with the key if there is one
    /// (repeatable)
    #[arg(long, value_name = "NAMESPACE/NAME=FILE", value_parser = secret)]
    pub(in crate::cli) secret: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub(in crate::cli) release: ReleaseArgs,
}

fn secret(text: &str) -> Result<(String, PathBuf), &'static str> {
    let (id, file) = text.split_once('=').ok_or("expected NAMESPACE/NAME=FILE")?;
    let is_id = id.split_once('/').is_some_and(|(namespace, name)| {
        !namespace.is_empty() && !name.is_empty() && !name.contains(['/', ':'])
    });
    if is_id && !file.is_empty() {
        Ok((id.to_owned(), file.into()))
    } else {
        Err("expected NAMESPACE/NAME=FILE")
    }
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
