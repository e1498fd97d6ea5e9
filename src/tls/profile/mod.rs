//! Client profiles: the hellos of known clients as data, and what these clients refuse.
//!
//! The data is in `src/tls/profiles.toml`, each entry with its source.

mod names;
#[cfg(test)]
mod tests;

use std::sync::{LazyLock, Mutex, PoisonError};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::captured::{CapturedClient, CapturedHello};
use super::extension::{Extension, ExtensionType, KeyShare};
use super::flight::Flight;
use super::grease::is_grease;
use super::group::NamedGroup;
use super::hello::ClientHello;
use super::key_share::sample_key;
use super::layout::{LaidOut, usual};
use super::scheme::SignatureScheme;
use super::suite::{Authentication, CipherSuite, KeyExchange};
use super::version::ProtocolVersion;

/// A client and what it sends. Lists are in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name on the command line: `openssl-1.0.2`.
    pub name: String,
    /// Its name in reports: `OpenSSL 1.0.2`.
    pub title: String,
    /// The product line.
    pub family: String,
    /// Whether it is supported today.
    pub modern: bool,
    /// Where the values come from.
    pub source: String,
    /// The versions that it supports.
    pub versions: Vec<ProtocolVersion>,
    /// Its suites.
    #[serde(deserialize_with = "names::suites")]
    pub cipher_suites: Vec<CipherSuite>,
    /// Its groups; empty if it sends no such extension.
    #[serde(deserialize_with = "names::groups")]
    pub groups: Vec<NamedGroup>,
    /// Its signature schemes; empty if it sends no such extension.
    #[serde(deserialize_with = "names::schemes")]
    pub signature_schemes: Vec<SignatureScheme>,
    /// The groups for which it sends a key in its first hello.
    #[serde(default, deserialize_with = "names::groups")]
    pub key_shares: Vec<NamedGroup>,
    /// Its application protocols.
    pub alpn: Vec<String>,
    /// Whether it sends the server's name.
    pub server_name: bool,
    /// Whether it adds values that a server must ignore (RFC 8701).
    #[serde(default)]
    pub grease: bool,
    /// Its extensions in the order sent, without GREASE; empty if only their contents are known.
    #[serde(default)]
    pub extensions: Vec<LaidOut>,
    /// The version in the header of its first record, if that is not TLS 1.0.
    #[serde(default)]
    pub record: Option<ProtocolVersion>,
    /// The smallest finite-field key that it accepts, in bits.
    pub min_dh_bits: Option<usize>,
    /// The largest finite-field key that it accepts, in bits.
    pub max_dh_bits: Option<usize>,
    /// The smallest RSA key in a certificate that it accepts, in bits.
    pub min_rsa_bits: Option<u32>,
    /// What else it refuses.
    #[serde(default)]
    pub refuses: Vec<LibraryRefusal>,
    /// Its hello, if it comes out of a capture.
    #[serde(skip)]
    pub captured: Option<CapturedHello>,
}

/// A profile is serialized as its name; one out of a capture with its hello, as no other run knows it.
impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.captured.clone() {
            None => serializer.serialize_str(&self.name),
            Some(hello) => {
                let (name, title) = (self.name.clone(), self.title.clone());
                CapturedClient { name, title, hello }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for &'static Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum NameOrClient {
            Name(String),
            Client(CapturedClient),
        }
        match NameOrClient::deserialize(deserializer)? {
            NameOrClient::Name(name) => {
                let known = all().iter().find(|profile| profile.name == name);
                known.ok_or_else(|| D::Error::custom(format!("unknown client {name:?}")))
            }
            NameOrClient::Client(client) => Ok(keep(client)),
        }
    }
}

/// The clients out of captures, which are kept as long as the program runs.
static KEPT: Mutex<Vec<&'static Profile>> = Mutex::new(Vec::new());

