//! What to test: the [`Target`] and every way to name one. This module reads the files that name targets.

pub mod address;
mod advice;
pub mod behaviour;
pub mod certificate_file;
pub mod clients;
pub mod disk;
pub mod former;
pub mod from_nginx;
pub mod identity;
pub mod inventory;
pub mod list;
pub mod nginx_client;
pub mod opened_files;
pub mod openssl_conf;
pub mod options;
pub mod passwords;
pub mod places;
pub mod proxy_ssl;
pub mod range;
pub mod redirect;
pub mod regular_file;
pub mod secret_files;
pub mod shard;
pub mod target_list;
pub mod toml;
pub mod trust;
mod value_lines;
pub mod written;
pub mod yaml_growth;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::nginx_client::NginxClient;
use self::passwords::PasswordPlace;
use crate::certificate::file::FileChain;
use crate::certificate::stored::StoredBytes;
use crate::tls::profile::Profile;
use crate::tls::version::ProtocolVersion;

/// A host to connect to: a DNS name in lower case, as A-labels, or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Host {
    /// An address literal, which is never sent as SNI.
    Ip(IpAddr),
    /// A DNS name.
    Name(String),
}

impl Host {
    /// Whether it stands for all addresses of a machine.
    pub fn is_unspecified(&self) -> bool {
        matches!(self, Self::Ip(ip) if ip.is_unspecified())
    }

    /// The path of a unix socket.
    pub fn unix_path(&self) -> Option<&str> {
        match self {
            Self::Name(name) => name.strip_prefix("unix:"),
            Self::Ip(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => fmt::Display::fmt(ip, f),
            Self::Name(name) => f.pad(name),
        }
    }
}

/// Which side of nginx the endpoint is on; this affects the severity of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Clients of every kind connect to it.
    #[default]
    Listener,
    /// nginx connects to it as a proxy, and by default sends no SNI.
    Upstream,
}

/// The roots to verify against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trust {
    /// The base set.
    pub roots: Roots,
    /// Certificate files whose contents are trusted as well.
    pub additional: Vec<PathBuf>,
}

/// A base set of roots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Roots {
    /// Only the certificates in this PEM or DER file.
    File(PathBuf),
    /// Mozilla's roots, as compiled in.
    Mozilla,
    /// The operating system's roots.
    #[default]
    Native,
}

/// A protocol that starts in plain text and is upgraded to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    /// AUTH TLS (RFC 4217).
    Ftp,
    /// STARTTLS (RFC 3501).
    Imap,
    /// STARTTLS before registration.
    Irc,
    /// The StartTLS extended operation (RFC 4511).
    Ldap,
    /// STARTTLS after LHLO (RFC 2033).
    Lmtp,
    /// The SSLRequest capability packet.
    Mysql,
    /// STARTTLS (RFC 4642).
    Nntp,
    /// STLS (RFC 2595).
    Pop3,
    /// The SSLRequest message.
    Postgres,
    /// STARTTLS of ManageSieve (RFC 5804).
    Sieve,
    /// STARTTLS (RFC 3207).
    Smtp,
    /// The starttls stream feature, client to server (RFC 6120).
    Xmpp,
    /// The same between servers.
    XmppServer,
}

impl StartTls {
    /// Every protocol, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// Its name in `openssl s_client -starttls`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Imap => "imap",
            Self::Irc => "irc",
            Self::Ldap => "ldap",
            Self::Lmtp => "lmtp",
            Self::Mysql => "mysql",
            Self::Nntp => "nntp",
            Self::Pop3 => "pop3",
            Self::Postgres => "postgres",
            Self::Sieve => "sieve",
            Self::Smtp => "smtp",
            Self::Xmpp => "xmpp",
            Self::XmppServer => "xmpp-server",
        }
    }

    /// The usual port of the plain-text protocol.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Ftp => 21,
            Self::Imap => 143,
            Self::Irc => 6667,
            Self::Ldap => 389,
            Self::Lmtp => 24,
            Self::Mysql => 3306,
            Self::Nntp => 119,
            Self::Pop3 => 110,
            Self::Postgres => 5432,
            Self::Sieve => 4190,
            Self::Smtp => 25,
            Self::Xmpp => 5222,
            Self::XmppServer => 5269,
        }
    }

    /// The STARTTLS protocol that is usually used on that port.
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            587 | 2525 => Some(Self::Smtp),
            port => Self::all().find(|protocol| protocol.default_port() == port),
        }
    }

    /// The protocol of a URL with this scheme.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "postgresql" => Some(Self::Postgres),
            "mariadb" => Some(Self::Mysql),
            scheme => Self::all().find(|protocol| protocol.name() == scheme),
        }
    }
}

