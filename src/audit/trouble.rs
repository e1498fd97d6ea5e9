//! Why a handshake of the matrix failed. Each failed handshake has one trouble, and each trouble belongs to one rule,
//! so no cause is reported twice and no failure is missed.

use crate::certificate::key::KeyType;
use crate::observation::{
    Cause, ClientAuth, Endpoint, Failure, Handshake, RawChoice, RawHello, Stage,
};
use crate::targets::Target;
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// The reason that one handshake did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing accepts the TCP connection.
    ConnectionRefused,
    /// The TCP connection timed out.
    ConnectTimeout,
    /// There is no route to the address.
    Unreachable,
    /// The TCP connection was made, but nothing was received.
    HandshakeTimeout,
    /// The server refuses this client.
    TurnedAway,
    /// This program could not make the attempt, or had no time for it.
    NotTested,
    /// The answer is plain text.
    NotTls,
    /// The server refused STARTTLS.
    StarttlsRefused,
    /// The client's certificate is refused or missing.
    ClientCertificate,
    /// It only works with the name.
    NameRequired,
    /// It only works without the name, or the server does not know the name.
    NameRejected,
    /// The server supports none of the application protocols that the operator expects.
    Alpn,
    /// Nothing answers over QUIC.
    QuicUnreachable,
    /// The QUIC socket does not speak HTTP/3.
    Http3,
    /// The other version works, but not this one.
    VersionUnsupported,
    /// No TLS 1.2 or 1.3, but an older version.
    LegacyProtocol,
    /// Only suites that modern clients have dropped.
    LegacyCipher,
    /// A modern suite, but no group (or other parameter) that a modern client offers.
    Mismatch,
    /// An alert, and nothing better explains it.
    Alert,
    /// The connection is reset.
    Reset,
    /// The connection is closed without an alert.
    Closed,
    /// The peer violates the protocol.
    ProtocolError,
}

/// The matrix of one address, with the reasons for its failures.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    endpoint: &'a Endpoint,
    target: &'a Target,
}

impl<'a> Matrix<'a> {
    /// The matrix of `endpoint`, an address of `target`.
    pub fn new(endpoint: &'a Endpoint, target: &'a Target) -> Self {
        Self { endpoint, target }
    }

    /// The handshakes of the target's clients: with its name, if it has one.
    pub fn own(&self) -> impl Iterator<Item = &'a Handshake> + use<'a> {
        self.endpoint.cells(self.named())
    }

    /// Whether the target's own clients get an answer in TLS, even if only up to the certificate.
    pub fn answers_in_tls(&self) -> bool {
        self.own().any(answers_in_tls)
    }

