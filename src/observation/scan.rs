//! The result of a scan: everything that one address accepts with one name or none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cause, Failure, Observed, RawChoice};
use crate::certificate::Chain;
use crate::tls::group::NamedGroup;
use crate::tls::profile::{Objection, Profile};
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// Everything that one address accepts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scan {
    /// The name that was sent; `None` without SNI.
    pub sni: Option<String>,
    /// Every version that was tested, oldest first.
    pub versions: Vec<VersionScan>,
    /// Application protocols.
    pub alpn: Listing<String>,
    /// Features that its answers show.
    pub features: Features,
    /// The distinct chains that were sent unencrypted, in order.
    pub chains: Vec<Arc<Chain>>,
}

impl Scan {
    /// The accepted versions, oldest first.
    pub fn accepted(&self) -> impl DoubleEndedIterator<Item = &VersionScan> {
        self.versions.iter().filter(|scan| scan.is_supported())
    }

    /// The newest accepted version that sends certificates unencrypted.
    pub fn legacy_version(&self) -> Option<ProtocolVersion> {
        let mut versions = self.accepted().map(|scan| scan.version);
        versions.rfind(|version| *version < ProtocolVersion::TLS1_3)
    }

    /// What was seen of one version.
    pub fn version(&self, version: ProtocolVersion) -> Option<&VersionScan> {
        self.versions.iter().find(|scan| scan.version == version)
    }

    /// Each accepted version, oldest first, with the first choice of each kind.
    pub fn first_choices(&self) -> impl Iterator<Item = (ProtocolVersion, CipherSuite)> {
        let first =
            |scan: &VersionScan| Some((scan.version, scan.suites.accepted.first()?.cipher_suite));
        self.versions.iter().filter_map(first)
    }

    /// Every accepted suite with its version, oldest version first.
    pub fn suites(&self) -> impl Iterator<Item = (ProtocolVersion, &SuiteChoice)> {
        self.versions
            .iter()
            .flat_map(|scan| scan.suites.accepted.iter().map(|choice| (scan.version, choice)))
    }

    /// Why parts of it are unknown, without duplicates.
    pub fn gaps(&self) -> Vec<&Failure> {
        let listings = self.versions.iter().flat_map(|scan| {
            [&scan.suites.cut_short, &scan.groups.cut_short, &scan.schemes.cut_short]
        });
        let mut gaps = Vec::new();
        for failure in listings.chain([&self.alpn.cut_short]).flatten() {
            if !gaps.contains(&failure) {
                gaps.push(failure);
            }
        }
        gaps
    }
}

/// What is accepted in one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionScan {
    /// The version.
    pub version: ProtocolVersion,
    /// The suites; none means that the version is not accepted.
    pub suites: Listing<SuiteChoice>,
    /// The key exchange groups.
    pub groups: Listing<NamedGroup>,
    /// The schemes of the server's signatures.
    pub schemes: Listing<SignatureScheme>,
    /// Whether a complete handshake succeeded in this version.
    pub complete: Observed<()>,
}

impl VersionScan {
    /// Whether it is accepted: hellos are answered, and no complete handshake was then refused.
    pub fn is_supported(&self) -> bool {
        !self.suites.accepted.is_empty() && self.refused_late().is_none()
    }

    /// Whether a complete handshake succeeds with that suite, as far as tested: suites that the TLS library does not
    /// support were only answered.
    pub fn is_confirmed(&self, choice: &SuiteChoice) -> bool {
        let ephemeral = choice.cipher_suite.key_exchange() == Some(KeyExchange::Ecdhe)
            && matches!(
                choice.cipher_suite.authentication(),
                Some(Authentication::Rsa | Authentication::Ecdsa)
            )
            && choice.cipher_suite.is_aead();
        self.complete == Observed::Seen(()) && (ephemeral || choice.cipher_suite.is_tls13())
    }

    /// How a complete handshake was refused although hellos are answered.
    pub fn refused_late(&self) -> Option<&Failure> {
        match &self.complete {
            Observed::Failed(failure) if failure.is_refusal() => Some(failure),
            _ => None,
        }
    }
}