/// A certificate and key to present when the server asks.
pub struct ClientIdentity {
    /// The client's chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key; `None` in saved observations, which never contain one.
    pub key: Option<PrivateKeyDer<'static>>,
    /// The file that the certificate came from, for commands that reproduce a finding.
    pub certificate_file: PathBuf,
    /// The file that the key came from.
    pub key_file: PathBuf,
    /// Where the key's password is, if it is encrypted.
    pub password: Option<PasswordPlace>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("certificate_file", &self.certificate_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

/// An identity as it is saved, without its key.
#[derive(Serialize, Deserialize)]
struct SavedIdentity {
    chain: Vec<StoredBytes>,
    certificate_file: PathBuf,
    key_file: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<PasswordPlace>,
}

impl Serialize for ClientIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SavedIdentity {
            chain: self.chain.iter().map(|der| StoredBytes(der.to_vec())).collect(),
            certificate_file: self.certificate_file.clone(),
            key_file: self.key_file.clone(),
            password: self.password.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClientIdentity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = SavedIdentity::deserialize(deserializer)?;
        Ok(Self {
            chain: saved.chain.into_iter().map(|StoredBytes(der)| der.into()).collect(),
            key: None,
            certificate_file: saved.certificate_file,
            key_file: saved.key_file,
            password: saved.password,
        })
    }
}

/// How a server is expected to handle client certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificatePolicy {
    /// The server must not ask for one.
    None,
    /// The server asks, and serves clients without one as well.
    Optional,
    /// The server refuses clients without one.
    Required,
}

/// The operator's expectations of the endpoint; `None` and empty mean none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectations {
    /// The server accepts exactly these versions.
    pub protocols: Option<Vec<ProtocolVersion>>,
    /// How client certificates are handled.
    pub client_certificate: Option<ClientCertificatePolicy>,
    /// Days before expiry from which a certificate is reported; `None` means 30, or a third of its lifetime if less.
    pub warning_days: Option<u32>,
    /// Days before expiry from which a certificate is an error.
    #[serde(default)]
    pub critical_days: Option<u32>,
    /// ALPN protocols to offer; the server must select one of them.
    pub alpn: Vec<String>,
    /// Clients that must be able to connect.
    pub clients: Vec<&'static Profile>,
    /// Clients that the operator asks about by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<&'static Profile>,
}

/// Where a target was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file, as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// What a target is of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilePart {
    /// A chain of certificates.
    #[default]
    Chain,
    /// Its revocation lists.
    RevocationLists,
    /// What of it could not be read.
    Unread,
}

/// The kind of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetKind {
    /// A server to connect to.
    Endpoint {
        /// The host that the user named; its name is the SNI and the name to verify unless the target has a server name.
        host: Host,
        /// The port that the user named.
        port: u16,
        /// Where to connect instead of `host:port`.
        connect_to: Option<(Host, u16)>,
    },
    /// An nginx configuration, or a place in one that nothing can connect to.
    Configuration,
    /// A certificate file, checked for this name.
    File {
        /// The name that the certificate must cover.
        host: Host,
        /// What of the file it is.
        #[serde(default)]
        part: FilePart,
    },
    /// The file of a client's certificate.
    ClientFile {
        /// The subject of the certificate.
        host: Host,
        /// Subjects of the CA certificates that the server names in its request; `None` if not given.
        authorities: Option<Vec<String>>,
    },
}

