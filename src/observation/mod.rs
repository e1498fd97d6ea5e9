//! The observations: what a probe saw, for rules to judge.
//!
//! Plain data without judgement. A failed connection is an observation, never an `Err`, and what was not tried is
//! recorded as such.

pub mod nginx;
pub mod quic;
pub mod scan;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::nginx::NginxAttempt;
use self::quic::QuicFacts;
use self::scan::{BrowserHello, Replay, Scan};
use crate::certificate::Chain;
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// Something that a probe may look for, and what it saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed<T> {
    /// It was there.
    Seen(T),
    /// It was looked for and is not there.
    Absent,
    /// Looking for it failed.
    Failed(Failure),
    /// It was not looked for.
    #[default]
    NotTried,
}

impl<T> Observed<T> {
    /// What was seen, if anything was.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            _ => None,
        }
    }
}

/// How far an attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Looking up the name.
    Dns,
    /// The TCP connection.
    Connect,
    /// The plain-text dialogue before TLS.
    Starttls,
    /// The TLS handshake.
    Handshake,
    /// The first read after the handshake.
    PostHandshake,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Starttls => "starttls",
            Self::Handshake => "handshake",
            Self::PostHandshake => "post-handshake",
        })
    }
}

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Cause {
    /// The name has no address, or the resolver failed; the resolver's message.
    #[error("the name could not be resolved: {0}")]
    DnsFailure(String),
    /// Nothing listens on the port.
    #[error("connection refused")]
    ConnectionRefused,
    /// The network or host cannot be reached from here.
    #[error("no route: {0}")]
    Unreachable(String),
    /// The deadline of the stage passed.
    #[error("timed out")]
    TimedOut,
    /// The peer reset the connection.
    #[error("connection reset by peer")]
    Reset,
    /// The peer closed the connection without an alert.
    #[error("connection closed by peer")]
    Closed,
    /// The server refused STARTTLS; its reply.
    #[error("the server refused STARTTLS: {0}")]
    StarttlsRefused(String),
    /// The server refuses this client for a reason that has nothing to do with TLS; its reply.
    #[error("the server turned the connection away: {0}")]
    TurnedAway(String),
    /// The peer sent a fatal alert.
    #[error("alert {0}")]
    Alert(AlertDescription),
    /// The peer's first bytes are not TLS.
    #[error("the peer does not speak TLS: {0}")]
    NotTls(PlainProtocol),
    /// The server selected what was not offered, or supports nothing that the complete engine does; the TLS library's
    /// message.
    #[error("the peer is incompatible: {0}")]
    Incompatible(String),
    /// The peer violated the protocol; the TLS library's message.
    #[error("protocol error: {0}")]
    ProtocolError(String),
    /// The peer sent more than the limit.
    #[error("the peer sent too much")]
    TooMuchData,
    /// This machine could not make the attempt (no file descriptor, no port); the system's message.
    #[error("this machine could not make the attempt: {0}")]
    Local(String),
    /// The run was stopped, or its time was up, before the attempt.
    #[error("the run ended first")]
    Cancelled,
}

/// The protocol that a peer without TLS seems to speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlainProtocol {
    /// An HTTP response; its status line.
    Http(String),
    /// An SSH banner.
    Ssh(String),
    /// A greeting of a protocol with STARTTLS; its first line.
    Greeting(String),
    /// An unknown protocol; its first bytes.
    Unknown(Vec<u8>),
}

impl fmt::Display for PlainProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(line) => write!(f, "it answers in plain HTTP ({line:?})"),
            Self::Ssh(line) => write!(f, "it is an SSH server ({line:?})"),
            Self::Greeting(line) => write!(f, "it greets in plain text ({line:?})"),
            Self::Unknown(bytes) => write!(f, "its first bytes are {bytes:02x?}"),
        }
    }
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How far it got.
    pub stage: Stage,
    /// Why it ended.
    pub cause: Cause,
}

impl Failure {
    /// Whether the peer refused the handshake, by an alert or by ending the connection.
    pub fn is_refusal(&self) -> bool {
        self.stage >= Stage::Handshake
            && matches!(self.cause, Cause::Alert(_) | Cause::Closed | Cause::Reset)
    }

    /// Whether the peer refused the handshake or did not answer its hello at all.
    pub fn is_silence_or_refusal(&self) -> bool {
        self.is_refusal() || (self.stage == Stage::Handshake && self.cause == Cause::TimedOut)
    }
}

/// The engine that made a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Our own hello and the server's flight; no cryptography.
    Raw,
    /// A complete handshake.
    Rustls,
}

