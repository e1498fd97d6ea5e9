//! The options of a target, and how they and its address make a [`Target`]. The command line and `targets.toml` both
//! use this, so that they have the same defaults.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::{Address, host_port};
use super::proxy_ssl::AsNginx;
use super::{
    ClientCertificatePolicy, ClientIdentity, Expectations, Host, Origin, Role, Roots, StartTls,
    Target, TargetKind, Trust,
};
use crate::tls::profile::Profile;
use crate::tls::version::ProtocolVersion;

/// The options of a target; `None` and empty mean not set.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Its name in reports.
    pub name: Option<String>,
    /// The name to send as SNI and to verify.
    pub server_name: Option<String>,
    /// More names that the certificate must cover.
    pub extra_names: Option<Vec<String>>,
    /// Which side of nginx it is on.
    pub role: Option<Role>,
    /// The base set of roots.
    pub roots: Option<Roots>,
    /// Files of additional trusted certificates.
    pub add_ca_files: Option<Vec<PathBuf>>,
    /// The file of the client certificate to present.
    pub client_certificate: Option<PathBuf>,
    /// The file of its key; `None` means the certificate's file.
    pub client_key: Option<PathBuf>,
    /// The plain-text protocol to upgrade from.
    pub starttls: Option<StartTls>,
    /// Whether to send a PROXY protocol line first.
    pub proxy_protocol: Option<bool>,
    /// Replaces the timeouts of connection, STARTTLS and handshake.
    pub timeout: Option<Duration>,
    /// The versions that the server should accept; it should accept no others.
    pub protocols: Option<Vec<ProtocolVersion>>,
    /// How the server should handle client certificates.
    pub client_certificate_policy: Option<ClientCertificatePolicy>,
    /// Report a certificate from this many days before it expires.
    pub warning_days: Option<u32>,
    /// Days before expiry from which a certificate is an error.
    pub critical_days: Option<u32>,
    /// ALPN protocols to offer.
    pub alpn: Option<Vec<String>>,
    /// Clients that must be able to connect.
    pub clients: Option<Vec<&'static Profile>>,
    /// How nginx connects to it, if nginx is its client.
    pub as_nginx: Option<AsNginx>,
}

impl Options {
    /// These options, with those of `base` where these are not set.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        Self {
            name: self.name,
            server_name: self.server_name.or_else(|| base.server_name.clone()),
            extra_names: self.extra_names.or_else(|| base.extra_names.clone()),
            role: self.role.or(base.role),
            roots: self.roots.or_else(|| base.roots.clone()),
            add_ca_files: self.add_ca_files.or_else(|| base.add_ca_files.clone()),
            client_key: if self.client_certificate.is_some() {
                self.client_key
            } else {
                self.client_key.or_else(|| base.client_key.clone())
            },
            client_certificate: self.client_certificate.or_else(|| base.client_certificate.clone()),
            starttls: self.starttls.or(base.starttls),
            proxy_protocol: self.proxy_protocol.or(base.proxy_protocol),
            timeout: self.timeout.or(base.timeout),
            protocols: self.protocols.or_else(|| base.protocols.clone()),
            client_certificate_policy: self
                .client_certificate_policy
                .or(base.client_certificate_policy),
            warning_days: self.warning_days.or(base.warning_days),
            critical_days: self.critical_days.or(base.critical_days),
            alpn: self.alpn.or_else(|| base.alpn.clone()),
            clients: self.clients.or_else(|| base.clients.clone()),
            as_nginx: self.as_nginx.or_else(|| base.as_nginx.clone()),
        }
    }

    /// The files of the client's certificate and key, if a certificate was given.
    pub fn identity_files(&self) -> Option<(PathBuf, PathBuf)> {
        let certificate = self.client_certificate.clone()?;
        let key = self.client_key.clone().unwrap_or_else(|| certificate.clone());
        Some((certificate, key))
    }

    /// The roots to verify against.
    pub fn trust(&self) -> Trust {
        Trust {
            roots: self.roots.clone().unwrap_or_default(),
            additional: self.add_ca_files.clone().unwrap_or_default(),
        }
    }

    /// The target at `address`, with every default filled in. The caller reads the client's files.
    pub fn target(
        &self,
        address: Address,
        identity: Option<Arc<ClientIdentity>>,
        origin: Option<Origin>,
    ) -> Target {
        let port =
            address.port.unwrap_or_else(|| self.starttls.map_or(443, StartTls::default_port));
        let name = host_port(&address.host, port).to_string();
        // nginx as the client starts with TLS on every port.
        let suggested = address.starttls.filter(|_| self.as_nginx.is_none());
        let Address { host, connect_to, .. } = address;
        let kind = TargetKind::Endpoint { host, port, connect_to };
        let starttls = self.starttls.or(suggested);
        Target { client_identity: identity, starttls, ..self.target_of(kind, name, origin) }
    }

    /// A target of any kind, with every default filled in. Its name in reports is `name`, unless these options set
    /// another.
    pub fn target_of(&self, kind: TargetKind, name: String, origin: Option<Origin>) -> Target {
        let host = match &kind {
            TargetKind::Endpoint { host, .. }
            | TargetKind::File { host, .. }
            | TargetKind::ClientFile { host, .. } => Some(host),
            TargetKind::Configuration => None,
        };
        let server_name = self.server_name.clone().or_else(|| match host {
            // A path is not a name to send.
            Some(host) if host.unix_path().is_some() => None,
            Some(Host::Name(name)) => Some(name.clone()),
            Some(Host::Ip(_)) | None => None,
        });
        Target {
            name: self.name.clone().unwrap_or(name),
            kind,
            server_name,
            extra_names: self.extra_names.clone().unwrap_or_default(),
            role: self.role.unwrap_or(if self.as_nginx.is_some() {
                Role::Upstream
            } else {
                Role::default()
            }),
            trust: self.trust(),
            client_identity: None,
            starttls: self.starttls,
            timeout: self.timeout,
            expect: Expectations {
                protocols: self.protocols.clone(),
                client_certificate: self.client_certificate_policy,
                warning_days: self.warning_days,
                critical_days: self.critical_days,
                alpn: self.alpn.clone().unwrap_or_default(),
                clients: self.clients.clone().unwrap_or_default(),
                asked: Vec::new(),
            },
            nginx: None,
            proxy_protocol: self.proxy_protocol.unwrap_or(false),
            quic: false,
            likely_names: Vec::new(),
            any_name: false,
            staples: false,
            unstapled: false,
            awaits_request: false,
            former: None,
            unusable_suites: None,
            written: None,
            files: Vec::new(),
            origin,
            more_origins: Vec::new(),
        }
    }
}