/// Keeps a client out of a capture, so that it is known like the others. The same client is kept once.
pub fn keep(client: CapturedClient) -> &'static Profile {
    let profile = Profile::captured(client);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.iter().find(|known| ***known == profile) {
        return known;
    }
    let profile: &'static Profile = Box::leak(Box::new(profile));
    kept.push(profile);
    profile
}

/// Every profile of the table, then those that were kept, the latest first.
pub fn known() -> impl Iterator<Item = &'static Profile> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all().iter().chain(kept.into_iter().rev())
}

/// What newer libraries refuse, independent of the server's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LibraryRefusal {
    /// A key exchange signed with MD5 and SHA-1 together, as TLS 1.1 and older sign it.
    LegacySignature,
    /// A server without secure renegotiation (RFC 5746).
    InsecureRenegotiation,
}

/// Why a client would refuse a server's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Objection {
    /// The server chose a version that was not offered.
    #[error("the server chooses {0}, which the client does not support")]
    Version(ProtocolVersion),
    /// The finite-field key is smaller than the client accepts.
    #[error("the client refuses a Diffie-Hellman key of {0} bits as too small")]
    DhTooSmall(usize),
    /// The finite-field key is larger than the client supports.
    #[error("the client cannot use a Diffie-Hellman key of {0} bits")]
    DhTooLarge(usize),
    /// The RSA key of the certificate is smaller than the client accepts.
    #[error("the client refuses a certificate with an RSA key of {0} bits as too small")]
    RsaTooSmall(u32),
    /// The key exchange is signed as in versions before TLS 1.2.
    #[error("the client refuses the MD5 and SHA-1 signature of a key exchange in {0}")]
    LegacySignature(ProtocolVersion),
    /// The server lacks secure renegotiation.
    #[error("the client refuses servers without secure renegotiation (RFC 5746)")]
    NoSecureRenegotiation,
}

fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// The table's text.
const TABLE: &str = include_str!("../profiles.toml");

fn read(table: &str) -> Vec<Profile> {
    #[derive(Deserialize)]
    struct ProfileTable {
        client: Vec<Profile>,
    }
    let table: ProfileTable = toml::from_str(table).expect("the tests read the table");
    table.client
}

/// Every profile, in the order of the table.
pub fn all() -> &'static [Profile] {
    static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| read(TABLE));
    &PROFILES
}

/// The browser that most people use, the first of the table. The rest is not read: every probe needs this one, and reading all
/// of them takes longer than its handshakes.
pub fn usual_browser() -> Option<&'static Profile> {
    static BROWSER: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        let entries = TABLE.match_indices("\n[[client]]\n");
        read(&TABLE[..entries.map(|(at, _)| at).nth(1).unwrap_or(TABLE.len())])
    });
    BROWSER.first()
}

/// The families, each once, in the order of the table.
pub fn families() -> impl Iterator<Item = &'static str> {
    let all = all().iter().enumerate();
    let first = all.filter(|(at, one)| {
        !self::all().iter().take(*at).any(|earlier| earlier.family == one.family)
    });
    first.map(|(_, one)| one.family.as_str())
}

/// The profiles that a selection names: `all`, `modern`, a family (`java`), or a profile.
///
/// A family includes only members that support TLS 1.2: serving "java" should not require a weaker server for a client
/// of 2013.
pub fn select(name: &str) -> Result<Vec<&'static Profile>, UnknownProfile> {
    let named = |profile: &&Profile| match name {
        "all" => true,
        "modern" => profile.modern,
        _ => {
            profile.name == name
                || profile.family == name && profile.newest() >= ProtocolVersion::TLS1_2
        }
    };
    let found: Vec<_> = all().iter().filter(named).collect();
    if found.is_empty() { Err(UnknownProfile(name.to_owned())) } else { Ok(found) }
}

/// The families that are web browsers.
const BROWSERS: [&str; 4] = ["chrome", "edge", "firefox", "safari"];

