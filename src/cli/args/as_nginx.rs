//! The `proxy_ssl_*` directives as options.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use crate::nginx::defaults::NginxRelease;
use crate::nginx::inherit::Set;
use crate::nginx::upstream::{ProxySsl, Text, conf_command};
use crate::openssl::release::OpensslRelease;
use crate::targets::proxy_ssl::AsNginx;
use crate::tls::version::ProtocolVersion;

/// nginx as the client of the targets.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "As nginx")]
pub(in crate::cli) struct AsNginxArgs {
    /// Connect as nginx would with the directives below, say what it would log, and try fixes
    #[arg(long)]
    pub(in crate::cli) as_nginx: bool,
    /// Host in proxy_pass, such as the name of an upstream block [default: the target's host]
    #[arg(long, value_name = "HOST", requires = "as_nginx")]
    pub(in crate::cli) proxy_pass: Option<String>,
    /// Send a server name (SNI) [default: off]
    #[arg(long, value_name = "on|off", requires = "as_nginx", value_parser = switch)]
    pub(in crate::cli) proxy_ssl_server_name: Option<bool>,
    /// Name to send and to verify [default: the host in proxy_pass]
    #[arg(long, value_name = "NAME", requires = "as_nginx")]
    pub(in crate::cli) proxy_ssl_name: Option<String>,
    /// TLS versions to offer, such as "TLSv1.2 TLSv1.3" [default: those of the nginx release]
    #[arg(long, value_name = "VERSIONS", requires = "as_nginx", value_delimiter = ' ')]
    pub(in crate::cli) proxy_ssl_protocols: Vec<ProtocolVersion>,
    /// Cipher suites to offer, as an OpenSSL cipher list [default: DEFAULT]
    #[arg(long, value_name = "LIST", requires = "as_nginx")]
    pub(in crate::cli) proxy_ssl_ciphers: Option<String>,
    /// Verify the upstream's certificate [default: off]
    #[arg(long, value_name = "on|off", requires = "as_nginx", value_parser = switch)]
    pub(in crate::cli) proxy_ssl_verify: Option<bool>,
    /// Maximum number of certificates between the root and the server's certificate [default: 1]
    #[arg(long, value_name = "NUMBER", requires = "as_nginx")]
    pub(in crate::cli) proxy_ssl_verify_depth: Option<u32>,
    /// Root certificates to verify against
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) proxy_ssl_trusted_certificate: Option<String>,
    /// Certificate revocation lists to check
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) proxy_ssl_crl: Option<String>,
    /// Client certificate to present if the upstream asks for one
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) proxy_ssl_certificate: Option<String>,
    /// The key of --proxy-ssl-certificate
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) proxy_ssl_certificate_key: Option<String>,
    /// Passwords of that key, one on each line
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) proxy_ssl_password_file: Option<String>,
    /// An OpenSSL command, such as "Options -SessionTicket" (repeatable); one that cannot be followed leaves no verdict
    #[arg(long, value_name = "COMMAND", requires = "as_nginx")]
    pub(in crate::cli) proxy_ssl_conf_command: Vec<String>,
    /// Accepted for completeness and ignored: every handshake here starts a new session
    #[arg(long, value_name = "on|off", requires = "as_nginx", value_parser = switch)]
    pub(in crate::cli) proxy_ssl_session_reuse: Option<bool>,
    /// Only make nginx's handshake; do not send its request, a GET of / with its default Host
    #[arg(long)]
    pub(in crate::cli) no_request: bool,
    /// nginx release, which determines the defaults [default: a current one]
    #[arg(long, value_name = "VERSION", requires = "as_nginx")]
    pub(in crate::cli) nginx_version: Option<NginxRelease>,
    /// OpenSSL release that nginx uses [default: the usual one for the nginx release]
    #[arg(long, value_name = "VERSION", requires = "as_nginx")]
    pub(in crate::cli) openssl_version: Option<OpensslRelease>,
    /// Configuration file that nginx's OpenSSL reads [default: none that concerns TLS]
    #[arg(long, value_name = "FILE", requires = "as_nginx", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) openssl_conf: Option<PathBuf>,
}

impl AsNginxArgs {
    /// The nginx that the options describe, if `--as-nginx` is given.
    pub(in crate::cli) fn described(&self) -> Option<AsNginx> {
        let text = |text: &Option<String>| text.clone().map(Text::plain).map(Set::given);
        let word = |text: &Option<String>| text.clone().map(Set::given);
        let protocols: Vec<_> = self.proxy_ssl_protocols.iter().map(ToString::to_string).collect();
        let commands = self.proxy_ssl_conf_command.iter();
        let ssl = ProxySsl {
            server_name: self.proxy_ssl_server_name.map(Set::given),
            name: text(&self.proxy_ssl_name),
            protocols: (!protocols.is_empty()).then(|| Set::given(protocols)),
            ciphers: word(&self.proxy_ssl_ciphers),
            verify: self.proxy_ssl_verify.map(Set::given),
            verify_depth: self.proxy_ssl_verify_depth.map(Set::given),
            trusted_certificate: word(&self.proxy_ssl_trusted_certificate),
            crl: word(&self.proxy_ssl_crl),
            certificate: text(&self.proxy_ssl_certificate),
            certificate_key: text(&self.proxy_ssl_certificate_key),
            password_file: word(&self.proxy_ssl_password_file),
            session_reuse: self.proxy_ssl_session_reuse.map(Set::given),
            conf_command: commands.map(|text| Set::given(conf_command(text))).collect(),
            ..ProxySsl::default()
        };
        self.as_nginx.then(|| AsNginx {
            pass: self.proxy_pass.clone(),
            ssl,
            no_request: self.no_request,
            version: self.nginx_version,
            library: self.openssl_version,
            openssl_conf: self.openssl_conf.clone(),
        })
    }
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off"),
    }
}
