//! nginx's `proxy_ssl_*` directives as they are given without a configuration, and how an [`NginxClient`] comes of them.

use std::path::PathBuf;
use std::sync::Arc;

use super::identity::{FileError, read_identity};
use super::nginx_client::{NginxClient, Trusted, usual_library};
use super::trust::{self, TrustError};
use super::{Roots, Trust};
use crate::nginx::defaults::Version;
use crate::openssl::release::Release;
use crate::tls::version::ProtocolVersion;

/// What was said about nginx as the client; `None` means nginx's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySsl {
    /// The host part of `proxy_pass`, where it is not the target's host: the name of an `upstream` block.
    pub pass: Option<String>,
    /// `proxy_ssl_server_name`.
    pub server_name: Option<bool>,
    /// `proxy_ssl_name`.
    pub name: Option<String>,
    /// `proxy_ssl_protocols`.
    pub protocols: Option<Vec<ProtocolVersion>>,
    /// `proxy_ssl_ciphers`.
    pub ciphers: Option<String>,
    /// `proxy_ssl_verify`.
    pub verify: Option<bool>,
    /// `proxy_ssl_verify_depth`.
    pub verify_depth: Option<usize>,
    /// `proxy_ssl_trusted_certificate`.
    pub trusted_certificate: Option<PathBuf>,
    /// `proxy_ssl_crl`.
    pub crl: Option<PathBuf>,
    /// `proxy_ssl_certificate`.
    pub certificate: Option<PathBuf>,
    /// `proxy_ssl_certificate_key`.
    pub certificate_key: Option<PathBuf>,
    /// `proxy_ssl_conf_command`, each with its value.
    pub conf_commands: Vec<String>,
    /// nginx's release.
    pub version: Option<Version>,
    /// The TLS library that nginx runs with.
    pub library: Option<Release>,
}

/// Why nginx would not start with these directives, or why they could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum ProxySslError {
    /// Verification without anything to verify against.
    #[error(
        "no proxy_ssl_trusted_certificate for proxy_ssl_verify: nginx does not start with that"
    )]
    NothingTrusted,
    /// A certificate without a key, which nginx wants as well.
    #[error(
        "no proxy_ssl_certificate_key for the proxy_ssl_certificate: nginx does not start with that"
    )]
    NoKey,
    /// A file of trusted certificates is of no use.
    #[error(transparent)]
    Trusted(#[from] TrustError),
    /// The client certificate is of no use.
    #[error(transparent)]
    Identity(#[from] FileError),
}

impl ProxySsl {
    /// nginx with these directives, connecting to `host`; the files are read.
    pub fn client(&self, host: &str) -> Result<NginxClient, ProxySslError> {
        let pass = self.pass.as_deref().unwrap_or(host);
        let mut client = NginxClient::new(self.name.as_deref().unwrap_or(pass));
        client.version = self.version;
        client.library = self.library.unwrap_or_else(|| usual_library(self.version));
        client.server_name = self.server_name.unwrap_or(false);
        client.protocols.clone_from(&self.protocols);
        client.verify = self.verify.unwrap_or(false);
        client.verify_depth = self.verify_depth.unwrap_or(1);
        client.crl.clone_from(&self.crl);
        client.conf_commands.clone_from(&self.conf_commands);
        if let Some(ciphers) = &self.ciphers {
            client.ciphers.clone_from(ciphers);
        }
        if let Some(path) = &self.trusted_certificate {
            let trust = Trust { roots: Roots::File(path.clone()), additional: Vec::new() };
            let store = Arc::new(trust::load(&trust)?);
            client.trusted = Some(Trusted { path: path.clone(), store });
        }
        if client.verify && client.trusted.is_none() {
            return Err(ProxySslError::NothingTrusted);
        }
        client.identity = match (&self.certificate, &self.certificate_key) {
            (None, _) => None,
            (Some(_), None) => return Err(ProxySslError::NoKey),
            (Some(certificate), Some(key)) => Some(Arc::new(read_identity(certificate, key)?)),
        };
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nginx_would_not_start_with_is_refused() {
        let verify = ProxySsl { verify: Some(true), ..ProxySsl::default() };
        assert!(matches!(verify.client("a.test"), Err(ProxySslError::NothingTrusted)));
        let keyless = ProxySsl { certificate: Some("a.pem".into()), ..ProxySsl::default() };
        assert!(matches!(keyless.client("a.test"), Err(ProxySslError::NoKey)));
    }

    #[test]
    fn the_name_is_that_of_the_pass_unless_one_is_set() {
        let named = |options: ProxySsl| options.client("10.0.0.1").unwrap().name;
        assert_eq!(named(ProxySsl::default()), "10.0.0.1");
        let pass = ProxySsl { pass: Some("backend".into()), ..ProxySsl::default() };
        assert_eq!(named(pass.clone()), "backend");
        assert_eq!(named(ProxySsl { name: Some("a.test".into()), ..pass }), "a.test");
    }
}
