//! The sockets on which nginx speaks TLS, each with its servers: names, certificates and settings.

mod collect;
mod listen;
mod names;
mod pass_through;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

pub use collect::listeners;
pub(super) use listen::{ListenError, addresses, http_addresses};
pub(super) use names::claim;
pub use pass_through::{PassThrough, pass_through};

use super::defaults::{self, NginxRelease, PROTOCOLS_BY_NAME};
use super::inherit::Set;
use super::problem::Span;
pub use super::server_name::ServerName;
use crate::tls::version::ProtocolVersion;

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP over TLS.
    Http,
    /// Anything over TLS.
    Stream,
    /// SMTP.
    Smtp,
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
}

/// How TLS begins on a socket of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailStartTls {
    /// It is there from the first byte.
    Off,
    /// The client may ask for it.
    On,
    /// The client must ask for it.
    Only,
}

/// An address that nginx listens on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    /// An IP address and a port; the unspecified address is every one.
    Ip(SocketAddr),
    /// A host name, which nginx resolves when it starts.
    Name {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A unix socket.
    Unix(String),
}

impl ListenAddress {
    /// The one of a server in `http` that names none.
    pub(in crate::nginx) fn unnamed() -> Self {
        Self::Ip(SocketAddr::from(([0, 0, 0, 0], 80)))
    }

    /// Its port; a unix socket has none.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(address) => Some(address.port()),
            Self::Name { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => fmt::Display::fmt(address, f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// A socket with TLS, of all servers that share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken.
    pub protocol: Protocol,
    /// The address.
    pub address: ListenAddress,
    /// Whether TLS begins by a command; [`MailStartTls::Off`] for anything but mail.
    pub starttls: MailStartTls,
    /// Whether a PROXY line is expected first.
    pub proxy_protocol: bool,
    /// Whether HTTP/2 is offered, by the socket or by its default server.
    pub http2: bool,
    /// Whether this is a UDP socket for QUIC.
    pub quic: bool,
    /// The servers, in the order of the configuration.
    pub servers: Vec<Server>,
    /// Which of them answers where no name matches.
    pub default: usize,
}

impl Listener {
    /// The server that answers where no name matches, or none is sent.
    pub fn default_server(&self) -> &Server {
        &self.servers[self.default]
    }

    /// The server that a name leads to, which regular expressions may change: they are tried where nothing else matches,
    /// and `None` stands for that case.
    pub fn server_for(&self, name: &str) -> Option<&Server> {
        let host = name.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let ranks = |server: &Server| {
            let names = server.names.iter().enumerate();
            let names = names.filter(|(at, _)| !server.taken.contains_key(at));
            names.filter_map(|(_, name)| name.rank(host)).max()
        };
        let best = self.servers.iter().filter_map(|server| Some((ranks(server)?, server)));
        if let Some((_, server)) = best.max_by_key(|(rank, _)| *rank) {
            return Some(server);
        }
        let is_open = |name: &Set<ServerName>| {
            matches!(name.value, ServerName::Regex(_) | ServerName::Variable(_))
        };
        let undecided = self.servers.iter().any(|server| server.names.iter().any(is_open));
        (!undecided).then(|| self.default_server())
    }

    /// The protocols that a client meets who asks for one of the servers by name: before 1.29.2 those of the default
    /// server, whatever the server says itself.
    pub fn protocols(&self, server: &Server, version: NginxRelease) -> Vec<ProtocolVersion> {
        let by_name = version >= PROTOCOLS_BY_NAME && server.has_certificate();
        let source = if by_name { server } else { self.default_server() };
        source.ssl.versions(version)
    }
}

impl Server {
    /// Whether it has TLS settings of its own; nginx answers with the default server's where it has no certificate.
    pub fn has_certificate(&self) -> bool {
        !self.ssl.certificates.is_empty()
    }
}

impl ServerSsl {
    /// The protocols that are taken, without regard to the commands; those of this release where none are set.
    pub fn versions(&self, version: NginxRelease) -> Vec<ProtocolVersion> {
        match &self.protocols {
            Some(set) => defaults::protocols_of(set),
            None => defaults::protocols(version).to_vec(),
        }
    }

    /// Whether handshakes are refused.
    pub fn rejects(&self) -> bool {
        self.reject_handshake.as_ref().is_some_and(|set| set.value)
    }
}

/// A server on a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its block.
    pub span: Span,
    /// Its `listen` directive for this socket.
    pub listen: Span,
    /// Its names; empty where it has none.
    pub names: Arc<[Set<ServerName>]>,
    /// Names that nginx drops, as a server of the socket has them already (be it this one): by their number, with the
    /// place of the name that comes first.
    pub taken: BTreeMap<usize, Span>,
    /// The `listen` of another server that makes the socket a TLS socket, where this server was meant to be plain: it has
    /// no `ssl`, no certificate and no TLS settings of its own.
    pub plain_beside: Option<Span>,
    /// Its TLS settings.
    pub ssl: Arc<ServerSsl>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePair {
    /// `ssl_certificate`.
    pub certificate: Set<Material>,
    /// The `ssl_certificate_key` of the same number; `None` where the configuration has fewer keys, which nginx refuses.
    pub key: Option<Set<Material>>,
}

/// Where a certificate or a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// A file, by its full name.
    File(String),
    /// `data:`, the text itself; it may hold variables.
    Data(String),
    /// A file name with variables: loaded by the worker at each handshake.
    Variable(String),
    /// `engine:` or `store:`.
    Engine(String),
}

/// The `ssl_*` settings in force for a server, as written; `None` where nginx's default holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSsl {
    /// `ssl_certificate` with `ssl_certificate_key`, in order.
    pub certificates: Vec<CertificatePair>,
    /// `ssl_protocols`.
    pub protocols: Option<Set<Vec<String>>>,
    /// `ssl_ciphers`.
    pub ciphers: Option<Set<String>>,
    /// `ssl_ecdh_curve`.
    pub ecdh_curve: Option<Set<String>>,
    /// `ssl_conf_command`: OpenSSL's commands, applied last and in this order.
    pub conf_command: Vec<Set<(String, String)>>,
    /// `ssl_reject_handshake`.
    pub reject_handshake: Option<Set<bool>>,
    /// `ssl_verify_client`: `on`, `off`, `optional` or `optional_no_ca`.
    pub verify_client: Option<Set<String>>,
    /// `ssl_verify_depth`.
    pub verify_depth: Option<Set<u32>>,
    /// `ssl_client_certificate`, the file's full name.
    pub client_certificate: Option<Set<String>>,
    /// `ssl_trusted_certificate`, the file's full name.
    pub trusted_certificate: Option<Set<String>>,
    /// `ssl_crl`, the file's full name.
    pub crl: Option<Set<String>>,
    /// `ssl_stapling`.
    pub stapling: Option<Set<bool>>,
    /// `ssl_session_cache`, its arguments.
    pub session_cache: Option<Set<Vec<String>>>,
    /// `ssl_session_timeout`.
    pub session_timeout: Option<Set<String>>,
    /// `ssl_alpn` of `stream`.
    pub alpn: Option<Set<Vec<String>>>,
}

#[cfg(test)]
mod tests;
