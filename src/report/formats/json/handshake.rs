//! A connection in the JSON document.

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::certificate::Chain;
use crate::observation::{
    Cause, ClientAuth, Engine, Failure, Handshake, Observed, RawHello, Session, Stage,
};

/// One connection.
#[derive(Serialize, JsonSchema)]
pub(super) struct HandshakeView<'a> {
    /// Address and port.
    address: String,
    /// The name that was sent; null without SNI.
    sni: Option<&'a str>,
    /// The version that the server chose; the one offered where it chose none.
    version: String,
    /// The newest version offered.
    offered_version: String,
    /// `rustls` for a complete handshake, `raw` for a hello that is not followed by one.
    engine: &'static str,
    /// `established` or `failed`; for a raw hello, whether the server answered with a ServerHello.
    outcome: &'static str,
    /// The stage that it reached: `dns`, `connect`, `starttls`, `handshake` or `post-handshake`.
    stage: String,
    /// Why it failed; null if it did not.
    cause: Option<&'static str>,
    /// The cause as text.
    detail: Option<String>,
    alert: Option<AlertView>,
    cipher_suite: Option<String>,
    group: Option<String>,
    alpn: Option<&'a str>,
    /// SHA-256 of the certificates as sent, leaf first.
    chain: Vec<String>,
    /// `none`, `requested` or `required`.
    client_certificate: &'static str,
    /// Whether a second connection resumed the session; null if that was not tried.
    resumed: Option<bool>,
    /// Whether an OCSP response was stapled.
    ocsp_stapled: bool,
    connect_ms: Option<f64>,
    handshake_ms: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct AlertView {
    number: u8,
    /// IANA's name; null for an unassigned number.
    name: Option<&'static str>,
}

impl<'a> HandshakeView<'a> {
    pub(super) fn of(address: SocketAddr, cell: &'a Handshake) -> Self {
        let session: Option<&Session> = cell.outcome.as_ref().ok();
        let failure = cell.failure();
        Self {
            address: address.to_string(),
            sni: cell.sni.as_deref(),
            version: cell.version.to_string(),
            offered_version: cell.version.to_string(),
            engine: engine(cell.engine),
            outcome: outcome(failure),
            stage: failure.map_or(Stage::Handshake, |failure| failure.stage).to_string(),
            cause: failure.map(|failure| cause(&failure.cause)),
            detail: failure.map(|failure| failure.cause.to_string()),
            alert: failure.and_then(alert),
            cipher_suite: session.map(|session| session.cipher_suite.to_string()),
            group: session.and_then(|session| session.group).map(|group| group.to_string()),
            alpn: session.and_then(|session| session.alpn.as_deref()),
            chain: fingerprints(cell.chain.as_deref()),
            client_certificate: match cell.client_auth {
                ClientAuth::NotRequested => "none",
                ClientAuth::Requested(_) | ClientAuth::Served(_) => "requested",
                ClientAuth::Required(..) => "required",
            },
            resumed: match cell.resumption {
                Observed::Seen(()) => Some(true),
                Observed::Absent => Some(false),
                Observed::Failed(_) | Observed::NotTried => None,
            },
            ocsp_stapled: session.is_some_and(|session| session.ocsp_staple.is_some()),
            connect_ms: cell.connect_time.map(milliseconds),
            handshake_ms: cell.handshake_time.map(milliseconds),
        }
    }

    pub(super) fn of_raw(address: SocketAddr, raw: &'a RawHello) -> Self {
        let choice = raw.outcome.as_ref().ok();
        let failure = raw.outcome.as_ref().err();
        Self {
            address: address.to_string(),
            sni: raw.sni.as_deref(),
            version: choice.map_or(raw.version, |choice| choice.version).to_string(),
            offered_version: raw.version.to_string(),
            engine: engine(Engine::Raw),
            outcome: outcome(failure),
            stage: failure.map_or(Stage::Handshake, |failure| failure.stage).to_string(),
            cause: failure.map(|failure| cause(&failure.cause)),
            detail: failure.map(|failure| failure.cause.to_string()),
            alert: failure.and_then(alert),
            cipher_suite: choice.map(|choice| choice.cipher_suite.to_string()),
            group: choice.and_then(|choice| choice.group).map(|group| group.to_string()),
            alpn: None,
            chain: fingerprints(raw.chain.as_deref()),
            client_certificate: "none",
            resumed: None,
            ocsp_stapled: false,
            connect_ms: None,
            handshake_ms: None,
        }
    }
}

fn fingerprints(chain: Option<&Chain>) -> Vec<String> {
    let certificates = chain.iter().flat_map(|chain| &chain.certificates);
    certificates.map(|certificate| certificate.sha256.to_string()).collect()
}

fn engine(engine: Engine) -> &'static str {
    match engine {
        Engine::Raw => "raw",
        Engine::Rustls => "rustls",
    }
}

fn outcome(failure: Option<&Failure>) -> &'static str {
    if failure.is_some() { "failed" } else { "established" }
}

fn alert(failure: &Failure) -> Option<AlertView> {
    match failure.cause {
        Cause::Alert(alert) => Some(AlertView { number: alert.0, name: alert.name() }),
        _ => None,
    }
}

fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Alert(_) => "alert",
        Cause::Cancelled => "cancelled",
        Cause::Closed => "connection-closed",
        Cause::ConnectionRefused => "connection-refused",
        Cause::DnsFailure(_) => "dns-failure",
        Cause::Incompatible(_) => "incompatible",
        Cause::Local(_) => "local-error",
        Cause::NotTls(_) => "not-tls",
        Cause::ProtocolError(_) => "protocol-error",
        Cause::Reset => "connection-reset",
        Cause::StarttlsRefused(_) => "starttls-refused",
        Cause::TurnedAway(_) => "turned-away",
        Cause::TimedOut => "timeout",
        Cause::TooMuchData => "too-much-data",
        Cause::Unreachable(_) => "unreachable",
    }
}

/// The measurement is not more precise than microseconds.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