    /// The handshakes that failed for this reason.
    pub fn with(&self, trouble: Trouble) -> Vec<&'a Handshake> {
        let cells = self.endpoint.handshakes.iter();
        cells.filter(|cell| self.trouble(cell) == Some(trouble)).collect()
    }

    /// Why this handshake failed; `None` if it did not, or if the other handshake of the same version says enough.
    pub fn trouble(&self, cell: &Handshake) -> Option<Trouble> {
        let failure = cell.failure()?;
        if let Some(trouble) = self.over_quic(cell, failure) {
            return Some(trouble);
        }
        if let Some(barrier) = barrier(failure) {
            return Some(barrier);
        }
        if cell.sni.is_some() == self.named() {
            return Some(self.own_trouble(cell, failure));
        }
        match self.endpoint.cell(self.named(), cell.version) {
            Some(twin) if !answers_in_tls(cell) => self.beside(cell, twin),
            _ => Some(self.own_trouble(cell, failure)),
        }
    }

    /// What only a QUIC socket can be in trouble with.
    fn over_quic(&self, cell: &Handshake, failure: &Failure) -> Option<Trouble> {
        match failure.cause {
            _ if !self.target.quic || answers_in_tls(cell) => None,
            Cause::ConnectionRefused | Cause::TimedOut => Some(Trouble::QuicUnreachable),
            Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL) => Some(Trouble::Http3),
            _ => None,
        }
    }

    /// A handshake without the name, compared with the one with it.
    fn beside(&self, cell: &Handshake, twin: &Handshake) -> Option<Trouble> {
        let flaky = timed_out(cell) && self.endpoint.cells(false).any(answers_in_tls);
        // Silence says little: where the server breaks off with the name too, it need not be about the name.
        if flaky || (timed_out(cell) && !goes_on(twin)) {
            return Some(Trouble::HandshakeTimeout);
        }
        if answers_in_tls(twin) {
            return Some(Trouble::NameRequired);
        }
        let same = self.trouble(twin);
        same.filter(|_| twin.failure().is_some_and(|failure| barrier(failure).is_none()))
    }

    fn own_trouble(&self, cell: &Handshake, failure: &Failure) -> Trouble {
        match &failure.cause {
            Cause::TimedOut if !self.works_only_without_name() => Trouble::HandshakeTimeout,
            Cause::NotTls(_) => Trouble::NotTls,
            Cause::StarttlsRefused(_) => Trouble::StarttlsRefused,
            _ if matches!(cell.client_auth, ClientAuth::Required(..)) => Trouble::ClientCertificate,
            Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL)
                if !self.target.expect.alpn.is_empty() =>
            {
                Trouble::Alpn
            }
            _ if self.works_without_alpn(cell) => Trouble::Alpn,
            cause if answers_in_tls(cell) || failure.stage != Stage::Handshake => by_cause(cause),
            cause => self.about_name(cause).unwrap_or_else(|| self.about_hello(cell, cause)),
        }
    }

    /// Whether the same handshake succeeds without the expected application protocols.
    pub fn works_without_alpn(&self, cell: &Handshake) -> bool {
        let mut tried = self.endpoint.without_alpn.iter();
        !answers_in_tls(cell)
            && tried.any(|other| {
                (&other.sni, other.version) == (&cell.sni, cell.version) && other.established()
            })
    }

    fn about_name(&self, cause: &Cause) -> Option<Trouble> {
        let unknown = *cause == Cause::Alert(AlertDescription::UNRECOGNIZED_NAME);
        if self.answers_in_tls() {
            return None;
        }
        if self.named() {
            let rejected = unknown || self.works_only_without_name();
            return rejected.then_some(Trouble::NameRejected);
        }
        unknown.then_some(Trouble::NameRequired)
    }

    /// An answered raw hello shows what the complete engine lacks.
    fn about_hello(&self, cell: &Handshake, cause: &Cause) -> Trouble {
        let in_tls = self.answers_in_tls();
        let broken = matches!(cause, Cause::ProtocolError(_) | Cause::TooMuchData);
        let answer = if in_tls { self.answer_in(cell.version) } else { self.best_answer() };
        match answer.and_then(|raw| raw.outcome.as_ref().ok()) {
            Some(_) if !broken && answer.and_then(unusual).is_some_and(|it| it.is_decisive()) => {
                Trouble::Mismatch
            }
            // No client offers it.
            Some(choice) if choice.version > ProtocolVersion::TLS1_3 => Trouble::ProtocolError,
            Some(choice) if choice.version < ProtocolVersion::TLS1_2 => Trouble::LegacyProtocol,
            Some(choice) if !broken && !is_modern(choice.cipher_suite) => Trouble::LegacyCipher,
            // An answered hello is not a handshake: if nothing in the answer is unusual, the server refused it later.
            Some(_) => match (by_cause(cause), answer.and_then(unusual)) {
                (Trouble::Alert, Some(_)) => Trouble::Mismatch,
                (other, _) => other,
            },
            None if in_tls && !broken => Trouble::VersionUnsupported,
            None if in_tls => Trouble::ProtocolError,
            None => self.common_cause(),
        }
    }

    /// The answer to a raw hello of that version, in that version.
    pub fn answer_in(&self, version: ProtocolVersion) -> Option<&'a RawHello> {
        self.answers().find(|(_, choice)| choice.version == version).map(|(raw, _)| raw)
    }

    /// The answer of the newest version to any raw hello.
    pub fn best_answer(&self) -> Option<&'a RawHello> {
        self.answers().max_by_key(|(_, choice)| choice.version).map(|(raw, _)| raw)
    }

    /// The raw hellos, sent as the target's clients would, that were answered.
    pub fn answers(&self) -> impl Iterator<Item = (&'a RawHello, &'a RawChoice)> + use<'a> {
        let named = self.named();
        let own = self.endpoint.raw.iter().filter(move |raw| raw.sni.is_some() == named);
        own.filter_map(|raw| Some((raw, raw.outcome.as_ref().ok()?)))
    }

    /// The overall reason if every handshake failed, perhaps in different ways.
    fn common_cause(&self) -> Trouble {
        let met: Vec<Trouble> = self
            .own()
            .filter_map(Handshake::failure)
            .filter(|failure| barrier(failure).is_none())
            .map(|failure| by_cause(&failure.cause))
            .collect();
        [Trouble::Alert, Trouble::ProtocolError, Trouble::Reset]
            .into_iter()
            .find(|trouble| met.contains(trouble))
            .unwrap_or(Trouble::Closed)
    }

    fn works_only_without_name(&self) -> bool {
        self.named()
            && !self.answers_in_tls()
            && self.endpoint.cells(false).any(Handshake::established)
    }

    fn named(&self) -> bool {
        self.target.server_name.is_some()
    }
}

