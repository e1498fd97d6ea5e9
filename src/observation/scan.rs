//! What a scan saw: everything that one address takes when it is asked with one name or none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cause, Failure, Observed, RawChoice};
use crate::certificate::Chain;
use crate::tls::group::NamedGroup;
use crate::tls::profile::{Objection, Profile};
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// Everything that one address takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scan {
    /// The name sent, `None` where none was.
    pub sni: Option<String>,
    /// Every version that was asked for, oldest first.
    pub versions: Vec<VersionScan>,
    /// Application protocols.
    pub alpn: Listing<String>,
    /// What else its hellos tell.
    pub features: Features,
    /// The distinct chains that were shown in the clear, in the order met.
    pub chains: Vec<Arc<Chain>>,
}

impl Scan {
    /// The versions that are spoken, oldest first.
    pub fn accepted(&self) -> impl DoubleEndedIterator<Item = &VersionScan> {
        self.versions.iter().filter(|scan| scan.is_supported())
    }

    /// The newest spoken version that shows its certificates in the clear.
    pub fn legacy_version(&self) -> Option<ProtocolVersion> {
        let mut versions = self.accepted().map(|scan| scan.version);
        versions.rfind(|version| *version < ProtocolVersion::TLS1_3)
    }

    /// What was seen of one version.
    pub fn version(&self, version: ProtocolVersion) -> Option<&VersionScan> {
        self.versions.iter().find(|scan| scan.version == version)
    }

    /// Each spoken version, oldest first, with what was chosen of everything.
    pub fn first_choices(&self) -> impl Iterator<Item = (ProtocolVersion, CipherSuite)> {
        let first =
            |scan: &VersionScan| Some((scan.version, scan.suites.accepted.first()?.cipher_suite));
        self.versions.iter().filter_map(first)
    }

    /// Every accepted suite with the version it was accepted in, oldest version first.
    pub fn suites(&self) -> impl Iterator<Item = (ProtocolVersion, &SuiteChoice)> {
        self.versions
            .iter()
            .flat_map(|scan| scan.suites.accepted.iter().map(|choice| (scan.version, choice)))
    }

    /// Why parts of it could not be told, each reason once.
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

/// What is taken in one version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionScan {
    /// The version.
    pub version: ProtocolVersion,
    /// The suites; none means that the version is not spoken.
    pub suites: Listing<SuiteChoice>,
    /// The groups of its key exchange.
    pub groups: Listing<NamedGroup>,
    /// The schemes in which it signs.
    pub schemes: Listing<SignatureScheme>,
    /// Whether a complete handshake ended in this version; a hello that is answered is not one yet.
    pub complete: Observed<()>,
}

impl VersionScan {
    /// Whether it is spoken: hellos are answered, and no complete handshake was refused after that.
    pub fn is_supported(&self) -> bool {
        !self.suites.accepted.is_empty() && self.refused_late().is_none()
    }

    /// Whether a complete handshake can end with that suite, as far as was seen: those that the TLS library does not speak
    /// were only answered.
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

/// An accepted suite, and what came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteChoice {
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// The group that the server took for it.
    pub group: Option<NamedGroup>,
    /// Size of the server's finite-field (or export RSA) key, in bits.
    pub key_bits: Option<usize>,
}

/// Everything of one kind that a server takes, found by offering ever less until it refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// What it takes: in its own order where it has one, else in the order offered.
    pub accepted: Vec<T>,
    /// Whose order counts, where there is more than one to choose from.
    pub order: Option<Order>,
    /// How the server refused the rest; `None` where nothing was left to offer, or nobody asked.
    pub refusal: Option<Cause>,
    /// Why the listing may lack something.
    pub cut_short: Option<Failure>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { accepted: Vec::new(), order: None, refusal: None, cut_short: None }
    }
}

impl<T> Listing<T> {
    /// Whether the server was asked, refused everything, and the answer is certain.
    pub fn is_refused(&self) -> bool {
        self.accepted.is_empty() && self.cut_short.is_none() && self.refusal.is_some()
    }
}

/// Whose order decides what is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The server's.
    Server,
    /// The client's.
    Client,
    /// Neither's alone.
    Mixed,
}

/// Properties that a server's hellos tell. Those of versions that it does not speak were not tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Secure renegotiation (RFC 5746).
    pub secure_renegotiation: Observed<()>,
    /// Extended master secret (RFC 7627).
    pub extended_master_secret: Observed<()>,
    /// Session tickets up to TLS 1.2 (RFC 5077).
    pub session_ticket: Observed<()>,
    /// Session ids with which a session could be taken up again.
    pub session_id: Observed<()>,
    /// TLS compression (CVE-2012-4929).
    pub compression: Observed<()>,
    /// Whether a fallback to an older version is noticed (RFC 7507).
    pub fallback_scsv: Observed<()>,
}

/// How a known client fares, told from its own hello and the server's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// The client.
    pub profile: &'static Profile,
    /// What was negotiated, or why nothing can be.
    pub outcome: Result<RawChoice, ReplayFailure>,
    /// The size of its hello, in bytes.
    pub size: usize,
    /// Whether a complete handshake with the same offers ended.
    pub confirmed: bool,
}

/// How an address answers the hello of a current browser, and smaller ones where it breaks on that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserHello {
    /// The hello as the browser sends it, with a post-quantum key.
    pub whole: SizedHello,
    /// The same without the post-quantum group and its key. Sent, like the next, where the whole one fails.
    pub classic: Option<SizedHello>,
    /// That hello, filled up with padding to the size of the whole one.
    pub padded: Option<SizedHello>,
}

/// One hello, how large it was, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizedHello {
    /// Bytes on the wire.
    pub size: usize,
    /// What the server chose, or why it did not.
    pub outcome: Result<RawChoice, Failure>,
}

impl BrowserHello {
    /// The smaller hello that is answered where the whole one, sent twice, is not.
    pub fn breaks(&self) -> Option<(&Failure, &SizedHello)> {
        let failure = self.whole.outcome.as_ref().err()?;
        let classic = self.classic.as_ref().filter(|hello| hello.outcome.is_ok())?;
        Some((failure, classic))
    }

    /// Whether it is the size that breaks it, and not what is in the hello; `None` where that was not seen.
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
    /// The client would not accept the server's answer.
    #[error(transparent)]
    Client(#[from] Objection),
}

impl ReplayFailure {
    /// Whether the server, or the client, said no: anything else says nothing about the client.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Client(_) | Self::Late(_) => true,
            Self::Server(failure) => failure.is_refusal(),
        }
    }
}
