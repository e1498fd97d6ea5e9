//! The TLS sockets of nginx, each with its servers: names, certificates and settings.

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
pub(super) use collect::mail_protocol;
pub(super) use listen::{ListenError, addresses, http_addresses};
pub(super) use names::claim;
pub use pass_through::{PassThrough, pass_through};

use super::defaults::{self, NginxRelease, PROTOCOLS_BY_NAME};
use super::inherit::Set;
use super::name_example::NameExpressions;
use super::problem::Span;
pub use super::server_name::ServerName;
use crate::tls::version::ProtocolVersion;

/// The protocol of a socket.
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

/// How TLS starts on a socket of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailStartTls {
    /// With the first byte.
    Off,
    /// With STARTTLS, if the client wants.
    On,
    /// With STARTTLS, which is required.
    Only,
}

/// An address that nginx listens on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    /// An IP address and a port; an unspecified address means all addresses.
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
    /// The default address of a server in `http`.
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

/// Who offers HTTP/2 on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2Offer {
    /// No server.
    Nobody,
    /// A server that is chosen by its name, but not the default server.
    ByName,
    /// The socket, or its default server.
    Default,
}

/// A TLS socket, with all servers that share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The protocol.
    pub protocol: Protocol,
    /// The address.
    pub address: ListenAddress,
    /// Whether TLS starts with STARTTLS; [`MailStartTls::Off`] except for mail.
    pub starttls: MailStartTls,
    /// Whether a PROXY protocol line is expected first.
    pub proxy_protocol: bool,
    /// Who offers HTTP/2.
    pub http2: Http2Offer,
    /// Whether this is a UDP socket for QUIC.
    pub quic: bool,
    /// The servers, in the order of the configuration.
    pub servers: Vec<Server>,
    /// The index of the default server.
    pub default: usize,
}

impl Listener {
    /// The server that answers if no name matches, or none is sent.
    pub fn default_server(&self) -> &Server {
        &self.servers[self.default]
    }

    /// The server with a name; `None` if none matches and a regular expression may, because these are not evaluated.
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

    /// The server with this name, for a name that is no other server's and fits a regular expression: the first in the
    /// configuration that fits. `None` if that cannot be told.
    pub fn server_by_expression(
        &self,
        name: &str,
        expressions: &NameExpressions,
    ) -> Option<&Server> {
        let all = || self.servers.iter().flat_map(|server| server.names.iter());
        if all().any(|known| known.value.rank(name).is_some()) {
            return None;
        }
        for server in &self.servers {
            for known in server.names.iter() {
                let ServerName::Regex(pattern) = &known.value else { continue };
                if expressions.matches(pattern, name)? {
                    return Some(server);
                }
            }
        }
        None
    }

    /// The protocols for a client that selects one of the servers by name: before 1.29.2 those of the default server,
    /// whatever the server itself sets.
    pub fn protocols(&self, server: &Server, version: NginxRelease) -> Vec<ProtocolVersion> {
        let by_name = version >= PROTOCOLS_BY_NAME && server.has_certificate();
        let source = if by_name { server } else { self.default_server() };
        source.ssl.versions(version)
    }
}

impl Server {
    /// Whether it has its own TLS settings; without a certificate, the default server's apply.
    pub fn has_certificate(&self) -> bool {
        !self.ssl.certificates.is_empty()
    }
}

impl ServerSsl {
    /// The accepted protocols, ignoring the commands; if none are set, the defaults of this release.
    pub fn versions(&self, version: NginxRelease) -> Vec<ProtocolVersion> {
        match &self.protocols {
            Some(set) => defaults::protocols_of(set),
            None => defaults::protocols(version).to_vec(),
        }
    }

    /// Whether it refuses handshakes.
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
    /// Its names; may be empty.
    pub names: Arc<[Set<ServerName>]>,
    /// Names that nginx drops, because a server of the socket (perhaps this one) already has them: by index, with the
    /// place of the first such name.
    pub taken: BTreeMap<usize, Span>,
    /// The `listen` of another server that makes the socket a TLS socket although this server was meant to be plain: it
    /// has no `ssl`, no certificate and no TLS settings.
    pub plain_beside: Option<Span>,
    /// Its TLS settings.
    pub ssl: Arc<ServerSsl>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePair {
    /// `ssl_certificate`.
    pub certificate: Set<Material>,
    /// The `ssl_certificate_key` with the same index; `None` if there are fewer keys, which nginx refuses.
    pub key: Option<Set<Material>>,
}

/// The source of a certificate or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Material {
    /// A file with its full name.
    File(String),
    /// `data:`, the text itself, which may contain variables.
    Data(String),
    /// A file name with variables: loaded at each handshake.
    Variable(LoadedFile),
    /// `engine:` or `store:`.
    Engine(String),
}

/// A file name with variables, as far as the socket, the server and the name in the hello decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedFile {
    /// As written.
    pub written: String,
    /// The full names that it can have, each with the name in the hello that leads to it; `None` where that does not matter.
    pub files: Vec<(Option<String>, String)>,
}

impl LoadedFile {
    /// The file that is loaded where the hello has this name.
    pub fn for_name(&self, name: Option<&str>) -> Option<&str> {
        let is_it = |wanted: &Option<String>| wanted.is_none() || wanted.as_deref() == name;
        self.files.iter().find(|(wanted, _)| is_it(wanted)).map(|(_, file)| file.as_str())
    }
}

/// The `ssl_*` settings that apply to a server, as written; `None` means nginx's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSsl {
    /// `ssl_certificate` with `ssl_certificate_key`, in order.
    pub certificates: Vec<CertificatePair>,
    /// `ssl_password_file`: the full name of the file with the passwords of the keys.
    pub password_file: Option<Set<String>>,
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
    /// `ssl_client_certificate`: the file's full name.
    pub client_certificate: Option<Set<String>>,
    /// `ssl_trusted_certificate`: the file's full name.
    pub trusted_certificate: Option<Set<String>>,
    /// `ssl_crl`: the file's full name.
    pub crl: Option<Set<String>>,
    /// `ssl_stapling`.
    pub stapling: Option<Set<bool>>,
    /// `ssl_session_cache`: its arguments.
    pub session_cache: Option<Set<Vec<String>>>,
    /// `ssl_session_timeout`.
    pub session_timeout: Option<Set<String>>,
    /// `ssl_alpn` of `stream`.
    pub alpn: Option<Set<Vec<String>>>,
}

#[cfg(test)]
mod tests;
