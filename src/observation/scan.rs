//! What a scan saw: everything that one address takes when it is asked with one name or none.

use std::sync::Arc;

use super::{Cause, Failure, Observed, RawChoice, Stage};
use crate::certificate::Chain;
use crate::tls::group::NamedGroup;
use crate::tls::profile::{Objection, Profile};
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// Everything that one address takes.
#[derive(Clone, Debug)]
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
        self.versions.iter().filter(|scan| !scan.suites.accepted.is_empty())
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
#[derive(Clone, Debug)]
pub struct VersionScan {
    /// The version.
    pub version: ProtocolVersion,
    /// The suites; none means that the version is not spoken.
    pub suites: Listing<SuiteChoice>,
    /// The groups of its key exchange.
    pub groups: Listing<NamedGroup>,
    /// The schemes in which it signs.
    pub schemes: Listing<SignatureScheme>,
}

/// An accepted suite, and what came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteChoice {
    /// The suite.
    pub cipher_suite: CipherSuite,
    /// The group that the server took for it.
    pub group: Option<NamedGroup>,
    /// Size of the server's finite-field (or export RSA) key, in bits.
    pub key_bits: Option<usize>,
}

/// Everything of one kind that a server takes, found by offering ever less until it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The server's.
    Server,
    /// The client's.
    Client,
    /// Neither's alone.
    Mixed,
}

/// Properties that a server's hellos tell. Those of versions that it does not speak were not tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
pub struct Replay {
    /// The client.
    pub profile: &'static Profile,
    /// What was negotiated, or why nothing can be.
    pub outcome: Result<RawChoice, ReplayFailure>,
}

/// Why a client does not connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayFailure {
    /// The server refused its hello, or could not be asked.
    #[error("{}", .0.cause)]
    Server(Failure),
    /// The client would not take the server's answer.
    #[error(transparent)]
    Client(#[from] Objection),
}

impl ReplayFailure {
    /// Whether the server, or the client, said no: anything else says nothing about the client.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Client(_) => true,
            Self::Server(failure) => {
                failure.stage == Stage::Handshake
                    && matches!(failure.cause, Cause::Alert(_) | Cause::Closed | Cause::Reset)
            }
        }
    }
}
