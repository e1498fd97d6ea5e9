//! The upstreams that nginx connects to over TLS: the address, the name, and the settings.

mod collect;
mod group;

use std::sync::Arc;

pub use collect::{plain_upstreams, upstreams, without_port};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::directives::DirectiveName;
use super::inherit::Set;
use super::problem::Span;
use super::variable::{Unresolved, Variables};

/// The nginx module that makes the connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
pub enum ProxyModule {
    /// `proxy_pass` in `http`.
    Proxy,
    /// `grpc_pass`.
    Grpc,
    /// `uwsgi_pass`.
    Uwsgi,
    /// `proxy_pass` in `stream`.
    Stream,
}

impl ProxyModule {
    /// The modules of `stream`, or else those of `http`.
    pub fn of(is_stream: bool) -> impl Iterator<Item = Self> {
        let all = Self::value_variants().iter().copied();
        all.filter(move |module| module.is_stream() == is_stream)
    }

    fn is_stream(self) -> bool {
        match self {
            Self::Stream => true,
            Self::Proxy | Self::Grpc | Self::Uwsgi => false,
        }
    }

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "http proxy",
            Self::Grpc => "grpc",
            Self::Uwsgi => "uwsgi",
            Self::Stream => "stream proxy",
        }
    }

    /// The prefix of its TLS directives: `proxy_ssl_`, `grpc_ssl_`, `uwsgi_ssl_`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Proxy | Self::Stream => "proxy_ssl_",
            Self::Grpc => "grpc_ssl_",
            Self::Uwsgi => "uwsgi_ssl_",
        }
    }

    /// The directive that names the upstream.
    pub fn pass(self) -> &'static str {
        match self {
            Self::Proxy | Self::Stream => "proxy_pass",
            Self::Grpc => "grpc_pass",
            Self::Uwsgi => "uwsgi_pass",
        }
    }
}

/// The protocol of a connection to an upstream, from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// TLS.
    Tls,
    /// The module's own protocol, in plain text.
    Plain,
}

/// A `*_pass` directive with TLS. If variables can have several values, there is one of these for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The module that connects.
    pub module: ProxyModule,
    /// The `*_pass` directive.
    pub span: Span,
    /// Where its settings are changed: the same, or else the object of Kubernetes that they come from.
    pub settings_at: Span,
    /// Its argument as written.
    pub url: String,
    /// The blocks around it, from the outside in: `http`, `server`, `location /api`.
    pub blocks: Vec<Enclosing>,
    /// The names of the surrounding server, as written.
    pub server_names: Arc<[String]>,
    /// The Host header that is sent, as written: the upstream probably knows this name.
    pub host_header: Option<String>,
    /// The assumed values of variables, by name without `$`, if they were a choice or given from outside.
    pub assumed: Variables,
    /// The destination, or why it is unknown.
    pub destination: Result<Destination, Unresolved>,
    /// The name that nginx sends as SNI and verifies, if these are on: `*_ssl_name`, or the host in the URL, without a
    /// port. IPv6 keeps its brackets; for a unix socket it is the path.
    pub name: Result<String, Unresolved>,
    /// Whether a `resolver` applies, which names need that are only known at run time.
    pub has_resolver: bool,
    /// The configured settings.
    pub ssl: ProxySsl,
}

/// A block around a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosing {
    /// The name of its directive: `location`.
    pub name: DirectiveName,
    /// The directive's first arguments; nginx allows no more.
    pub arguments: Vec<String>,
    /// The directive.
    pub span: Span,
}

/// The destination of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The URL with the variables replaced.
    pub url: String,
    /// The host that nginx uses by default for SNI and verification: a host, the name of an `upstream` block, or a
    /// path.
    pub host: String,
    /// `$proxy_host`: the host, with the port if it is not the scheme's default.
    pub proxy_host: String,
    /// The `upstream` block, if the host is the name of one.
    pub group: Option<UpstreamBlock>,
    /// The servers; empty if nginx would refuse the address.
    pub peers: Arc<[Peer]>,
}

