//! What was seen: the facts that a probe brings home and that rules judge.
//!
//! Plain data without judgement. A failed connection is an observation, never an `Err`, and what was not tried says so.

pub mod nginx;
pub mod scan;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::nginx::NginxAttempt;
use self::scan::{BrowserHello, Replay, Scan};
use crate::certificate::Chain;
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// A question put to the network, and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed<T> {
    /// It was there.
    Seen(T),
    /// It was looked for and is not there.
    Absent,
    /// Looking for it failed.
    Failed(Failure),
    /// Nobody looked.
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
    /// The plain-text prelude.
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
    /// The name has no address, or the resolver failed; its own words.
    #[error("the name could not be resolved: {0}")]
    DnsFailure(String),
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// The network or host cannot be reached from here.
    #[error("no route: {0}")]
    Unreachable(String),
    /// A deadline passed at the stage named beside it.
    #[error("timed out")]
    TimedOut,
    /// The peer reset the connection.
    #[error("connection reset by peer")]
    Reset,
    /// The peer closed the connection without an alert.
    #[error("connection closed by peer")]
    Closed,
    /// The plain-text prelude was refused; the server's words.
    #[error("the server refused STARTTLS: {0}")]
    StarttlsRefused(String),
    /// The server does not talk to this client, for a reason that has nothing to do with TLS; its words.
    #[error("the server turned the connection away: {0}")]
    TurnedAway(String),
    /// The peer sent a fatal alert.
    #[error("alert {0}")]
    Alert(AlertDescription),
    /// The peer's first bytes are not TLS.
    #[error("the peer does not speak TLS: {0}")]
    NotTls(PlainProtocol),
    /// The peer chose what was not offered, or offers nothing that the complete engine speaks; the TLS library's words.
    #[error("the peer is incompatible: {0}")]
    Incompatible(String),
    /// The peer broke the protocol; the TLS library's words.
    #[error("protocol error: {0}")]
    ProtocolError(String),
    /// The peer sent more than any honest server would.
    #[error("the peer sent too much")]
    TooMuchData,
    /// This machine could not make the attempt (no file descriptor, no port); the system's words.
    #[error("this machine could not make the attempt: {0}")]
    Local(String),
    /// The run was stopped, or its time was up, before the attempt.
    #[error("the run ended first")]
    Cancelled,
}

/// What a peer that speaks no TLS seems to speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlainProtocol {
    /// An HTTP response; its status line.
    Http(String),
    /// An SSH banner.
    Ssh(String),
    /// A greeting of a protocol that knows STARTTLS; its first line.
    Greeting(String),
    /// Bytes of no known protocol, the first few of them.
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

/// An attempt that ended early.
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

/// Which engine made a handshake.
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
    /// It asked. Whether it insists was not seen.
    Requested(ClientCertificateRequest),
    /// It asked, and answered a request whatever the client sent.
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
    /// Subjects of the authorities that the server accepts, in the form of RFC 4514; empty means any.
    pub authorities: Vec<String>,
    /// Whether a certificate of ours was sent in answer.
    pub answered: bool,
}

/// The shape in which a server refuses a client for its certificate, or for want of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientRefusal {
    /// An alert during the handshake (TLS 1.2) or on the first read after it (TLS 1.3).
    Alert(AlertDescription),
    /// The connection was closed without an alert, as nginx's stream module does.
    Closed,
    /// An HTTP answer, as nginx gives it: the status line's number.
    Http(u16),
    /// A line of the protocol behind TLS, as nginx's mail module gives it.
    Words(String),
}

/// What a completed handshake negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The key-exchange group, where the handshake had one.
    pub group: Option<NamedGroup>,
    /// The ALPN protocol chosen, as text.
    pub alpn: Option<String>,
    /// The stapled OCSP response, in DER.
    pub ocsp_staple: Option<Vec<u8>>,
}

/// One cell of the matrix: one connection with one hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handshake {
    /// The name sent, `None` where none was.
    pub sni: Option<String>,
    /// The one version offered.
    pub version: ProtocolVersion,
    /// Who made it.
    pub engine: Engine,
    /// What was negotiated, or why it was not.
    pub outcome: Result<Session, Failure>,
    /// The certificates presented, even where the handshake failed later.
    pub chain: Option<Arc<Chain>>,
    /// What was seen of client certificates.
    pub client_auth: ClientAuth,
    /// How long the TCP connection took, where it was made.
    pub connect_time: Option<Duration>,
    /// From the first byte of the hello to the end of the handshake, good or bad.
    pub handshake_time: Option<Duration>,
    /// The signature that proves possession of the certificate's key did not verify.
    pub bad_signature: bool,
    /// That signature could not be checked: the library does not support the scheme, the certificate or the key's size.
    pub unchecked_signature: bool,
    /// The scheme in which the server signed, where the handshake got that far.
    pub signature_scheme: Option<SignatureScheme>,
    /// Whether the session could be resumed on a second connection.
    pub resumption: Observed<()>,
    /// Whether the server's tickets allow data before the handshake is over (RFC 8446 section 2.3).
    pub early_data: Observed<()>,
}