/// The browsers that are supported today.
fn browsers() -> impl Iterator<Item = &'static Profile> {
    all().iter().filter(|profile| profile.is_current_browser())
}

/// Whether a browser that is supported today offers a signature scheme.
pub fn browsers_offer(scheme: SignatureScheme) -> bool {
    let offers = |profile: &Profile| profile.signature_schemes.contains(&scheme);
    // Nearly always this one does, and the others need not be read.
    usual_browser().is_some_and(offers) || browsers().any(offers)
}

/// No client has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown client {0:?}; use all, modern, a family such as java, or one of: {names}",
    names = all().iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownProfile(pub String);

impl Profile {
    /// A client out of a capture. What it would refuse is not known, but for versions.
    fn captured(client: CapturedClient) -> Self {
        let CapturedClient { name, title, hello } = client;
        let offer = hello.offer();
        let signals = [CipherSuite::RENEGOTIATION_SCSV, CipherSuite::FALLBACK_SCSV];
        let suites =
            offer.cipher_suites.iter().filter(|it| !is_grease(it.0) && !signals.contains(it));
        let groups = offer.groups().iter().filter(|group| !is_grease(group.0));
        let schemes = offer.signature_schemes().iter().filter(|scheme| !is_grease(scheme.0));
        Self {
            name,
            title,
            family: "captured".to_owned(),
            modern: false,
            source: "a capture".to_owned(),
            versions: hello.versions(),
            cipher_suites: suites.copied().collect(),
            groups: groups.copied().collect(),
            signature_schemes: schemes.copied().collect(),
            key_shares: hello.key_shares(),
            alpn: hello.alpn(),
            server_name: hello.asks_for_a_name(),
            grease: false,
            extensions: Vec::new(),
            record: Some(offer.record_version),
            min_dh_bits: None,
            max_dh_bits: None,
            min_rsa_bits: None,
            refuses: Vec::new(),
            captured: Some(hello),
        }
    }

    /// Whether it is a web browser that is supported today.
    pub fn is_current_browser(&self) -> bool {
        self.modern && BROWSERS.contains(&self.family.as_str())
    }

    /// The newest version that it supports.
    pub fn newest(&self) -> ProtocolVersion {
        self.versions.iter().copied().max().unwrap_or(ProtocolVersion::TLS1_2)
    }

    /// Its hello to a server of that name.
    ///
    /// Where its extensions were recorded, it equals the client's byte for byte except for the random, the session id, the
    /// keys and the name.
    pub fn hello(&self, server_name: Option<&str>) -> ClientHello {
        if let Some(captured) = &self.captured {
            return captured.hello(server_name);
        }
        let empty = ClientHello::empty(self.newest());
        let layout = if self.extensions.is_empty() { usual() } else { self.extensions.clone() };
        let extensions = layout.iter().filter_map(|place| self.extension(place, server_name));
        let extensions: Vec<Extension> = extensions.collect();
        let mut cipher_suites = self.cipher_suites.clone();
        let renegotiates = |it: &Extension| it.kind() == ExtensionType::RENEGOTIATION_INFO;
        if !extensions.iter().any(renegotiates)
            && !cipher_suites.contains(&CipherSuite::RENEGOTIATION_SCSV)
        {
            cipher_suites.push(CipherSuite::RENEGOTIATION_SCSV);
        }
        let padding = |place: &LaidOut| place.kind == ExtensionType::PADDING;
        let padded = self.extensions.is_empty() || layout.iter().any(padding);
        let record_version = self.record.unwrap_or(empty.record_version);
        let hello = ClientHello { cipher_suites, extensions, padded, record_version, ..empty };
        if self.grease { hello.with_grease() } else { hello }
    }