/// An accepted suite, and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChoice {
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// The group that the server used with it.
    pub group: Option<NamedGroup>,
    /// Size of the server's finite-field (or export RSA) key, in bits.
    pub key_bits: Option<usize>,
}

/// Everything of one kind that a server accepts, found by offering less and less until it refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// What it accepts: in its own order if it has one, otherwise in the order offered.
    pub accepted: Vec<T>,
    /// Whose order applies, if more than one is accepted.
    pub order: Option<Order>,
    /// How the server refused the rest; `None` if nothing was left to offer, or it was not asked.
    pub refusal: Option<Cause>,
    /// Why the list may be incomplete.
    pub cut_short: Option<Failure>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { accepted: Vec::new(), order: None, refusal: None, cut_short: None }
    }
}

impl<T> Listing<T> {
    /// Whether the server was asked and certainly refused everything.
    pub fn is_refused(&self) -> bool {
        self.accepted.is_empty() && self.cut_short.is_none() && self.refusal.is_some()
    }
}

/// Whose order of preference applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The server's.
    Server,
    /// The client's.
    Client,
    /// Neither's alone.
    Mixed,
}

/// Features that a server's answers show. Those of versions that it does not accept were not tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Secure renegotiation (RFC 5746).
    pub secure_renegotiation: Observed<()>,
    /// Extended master secret (RFC 7627).
    pub extended_master_secret: Observed<()>,
    /// Session tickets up to TLS 1.2 (RFC 5077).
    pub session_ticket: Observed<()>,
    /// Session ids that can resume a session.
    pub session_id: Observed<()>,
    /// TLS compression (CVE-2012-4929).
    pub compression: Observed<()>,
    /// Whether a fallback to an older version is detected (RFC 7507).
    pub fallback_scsv: Observed<()>,
}

/// Whether a known client can connect, from its own hello and the server's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// The client.
    pub profile: &'static Profile,
    /// What was negotiated, or why the client cannot connect.
    pub outcome: Result<RawChoice, ReplayFailure>,
    /// The size of its hello, in bytes.
    pub size: usize,
    /// Whether a complete handshake with the same offers succeeded.
    pub confirmed: bool,
    /// Whether the server refuses this hello, answers it without its application protocols, and refuses it again.
    #[serde(default)]
    pub fails_on_alpn: bool,
}

/// How an address answers the hello of a current browser, and smaller hellos if that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserHello {
    /// The hello as the browser sends it, with a post-quantum key.
    pub whole: SizedHello,
    /// The same without the post-quantum group and its key. Sent, like the next, if the whole one fails.
    pub classic: Option<SizedHello>,
    /// The classic hello, padded to the size of the whole one.
    pub padded: Option<SizedHello>,
}

/// A hello, its size, and the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizedHello {
    /// Bytes on the wire.
    pub size: usize,
    /// What the server chose, or why it did not.
    pub outcome: Result<RawChoice, Failure>,
}

impl BrowserHello {
    /// The failure of the whole hello, sent twice, and the smaller hello that is answered.
    pub fn breaks(&self) -> Option<(&Failure, &SizedHello)> {
        let failure = self.whole.outcome.as_ref().err()?;
        let classic = self.classic.as_ref().filter(|hello| hello.outcome.is_ok())?;
        Some((failure, classic))
    }

    /// Whether its size is the reason, and not its contents; `None` if that was not seen.
    pub fn breaks_on_size(&self) -> Option<bool> {
        let padded = self.padded.as_ref()?;
        match &padded.outcome {
            Ok(_) => Some(false),
            Err(failure) => failure.is_silence_or_refusal().then_some(true),
        }
    }
}

/// Why a client does not connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ReplayFailure {
    /// The server refused its hello, or could not be asked.
    #[error("{}", .0.cause)]
    Server(Failure),
    /// The server answered its hello, and refused the complete handshake.
    #[error("{}, after the server had answered its hello", .0.cause)]
    Late(Failure),
    /// The client would refuse the server's answer.
    #[error(transparent)]
    Client(#[from] Objection),
}

impl ReplayFailure {
    /// Whether the server or the client refused. Other failures prove nothing about the client.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Client(_) | Self::Late(_) => true,
            Self::Server(failure) => failure.is_refusal(),
        }
    }
}
