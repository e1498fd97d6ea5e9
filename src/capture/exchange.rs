//! One handshake as a capture shows it, and how it ended: plain data.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use super::kept::KeptPackets;
use super::seen_answer::SeenAnswer;
use super::seen_hello::SeenHello;
use super::turns::RequestTurns;
use crate::certificate::parse::Fingerprint;
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::version::ProtocolVersion;

/// One of the two ends of a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The end that opened the connection.
    Client,
    /// The end that was connected to.
    Server,
}

/// What carries a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeTransport {
    /// Records over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// An alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeAlert {
    /// Who sent it.
    pub by: Party,
    /// Whether it ends the connection.
    pub fatal: bool,
    /// What it says; `None` where it is encrypted.
    pub description: Option<AlertDescription>,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Whether only the size and the place of a record tell that it is one.
    pub inferred: bool,
    /// Whether it was encrypted, and opened with the keys of a key log.
    pub opened: bool,
}

/// Who ended the connection first, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeEnd {
    /// Who did.
    pub by: Party,
    /// Whether it was broken off.
    pub reset: bool,
    /// Nanoseconds since 1970.
    pub time: i64,
}

/// What became of the server's wish for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// The server asked for none.
    None,
    /// The server asked for one, and nothing tells what it got.
    Requested,
    /// The client sent none.
    Empty,
    /// The client sent one.
    Sent,
}

/// How far a handshake had come.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeStage {
    /// The client's hello was not whole.
    AmidHello,
    /// The server had the hello and had not answered.
    AfterHello,
    /// The server had asked for another hello.
    AfterRetry,
    /// The client had the server's answer, with its certificate unless a session was resumed.
    AfterAnswer,
    /// The server had what the client sends after that.
    AfterClientKey,
}

/// How a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breakdown {
    /// One side said so.
    Alert {
        /// Who sent the alert.
        by: Party,
        /// What it says.
        description: AlertDescription,
        /// How far the handshake had come.
        stage: HandshakeStage,
    },
    /// One side said so in a record that is encrypted: its size and place tell.
    SealedAlert {
        /// Who sent the alert.
        by: Party,
        /// How far the handshake had come.
        stage: HandshakeStage,
    },
    /// The client speaks plain HTTP to a port for TLS.
    PlainHttp,
    /// The server does not answer with TLS.
    NotTls {
        /// Whether its answer is one of HTTP.
        http: bool,
    },
    /// One side closed a connection of QUIC with an error that is no alert.
    QuicClosed {
        /// Who did.
        by: Party,
        /// The error.
        error: u64,
        /// How far the handshake had come.
        stage: HandshakeStage,
    },
    /// The server speaks other versions of QUIC than the client.
    NoQuicVersion,
    /// One side left without a word.
    Left {
        /// Who did.
        by: Party,
        /// How far the handshake had come.
        stage: HandshakeStage,
        /// Whether the connection was broken off.
        reset: bool,
    },
    /// The server took the hello and never answered; the client waited and gave up.
    Unanswered {
        /// Whether the server's side acknowledged all of the hello.
        acknowledged: bool,
    },
}

/// Why it is unclear how a handshake ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The handshake was under way when the capture ended, or nothing more came of the connection.
    Unfinished,
    /// The capture lacks some of what was sent.
    Incomplete,
    /// Only one direction was captured.
    OneDirection,
    /// What was sent can be read in more than one way.
    Ambiguous,
}

impl Doubt {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unfinished => "nothing more of it was captured",
            Self::Incomplete => "the capture lacks some of what was sent",
            Self::OneDirection => "only one direction was captured",
            Self::Ambiguous => "what was sent can be read in more than one way",
        }
    }
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Both sides finished it.
    Established,
    /// It failed.
    Failed(Breakdown),
    /// The capture does not tell.
    Unclear(Doubt),
}

/// A handshake.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What carries it.
    pub transport: ExchangeTransport,
    /// Who opened the connection.
    pub client: SocketAddr,
    /// To whom.
    pub server: SocketAddr,
    /// The client that a PROXY header names.
    pub proxied: Option<SocketAddr>,
    /// What came before TLS.
    pub preface: Option<&'static str>,
    /// When the connection's first packet came, in nanoseconds since 1970.
    pub opened: i64,
    /// When the hello was there.
    pub hello_time: Option<i64>,
    /// When the server's first record was there.
    pub answer_time: Option<i64>,
    /// What the client offers first.
    pub hello: Option<Arc<SeenHello>>,
    /// The body of that hello as it came, if it was to be kept.
    pub first_hello: Option<Box<[u8]>>,
    /// The server's request for another hello.
    pub retry: Option<SeenAnswer>,
    /// What the server chose.
    pub answer: Option<SeenAnswer>,
    /// The version that was agreed on.
    pub version: Option<ProtocolVersion>,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// SHA-256 of the server's certificates, as far as they can be read, in the order sent.
    pub chain: Vec<Fingerprint>,
    /// The same of the client's certificates.
    pub client_chain: Vec<Fingerprint>,
    /// The names of the authorities of which the server wants a client certificate, each in DER; none means any.
    pub authorities: Option<Arc<[Vec<u8>]>>,
    /// Whether a session was resumed.
    pub resumed: Option<bool>,
    /// The client's certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// Alerts, in the order of their times.
    pub alerts: Vec<ExchangeAlert>,
    /// Whether encrypted records of it were opened with the keys of a key log.
    pub is_opened: bool,
    /// Who ended the connection first.
    pub end: Option<ExchangeEnd>,
    /// Whether all that was sent was captured, as far as can be seen.
    pub whole: bool,
    /// Its packets, if they were to be kept.
    pub packets: Option<Box<KeptPackets>>,
    /// The client's requests, if they were to be kept.
    pub turns: RequestTurns,
    /// How it ended.
    pub conclusion: Conclusion,
}

impl Exchange {
    /// The name that the client asked for, if it is text.
    pub fn server_name(&self) -> Option<String> {
        let name = self.hello.as_ref()?.server_name.as_deref()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Who the client is: the address that a PROXY header names counts more than the balancer's.
    pub fn true_client(&self) -> SocketAddr {
        self.proxied.unwrap_or(self.client)
    }
}