/// What the server did about client certificates in one handshake.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ClientAuth {
    /// It did not ask.
    #[default]
    NotRequested,
    /// It asked. Whether it requires one was not seen.
    Requested(ClientCertificateRequest),
    /// It asked, and answered a request with or without a certificate.
    Served(ClientCertificateRequest),
    /// It asked, and refused the connection because of the answer.
    Required(ClientCertificateRequest, ClientRefusal),
}

impl ClientAuth {
    /// The request, if the server made one.
    pub fn request(&self) -> Option<&ClientCertificateRequest> {
        match self {
            Self::NotRequested => None,
            Self::Requested(request) | Self::Served(request) | Self::Required(request, _) => {
                Some(request)
            }
        }
    }
}

/// A CertificateRequest message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClientCertificateRequest {
    /// Subjects of the CAs that the server accepts, as in RFC 4514; empty means any.
    pub authorities: Vec<String>,
    /// Whether a certificate of ours was sent.
    pub answered: bool,
}

/// How a server refuses a client with a wrong certificate, or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientRefusal {
    /// An alert during the handshake (TLS 1.2) or on the first read after it (TLS 1.3).
    Alert(AlertDescription),
    /// The connection was closed without an alert, as nginx's stream module does.
    Closed,
    /// An HTTP response, as nginx sends it; its status.
    Http(u16),
    /// A line of the protocol inside TLS, as nginx's mail module sends it.
    Words(String),
}

/// What a completed handshake negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The key exchange group, if there was one.
    pub group: Option<NamedGroup>,
    /// The selected ALPN protocol, as text.
    pub alpn: Option<String>,
    /// The stapled OCSP response, in DER.
    pub ocsp_staple: Option<Vec<u8>>,
}

/// One cell of the matrix: one connection with one hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handshake {
    /// The name that was sent; `None` without SNI.
    pub sni: Option<String>,
    /// The only version that was offered.
    pub version: ProtocolVersion,
    /// Who made it.
    pub engine: Engine,
    /// What was negotiated, or why it was not.
    pub outcome: Result<Session, Failure>,
    /// The server's certificates, even if the handshake failed later.
    pub chain: Option<Arc<Chain>>,
    /// What was seen of client certificates.
    pub client_auth: ClientAuth,
    /// How long the TCP connection took.
    pub connect_time: Option<Duration>,
    /// The time from the first byte of the hello to the end of the handshake, successful or not.
    pub handshake_time: Option<Duration>,
    /// The signature that proves possession of the certificate's key did not verify.
    pub bad_signature: bool,
    /// That signature could not be checked: the library does not support the scheme, the certificate or the size of the
    /// key.
    pub unchecked_signature: bool,
    /// The scheme of the server's signature, if the handshake got that far.
    pub signature_scheme: Option<SignatureScheme>,
    /// Whether the session could be resumed on a second connection.
    pub resumption: Observed<()>,
    /// Whether the server's tickets allow early data (RFC 8446 section 2.3).
    pub early_data: Observed<()>,
}

impl Handshake {
    /// Whether the handshake completed and the server kept the connection.
    pub fn established(&self) -> bool {
        self.outcome.is_ok()
    }

    /// What was negotiated, if the handshake completed.
    pub fn session(&self) -> Option<&Session> {
        self.outcome.as_ref().ok()
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.outcome.as_ref().err()
    }
}

/// The server's answer to a raw hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawHello {
    /// The name that was sent; `None` without SNI.
    pub sni: Option<String>,
    /// The version offered.
    pub version: ProtocolVersion,
    /// What the server chose, or why it did not.
    pub outcome: Result<RawChoice, Failure>,
    /// The server's certificates; only up to TLS 1.2, which does not encrypt them.
    pub chain: Option<Arc<Chain>>,
}

/// What a server selected in answer to a raw hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawChoice {
    /// The version that it speaks.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The key exchange group, if the answer contains one.
    pub group: Option<NamedGroup>,
    /// The signature scheme of its key exchange; only in TLS 1.2, where it is not encrypted.
    pub scheme: Option<SignatureScheme>,
}

/// Whether equal connections had equal results, and the failure if not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steadiness {
    /// Always, as far as seen.
    #[default]
    Steady,
    /// Some concurrent connections failed like this; connections made one at a time did not.
    OneAtATime(Failure),
    /// Even of connections made one at a time, some fail like this.
    Unsteady(Failure),
}