    /// One extension of its hello; `None` for one that this client or this hello does not send.
    fn extension(&self, place: &LaidOut, server_name: Option<&str>) -> Option<Extension> {
        let tls13 = self.newest() >= ProtocolVersion::TLS1_3;
        Some(match place.kind {
            ExtensionType::SERVER_NAME => {
                Extension::ServerName(server_name.filter(|_| self.server_name)?.to_owned())
            }
            ExtensionType::SUPPORTED_GROUPS => Extension::SupportedGroups(some(&self.groups)?),
            ExtensionType::SIGNATURE_ALGORITHMS => {
                Extension::SignatureAlgorithms(some(&self.signature_schemes)?)
            }
            ExtensionType::ALPN => Extension::Alpn(some(&self.alpn)?),
            ExtensionType::SUPPORTED_VERSIONS if tls13 => {
                // Every known client prefers its newest version and lists it first (RFC 8446 section 4.2.1).
                let mut versions = self.versions.clone();
                versions.sort_by(|one, other| other.cmp(one));
                Extension::SupportedVersions(versions)
            }
            ExtensionType::KEY_SHARE if tls13 => Extension::KeyShare(self.shares()),
            ExtensionType::PSK_KEY_EXCHANGE_MODES | ExtensionType::SIGNATURE_ALGORITHMS_CERT
                if !tls13 =>
            {
                return None;
            }
            ExtensionType::EC_POINT_FORMATS if self.groups.is_empty() => return None,
            ExtensionType::SUPPORTED_VERSIONS
            | ExtensionType::KEY_SHARE
            | ExtensionType::PADDING => return None,
            kind => Extension::Other(kind, place.body.clone()),
        })
    }

    /// Its keys in the order of its groups, as RFC 8446 section 4.2.8 requires.
    fn shares(&self) -> Vec<KeyShare> {
        let share = |group: &NamedGroup| Some(KeyShare { group: *group, key: sample_key(*group)? });
        let place = |share: &KeyShare| self.groups.iter().position(|group| *group == share.group);
        let mut shares: Vec<KeyShare> = self.key_shares.iter().filter_map(share).collect();
        shares.sort_by_key(place);
        shares
    }

    /// Why it refuses a server's answer, if it does; `rsa_bits` is the size of the leaf's key where that is an RSA key.
    pub fn objection(&self, flight: &Flight, rsa_bits: Option<u32>) -> Option<Objection> {
        let hello = flight.server_hello.as_ref()?;
        if !self.versions.contains(&hello.version) {
            return Some(Objection::Version(hello.version));
        }
        if hello.cipher_suite.key_exchange() == Some(KeyExchange::Dhe)
            && let Some(bits) = flight.key_bits()
        {
            if self.min_dh_bits.is_some_and(|least| bits < least) {
                return Some(Objection::DhTooSmall(bits));
            }
            if self.max_dh_bits.is_some_and(|most| bits > most) {
                return Some(Objection::DhTooLarge(bits));
            }
        }
        if let (Some(bits), Some(least)) = (rsa_bits, self.min_rsa_bits)
            && bits < least
        {
            return Some(Objection::RsaTooSmall(bits));
        }
        if self.refuses.contains(&LibraryRefusal::LegacySignature)
            && hello.version < ProtocolVersion::TLS1_2
            && hello.cipher_suite.forward_secret()
        {
            return Some(Objection::LegacySignature(hello.version));
        }
        let insecure = hello.version < ProtocolVersion::TLS1_3
            && !hello.has(ExtensionType::RENEGOTIATION_INFO);
        let refused = insecure && self.refuses.contains(&LibraryRefusal::InsecureRenegotiation);
        refused.then_some(Objection::NoSecureRenegotiation)
    }

    /// Its suites of one version for certificates of this type, without signalling values.
    pub fn suites_for(
        &self,
        version: ProtocolVersion,
        authentication: Option<Authentication>,
    ) -> impl Iterator<Item = CipherSuite> {
        self.cipher_suites.iter().copied().filter(move |suite| {
            suite.usable_with(version)
                && authentication
                    .is_none_or(|kind| suite.is_tls13() || suite.authentication() == Some(kind))
        })
    }
}
