//! Which nginx it is about.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::nginx::defaults::NginxRelease;
use crate::openssl::release::OpensslRelease;

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReleaseArgs {
    /// nginx release, which determines the defaults [default: that of the nginx on this machine that runs the
    /// configuration, or else of the installed one]
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) nginx_version: Option<NginxRelease>,
    /// OpenSSL release that nginx uses [default: the one that the nginx on this machine has loaded]
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) openssl_version: Option<OpensslRelease>,
    /// Configuration file that nginx's OpenSSL reads [default: the one of the nginx on this machine, if the configuration is
    /// judged by that]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) openssl_conf: Option<PathBuf>,
    /// Run this nginx with -V to find out its release and OpenSSL
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nginx_version", "openssl_version"])]
    pub(in crate::cli) nginx_binary: Option<PathBuf>,
    /// Do not look for the nginx of this machine that runs the configuration; without a version, a current one is assumed
    #[arg(long)]
    pub(in crate::cli) no_detect: bool,
}