/// An `upstream` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamBlock {
    /// Its name.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the parameters of `server`")]
pub struct Peer {
    /// The address to connect to.
    pub address: PeerAddress,
    /// `weight=`, 1 by default.
    pub weight: u32,
    /// Only used if the others fail.
    pub backup: bool,
    /// Never used.
    pub down: bool,
    /// Its name is resolved at run time.
    pub resolve: bool,
    /// Whether the port is nginx's default of 80 for a `server` without one, which is not a TLS port.
    pub assumed_port_80: bool,
    /// The `server` directive, or the `*_pass` directive without an `upstream` block.
    pub span: Span,
}

/// The address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerAddress {
    /// A host name or an IP address, IPv6 without brackets.
    Host {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The SRV records of a service, which are looked up at run time.
    Service {
        /// The host.
        host: String,
        /// The service.
        service: String,
    },
    /// A unix socket.
    Unix(String),
}

/// A text that may contain variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// As written.
    pub written: String,
    /// With the variables replaced; files with their full names.
    pub value: Result<String, Unresolved>,
}

impl Text {
    /// A text without variables.
    pub fn plain(value: String) -> Self {
        Self { written: value.clone(), value: Ok(value) }
    }
}

/// The `*_ssl_*` settings that apply, as written; `None` means nginx's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySsl {
    /// `_server_name`: whether SNI is sent.
    pub server_name: Option<Set<bool>>,
    /// `_name`.
    pub name: Option<Set<Text>>,
    /// `_protocols`.
    pub protocols: Option<Set<Vec<String>>>,
    /// `_ciphers`.
    pub ciphers: Option<Set<String>>,
    /// `_verify`.
    pub verify: Option<Set<bool>>,
    /// `_verify_depth`.
    pub verify_depth: Option<Set<u32>>,
    /// `_trusted_certificate`: the file's full name.
    pub trusted_certificate: Option<Set<String>>,
    /// `_crl`: the file's full name.
    pub crl: Option<Set<String>>,
    /// `_certificate`; an empty value is no certificate.
    pub certificate: Option<Set<Text>>,
    /// `_certificate_key`.
    pub certificate_key: Option<Set<Text>>,
    /// `_password_file`: the full name of the file with the passwords of keys.
    pub password_file: Option<Set<String>>,
    /// `_session_reuse`.
    pub session_reuse: Option<Set<bool>>,
    /// `_conf_command`: OpenSSL's commands, applied last and in this order.
    pub conf_command: Vec<Set<(String, String)>>,
    /// `proxy_ssl_alpn` of `stream`.
    pub alpn: Option<Set<Vec<String>>>,
    /// `proxy_http_version`, which determines the ALPN offer of `proxy_pass`.
    pub http_version: Option<Set<String>>,
    /// `proxy_protocol` of `stream`: whether a PROXY protocol line is sent before the handshake.
    pub proxy_protocol: bool,
}

/// The two parts of a `_conf_command`: `Options`, `-SessionTicket`.
pub fn conf_command(text: &str) -> (String, String) {
    let (name, value) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    (name.to_owned(), value.trim_start().to_owned())
}

impl ProxySsl {
    /// Whether SNI is sent, if the name allows it; off by default.
    pub fn sends_name(&self) -> bool {
        self.server_name.as_ref().is_some_and(|set| set.value)
    }

    /// Whether the certificate is verified; off by default.
    pub fn verifies(&self) -> bool {
        self.verify.as_ref().is_some_and(|set| set.value)
    }

    /// The most intermediates in a chain; 1 by default.
    pub fn depth(&self) -> u32 {
        self.verify_depth.as_ref().map_or(1, |set| set.value)
    }

    /// OpenSSL's cipher list; `DEFAULT` by default.
    pub fn cipher_list(&self) -> &str {
        self.ciphers.as_ref().map_or("DEFAULT", |set| &set.value)
    }
}

#[cfg(test)]
mod tests;