/// Whether the server sent its certificate, which it does only in a version that it accepts.
pub fn answers_in_tls(cell: &Handshake) -> bool {
    goes_on(cell) || cell.chain.is_some()
}

/// Whether the server completes the handshake, or asks for a client certificate first.
fn goes_on(cell: &Handshake) -> bool {
    cell.established()
        || cell.client_auth.request().is_some()
        || cell.failure().is_some_and(|failure| failure.stage == Stage::PostHandshake)
}

/// What ends an attempt before the peer has answered in TLS.
fn barrier(failure: &Failure) -> Option<Trouble> {
    match (&failure.cause, failure.stage) {
        (Cause::ConnectionRefused, _) => Some(Trouble::ConnectionRefused),
        (Cause::TurnedAway(_), _) => Some(Trouble::TurnedAway),
        (Cause::TimedOut, Stage::Dns | Stage::Connect) => Some(Trouble::ConnectTimeout),
        (Cause::Unreachable(_), _) => Some(Trouble::Unreachable),
        (Cause::Local(_) | Cause::Cancelled | Cause::DnsFailure(_), _) => Some(Trouble::NotTested),
        _ => None,
    }
}

fn by_cause(cause: &Cause) -> Trouble {
    match cause {
        Cause::Alert(_) | Cause::Incompatible(_) => Trouble::Alert,
        Cause::Reset => Trouble::Reset,
        Cause::Closed => Trouble::Closed,
        Cause::TimedOut => Trouble::HandshakeTimeout,
        _ => Trouble::ProtocolError,
    }
}

fn timed_out(cell: &Handshake) -> bool {
    cell.failure().is_some_and(|failure| failure.cause == Cause::TimedOut)
}

/// What keeps current clients from a server that answers a hello with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusual {
    /// It uses pre-shared keys instead of a certificate.
    SharedKey(CipherSuite),
    /// It selects a group that few clients offer.
    Group(NamedGroup),
    /// It uses a signature scheme that few clients offer.
    Scheme(SignatureScheme),
    /// Its certificate has a key on a curve that few clients verify.
    Curve(&'static str),
}

impl Unusual {
    /// Whether it explains a refusal regardless of versions and suites.
    fn is_decisive(&self) -> bool {
        matches!(self, Self::SharedKey(_) | Self::Scheme(_))
    }
}

/// What is unusual in an answer.
pub fn unusual(raw: &RawHello) -> Option<Unusual> {
    let choice = raw.outcome.as_ref().ok()?;
    if has_shared_key(choice.cipher_suite) {
        return Some(Unusual::SharedKey(choice.cipher_suite));
    }
    if let Some(group) = choice.group.filter(|group| !COMMON_GROUPS.contains(&group.0)) {
        return Some(Unusual::Group(group));
    }
    if let Some(scheme) = choice.scheme.filter(|scheme| !COMMON_SCHEMES.contains(&scheme.0)) {
        return Some(Unusual::Scheme(scheme));
    }
    match raw.chain.as_ref()?.leaf()?.public_key.key_type {
        KeyType::Ec(Some(curve)) if !COMMON_CURVES.contains(&curve) => Some(Unusual::Curve(curve)),
        _ => None,
    }
}

/// X25519, P-256, P-384, and these with ML-KEM.
const COMMON_GROUPS: [u16; 5] = [0x001d, 0x0017, 0x0018, 0x11ec, 0x11eb];

/// ECDSA on the NIST curves, Ed25519, and RSA with SHA-2 in both paddings.
const COMMON_SCHEMES: [u16; 10] =
    [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];

const COMMON_CURVES: [&str; 3] = ["prime256v1", "secp384r1", "secp521r1"];

fn has_shared_key(suite: CipherSuite) -> bool {
    suite.authentication() == Some(Authentication::SharedSecret)
}

/// Whether every current client offers the suite: TLS 1.3's AES-GCM and ChaCha20, and the same with ECDHE in TLS 1.2.
fn is_modern(suite: CipherSuite) -> bool {
    let tls13 = 0x1301..=0x1303;
    let tls12 = [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9];
    tls13.contains(&suite.0) || tls12.contains(&suite.0)
}