impl Handshake {
    /// Whether the handshake completed and the server kept the connection.
    pub fn established(&self) -> bool {
        self.outcome.is_ok()
    }

    /// What was negotiated, where it was.
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
    /// The name sent, `None` where none was.
    pub sni: Option<String>,
    /// The version offered.
    pub version: ProtocolVersion,
    /// What the server chose, or why it did not.
    pub outcome: Result<RawChoice, Failure>,
    /// The certificates it presented; only up to TLS 1.2, which shows them in the clear.
    pub chain: Option<Arc<Chain>>,
}

/// What a server chose in answer to a raw hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawChoice {
    /// The version that it speaks.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuite,
    /// The key-exchange group, where the answer names one.
    pub group: Option<NamedGroup>,
    /// The scheme in which its key exchange is signed; only in TLS 1.2, where it travels in the clear.
    pub scheme: Option<SignatureScheme>,
}

/// Whether equal connections ended equally, and what was met where they did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steadiness {
    /// As far as was seen.
    #[default]
    Steady,
    /// Some of those made at once failed like this; made one at a time they did not.
    OneAtATime(Failure),
    /// Even one at a time, some fail like this and others do not.
    Unsteady(Failure),
}

/// All that was seen at one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where the connections went.
    pub address: SocketAddr,
    /// The matrix, in the order of the plan.
    pub handshakes: Vec<Handshake>,
    /// Raw hellos, made where a handshake of the matrix failed.
    pub raw: Vec<RawHello>,
    /// How the hello of a current browser is answered; `None` where nobody sent it.
    pub browser: Option<BrowserHello>,
    /// The answer of TLS 1.3 to a hello without post-quantum groups; asked where ECDHE is refused in TLS 1.2 although
    /// TLS 1.3 agreed on a post-quantum group.
    pub classic_groups: Option<Result<RawChoice, Failure>>,
    /// What a scan listed: with the target's name, and without it where that differs. Empty where nobody scanned.
    pub scans: Vec<Scan>,
    /// How the wanted clients fare.
    pub replays: Vec<Replay>,
    /// Whether equal connections ended equally.
    pub steadiness: Steadiness,
    /// A scan was asked for and not made: too many errors would lock this machine out.
    pub scan_withheld: bool,
    /// Connections opened to the address, those for nginx left out.
    pub connections: u32,
    /// Handshakes as nginx makes them: as configured, then with changes. Empty where its settings are not known.
    pub nginx: Vec<NginxAttempt>,
}

impl Endpoint {
    /// An address with its matrix, and nothing beside it.
    pub fn new(address: SocketAddr, handshakes: Vec<Handshake>) -> Self {
        Self {
            address,
            handshakes,
            raw: Vec::new(),
            browser: None,
            classic_groups: None,
            scans: Vec::new(),
            replays: Vec::new(),
            steadiness: Steadiness::Steady,
            scan_withheld: false,
            connections: 0,
            nginx: Vec::new(),
        }
    }

    /// The matrix cell with that version, with or without a name.
    pub fn cell(&self, with_sni: bool, version: ProtocolVersion) -> Option<&Handshake> {
        self.handshakes.iter().find(|h| h.sni.is_some() == with_sni && h.version == version)
    }

    /// Every connection that was opened to the address.
    pub fn all_connections(&self) -> u32 {
        self.connections + self.nginx.iter().map(NginxAttempt::connections).sum::<u32>()
    }

    /// Whether more than the matrix was asked for.
    pub fn is_scanned(&self) -> bool {
        !self.scans.is_empty() || !self.replays.is_empty()
    }

    /// The matrix cells with (or without) a name.
    pub fn cells(&self, with_sni: bool) -> impl Iterator<Item = &Handshake> {
        self.handshakes.iter().filter(move |h| h.sni.is_some() == with_sni)
    }
}

/// The addresses of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Addresses {
    /// Those that were found, in the order of the resolver.
    Found(Vec<IpAddr>),
    /// They were looked for, without success.
    Failed(Failure),
    /// Nobody looked for them, for this reason.
    NotTried(Untried),
}

/// Why nothing was connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Untried {
    /// The run was stopped, or its time was up, before it came to the target.
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

/// All that was seen of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Observation {
    /// The addresses found, or why there are none.
    pub addresses: Addresses,
    /// One entry for each address, in the order of the resolver.
    pub endpoints: Vec<Endpoint>,
}

impl Observation {
    /// Nothing was seen, because nothing was tried.
    pub fn not_tried(reason: Untried) -> Self {
        Self { addresses: Addresses::NotTried(reason), endpoints: Vec::new() }
    }

    /// Every connection that was opened for the target.
    pub fn connections(&self) -> u32 {
        self.endpoints.iter().map(Endpoint::all_connections).sum()
    }

    /// Forgets how long everything took.
    pub fn forget_times(&mut self) {
        for cell in self.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.handshakes) {
            (cell.connect_time, cell.handshake_time) = (None, None);
        }
    }
}
