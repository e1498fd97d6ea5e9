//! Options of `cert`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::gate::GateArgs;
use super::report::ReportArgs;
use super::targets::{ExpiryArgs, TrustArgs};

const CERT_EXAMPLES: &str = "\
Examples:
  shakedown cert fullchain.pem --key privkey.pem --hostname www.example.com
  shakedown cert /etc/nginx/certs --ca-file internal-ca.pem
  shakedown cert keystore.p12 --password-file password
  kubectl get secret web-tls -o yaml > web-tls.yaml; shakedown cert web-tls.yaml
  shakedown cert client.pem --as client --ca-names clients-ca.pem
  shakedown cert fullchain.pem --at 2027-01-01  # as of that day";

/// Whose certificate a file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Holder {
    Server,
    Client,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = CERT_EXAMPLES)]
pub(in crate::cli) struct CertArgs {
    /// PEM bundles, DER files, PKCS#12 and JKS keystores, manifests of Kubernetes Secrets, revocation lists, data: URLs, `-`
    /// for stdin, or folders with files that end in .pem, .crt, .cer, .der, .p12, .pfx, .jks or .keystore
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Private key that must match the certificate
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) key: Option<PathBuf>,
    /// File with the password of keystores
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// Variable of the environment with the password of keystores
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) password_env: Option<String>,
    /// Whose certificate it is: a server's, or a client's (mutual TLS, proxy_ssl_certificate)
    #[arg(long = "as", value_name = "ROLE", default_value = "server")]
    pub(in crate::cli) holder: Holder,
    /// CA certificates that the server asks clients for (ssl_client_certificate in nginx); without
    /// --ca-file, the client's certificate is also verified against them
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_names: Option<PathBuf>,
    /// Name that the certificate must cover (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) hostname: Vec<String>,
    /// Check as of this time: 2026-12-31 or 2026-12-31T23:59:59Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) expiry: ExpiryArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
    #[command(flatten)]
    pub(in crate::cli) report: ReportArgs,
    #[command(flatten)]
    pub(in crate::cli) gate: GateArgs,
}