/// Everything that was seen at one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where the connections went.
    pub address: SocketAddr,
    /// The matrix, in the order of the plan.
    pub handshakes: Vec<Handshake>,
    /// Raw hellos, sent after a handshake of the matrix failed.
    pub raw: Vec<RawHello>,
    /// The answers to the hello of a current browser; `None` if it was not sent.
    pub browser: Option<BrowserHello>,
    /// Handshakes without the application protocols that the operator expects, of the versions that were refused with
    /// them.
    #[serde(default)]
    pub without_alpn: Vec<Handshake>,
    /// The answer of TLS 1.3 to a hello without post-quantum groups; tested if TLS 1.2 refuses ECDHE although TLS 1.3
    /// selected a post-quantum group.
    pub classic_groups: Option<Result<RawChoice, Failure>>,
    /// The results of scans: with the target's name, and without it if the results differ. Empty without a scan.
    pub scans: Vec<Scan>,
    /// The results of the clients that were replayed.
    pub replays: Vec<Replay>,
    /// Whether equal connections had equal results.
    pub steadiness: Steadiness,
    /// A requested scan was not made, because too many errors would lock this machine out.
    pub scan_withheld: bool,
    /// Connections opened to the address, except those that test nginx as the client.
    pub connections: u32,
    /// Handshakes as nginx makes them: as configured, then with changes. Empty if its settings are unknown.
    pub nginx: Vec<NginxAttempt>,
    /// What was seen besides the handshakes, if they were made over QUIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quic: Option<Box<QuicFacts>>,
}

impl Endpoint {
    /// An address with only its matrix.
    pub fn new(address: SocketAddr, handshakes: Vec<Handshake>) -> Self {
        Self {
            address,
            handshakes,
            raw: Vec::new(),
            browser: None,
            without_alpn: Vec::new(),
            classic_groups: None,
            scans: Vec::new(),
            replays: Vec::new(),
            steadiness: Steadiness::Steady,
            scan_withheld: false,
            connections: 0,
            nginx: Vec::new(),
            quic: None,
        }
    }

    /// The matrix cell with that version, with or without SNI.
    pub fn cell(&self, with_sni: bool, version: ProtocolVersion) -> Option<&Handshake> {
        self.handshakes.iter().find(|h| h.sni.is_some() == with_sni && h.version == version)
    }

    /// Every connection that was opened to the address.
    pub fn all_connections(&self) -> u32 {
        self.connections + self.nginx.iter().map(NginxAttempt::connections).sum::<u32>()
    }

    /// Whether more than the matrix was requested.
    pub fn is_scanned(&self) -> bool {
        !self.scans.is_empty() || !self.replays.is_empty()
    }

    /// The matrix cells with or without SNI.
    pub fn cells(&self, with_sni: bool) -> impl Iterator<Item = &Handshake> {
        self.handshakes.iter().filter(move |h| h.sni.is_some() == with_sni)
    }
}

/// The addresses of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Addresses {
    /// The addresses, in the resolver's order.
    Found(Vec<IpAddr>),
    /// The lookup failed.
    Failed(Failure),
    /// They were not looked up, for this reason.
    NotTried(Untried),
}

/// Why no connection was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Untried {
    /// The run was stopped, or its time was up, before this target.
    #[error("the run ended first")]
    Cancelled,
    /// This program failed while it tested the target.
    #[error("internal error")]
    InternalError,
    /// Nothing can connect to it; the reason.
    #[error("{0}")]
    Impossible(String),
    /// There is nothing to connect to: a file or a configuration is judged by its text.
    #[error("only its text was read")]
    TextOnly,
}

/// Everything that was seen of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// The addresses found, or why there are none.
    pub addresses: Addresses,
    /// One entry for each address, in the order of the resolver.
    pub endpoints: Vec<Endpoint>,
}

impl Observation {
    /// The observation of a target that was not tried.
    pub fn not_tried(reason: Untried) -> Self {
        Self { addresses: Addresses::NotTried(reason), endpoints: Vec::new() }
    }

    /// Every connection that was opened for the target.
    pub fn connections(&self) -> u32 {
        self.endpoints.iter().map(Endpoint::all_connections).sum()
    }

    /// Removes all durations.
    pub fn forget_times(&mut self) {
        let cells = self.endpoints.iter_mut().flat_map(|endpoint| {
            let beside = endpoint.quic.iter_mut().flat_map(|facts| &mut facts.over_tcp);
            endpoint.handshakes.iter_mut().chain(beside)
        });
        for cell in cells {
            (cell.connect_time, cell.handshake_time) = (None, None);
        }
    }
}