/// Parses a duration: `5s`, `500ms`, `2m`, or a number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let error = || DurationError(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| error())?;
    let seconds = match unit.trim() {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(error()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() && duration <= MAX_DURATION => Ok(duration),
        _ => Err(error()),
    }
}

/// Parses an ALPN protocol. A hello stores its length in one byte (RFC 7301 section 3.1).
pub fn parse_alpn(text: &str) -> Result<String, AlpnError> {
    if (1..=255).contains(&text.len()) { Ok(text.to_owned()) } else { Err(AlpnError(text.len())) }
}

/// The text is not an ALPN protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid ALPN protocol of {0} bytes: expected 1 to 255 bytes, for example h2 or http/1.1")]
pub struct AlpnError(pub usize);

/// One day; a longer duration is an error.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// The text is not a valid duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}: expected 5s, 500ms or 2m (at most 24h)")]
pub struct DurationError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let check = |text, millis| {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        };
        check("5s", 5000);
        check("500ms", 500);
        check("1.5", 1500);
        check("2m", 120_000);
        for text in ["", "0s", "-1s", "5 parsecs", "1e9h", "99999h", "."] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_of_a_target_override_the_defaults() {
        let base =
            Options { role: Some(Role::Upstream), warning_days: Some(7), ..Options::default() };
        let over = Options { warning_days: Some(14), ..Options::default() }.over(&base);
        assert_eq!((over.role, over.warning_days), (Some(Role::Upstream), Some(14)));
    }

    #[test]
    fn extra_names_may_be_addresses() {
        let extra_names = Some(vec!["b.test".to_owned(), "::1".to_owned()]);
        let options = Options { extra_names, ..Options::default() };
        let target = options.target("a.test".parse().unwrap(), None, None);
        let names: Vec<Host> = target.required_names().collect();
        let name = |name: &str| Host::Name(name.to_owned());
        assert_eq!(names, [name("a.test"), name("b.test"), Host::Ip("::1".parse().unwrap())]);
    }

    #[test]
    fn an_alpn_protocol_fits_its_length_byte() {
        assert_eq!(parse_alpn("h2"), Ok("h2".to_owned()));
        assert_eq!(parse_alpn(""), Err(AlpnError(0)));
        assert_eq!(parse_alpn(&"x".repeat(256)), Err(AlpnError(256)));
    }

    #[test]
    fn an_address_without_a_name_has_no_server_name() {
        let target = |text: &str| Options::default().target(text.parse().unwrap(), None, None);
        assert_eq!(target("127.0.0.1").server_name, None);
        assert_eq!(target("a.test").server_name.as_deref(), Some("a.test"));
        assert_eq!(target("a.test:443:127.0.0.1:8443").name, "a.test:443");
        assert_eq!(target("[::1]:8443").name, "[::1]:8443");
    }
}