/// One thing to audit, with every default resolved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts about it")]
pub struct Target {
    /// Its name in reports: the user's name for it, or `host:port`.
    pub name: String,
    /// What it is: an endpoint, unless no connection is made.
    pub kind: TargetKind,
    /// The name to send as SNI; `None` if the host is an address and no name was given.
    pub server_name: Option<String>,
    /// Further names and addresses that the certificate must cover.
    pub extra_names: Vec<String>,
    /// Which side of nginx it is on.
    pub role: Role,
    /// Which roots to verify against.
    pub trust: Trust,
    /// What to present when the server asks for a client certificate.
    pub client_identity: Option<Arc<ClientIdentity>>,
    /// The plain-text protocol to upgrade from.
    pub starttls: Option<StartTls>,
    /// Replaces the run's connect and handshake deadlines.
    pub timeout: Option<Duration>,
    /// What the operator expects.
    pub expect: Expectations,
    /// nginx as its client, if its settings are known.
    pub nginx: Option<Arc<NginxClient>>,
    /// Whether to send a PROXY protocol line first.
    pub proxy_protocol: bool,
    /// Whether its socket is one of UDP, and TLS is a part of QUIC.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quic: bool,
    /// Names that the endpoint may know, likeliest first, to be tried in fixes.
    pub likely_names: Vec<String>,
    /// The certificate may have any name, because the right one is unknown.
    pub any_name: bool,
    /// Whether its configuration has `ssl_stapling on`.
    #[serde(default)]
    pub staples: bool,
    /// Whether stapling was turned off for a rehearsal, so that it cannot be judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unstapled: bool,
    /// Whether it says nothing after the handshake until it gets a request: the http module of a rehearsed nginx.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_request: bool,
    /// What its clients could do before a change, if it is compared with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<former::Former>,
    /// Why its configuration lists no suite up to TLS 1.2 that its certificates can be used with, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable_suites: Option<String>,
    /// What the configuration of this machine's nginx says of the live socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Box<written::WrittenSettings>>,
    /// The files from which the certificate is served.
    pub files: Vec<FileChain>,
    /// Where it was named; `None` for the command line.
    pub origin: Option<Origin>,
    /// All other places that lead to it with the same settings.
    #[serde(default)]
    pub more_origins: Vec<Origin>,
}

impl Target {
    /// The host that the user named; a configuration has none.
    pub fn host(&self) -> Option<&Host> {
        match &self.kind {
            TargetKind::Endpoint { host, .. }
            | TargetKind::File { host, .. }
            | TargetKind::ClientFile { host, .. } => Some(host),
            TargetKind::Configuration => None,
        }
    }

    /// The port that the user named, if this is an endpoint.
    pub fn port(&self) -> Option<u16> {
        match self.kind {
            TargetKind::Endpoint { port, .. } => Some(port),
            TargetKind::Configuration | TargetKind::File { .. } | TargetKind::ClientFile { .. } => {
                None
            }
        }
    }

    /// Host and port to connect to; `None` if no connection is made.
    pub fn endpoint(&self) -> Option<(&Host, u16)> {
        match &self.kind {
            TargetKind::Endpoint { connect_to: Some((host, port)), .. }
            | TargetKind::Endpoint { host, port, .. } => Some((host, *port)),
            TargetKind::Configuration | TargetKind::File { .. } | TargetKind::ClientFile { .. } => {
                None
            }
        }
    }

    /// The name or address that clients know it by: the server name, or else the host; a unix socket has none.
    pub fn known_as(&self) -> Option<Host> {
        let host = || self.host().filter(|host| host.unix_path().is_none()).cloned();
        self.server_name.clone().map(Host::Name).or_else(host)
    }

    /// Whether known clients can be replayed there: a listener of TCP.
    pub fn is_tcp_listener(&self) -> bool {
        self.role == Role::Listener && !self.quic
    }

    /// The QUIC socket of the same address, port and name. What only concerns TCP is not expected of it.
    #[must_use]
    pub fn over_quic(self) -> Self {
        let expect = Expectations {
            protocols: None,
            alpn: Vec::new(),
            clients: Vec::new(),
            asked: Vec::new(),
            ..self.expect
        };
        Self {
            name: format!("{} (QUIC)", self.name),
            quic: true,
            expect,
            proxy_protocol: false,
            unusable_suites: None,
            written: None,
            ..self
        }
    }

    /// Whether it is the file of a client's certificate.
    pub fn is_client_file(&self) -> bool {
        matches!(self.kind, TargetKind::ClientFile { .. })
    }

    /// The names that the certificate must cover: the server name (or the host), then the extra ones. nginx verifies
    /// the name in its directives, never the address that it connects to; a client's name is not verified.
    pub fn required_names(&self) -> impl Iterator<Item = Host> + '_ {
        let host = |name: &String| name.parse().map_or_else(|_| Host::Name(name.clone()), Host::Ip);
        let counts = |host: &Host| {
            !(self.any_name
                || self.is_client_file()
                || self.nginx.is_some() && matches!(host, Host::Ip(_)))
        };
        self.known_as().into_iter().filter(counts).chain(self.extra_names.iter().map(host))
    }
}
