//! Which nginx it is about.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::nginx::defaults::NginxRelease;
use crate::openssl::release::OpensslRelease;

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ReleaseArgs {
    /// nginx release, which determines the defaults
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) nginx_version: Option<NginxRelease>,
    /// OpenSSL release that nginx uses
    #[arg(long, value_name = "VERSION")]
    pub(in crate::cli) openssl_version: Option<OpensslRelease>,
    /// Run this nginx with -V to find out its release and OpenSSL
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nginx_version", "openssl_version"])]
    pub(in crate::cli) nginx_binary: Option<PathBuf>,
}
