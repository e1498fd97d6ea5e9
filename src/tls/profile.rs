//! Client profiles: what known clients send, as data, and what they would not take.
//!
//! The data stands in `profiles.toml` beside this file, each row with its source.

use std::sync::LazyLock;

use serde::Deserialize;

use super::extension::{Extension, ExtensionType, KeyShare};
use super::flight::Flight;
use super::group::NamedGroup;
use super::hello::ClientHello;
use super::key_share::sample_key;
use super::scheme::SignatureScheme;
use super::suite::{Authentication, CipherSuite, KeyExchange};
use super::version::ProtocolVersion;

/// A client and what it sends. Lists stand in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What users type: `openssl-1.0.2`.
    pub name: String,
    /// What reports call it: `OpenSSL 1.0.2`.
    pub title: String,
    /// The product line.
    pub family: String,
    /// Whether it is in support today.
    pub modern: bool,
    /// Where the values come from.
    pub source: String,
    /// The versions that it speaks.
    pub versions: Vec<ProtocolVersion>,
    /// Its suites.
    #[serde(deserialize_with = "names::suites")]
    pub cipher_suites: Vec<CipherSuite>,
    /// Its groups; none where it sends no such extension.
    #[serde(deserialize_with = "names::groups")]
    pub groups: Vec<NamedGroup>,
    /// Its signature schemes; none where it sends no such extension.
    #[serde(deserialize_with = "names::schemes")]
    pub signature_schemes: Vec<SignatureScheme>,
    /// The groups for which it brings a key in its first hello.
    #[serde(default, deserialize_with = "names::groups")]
    pub key_shares: Vec<NamedGroup>,
    /// Its application protocols.
    pub alpn: Vec<String>,
    /// Whether it sends the server's name.
    pub server_name: bool,
    /// Whether it strews values that a server must ignore (RFC 8701).
    #[serde(default)]
    pub grease: bool,
    /// The smallest finite-field key that it takes, in bits.
    pub min_dh_bits: Option<usize>,
    /// The largest finite-field key that it takes, in bits.
    pub max_dh_bits: Option<usize>,
    /// The smallest RSA key in a certificate that it takes, in bits.
    pub min_rsa_bits: Option<u32>,
    /// What it refuses beside.
    #[serde(default)]
    pub refuses: Vec<Refusal>,
}

/// What newer libraries refuse whatever the server chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A key exchange signed with MD5 and SHA-1 together, as TLS 1.1 and older sign it.
    LegacySignature,
    /// A server without secure renegotiation (RFC 5746).
    InsecureRenegotiation,
}

/// Why a client would not take a server's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The server chose a version that was not offered.
    #[error("the server insists on {0}, which the client does not speak")]
    Version(ProtocolVersion),
    /// The finite-field key is smaller than the client takes.
    #[error("the client refuses a Diffie-Hellman key of {0} bits as too small")]
    DhTooSmall(usize),
    /// The finite-field key is larger than the client can compute with.
    #[error("the client cannot use a Diffie-Hellman key of {0} bits")]
    DhTooLarge(usize),
    /// The RSA key of the certificate is smaller than the client takes.
    #[error("the client refuses a certificate with an RSA key of {0} bits as too small")]
    RsaTooSmall(u32),
    /// The key exchange is signed as versions below TLS 1.2 sign it.
    #[error("the client refuses the MD5 and SHA-1 signature of a key exchange in {0}")]
    LegacySignature(ProtocolVersion),
    /// The server lacks secure renegotiation.
    #[error("the client refuses servers without secure renegotiation (RFC 5746)")]
    NoSecureRenegotiation,
}

/// Every profile, in the order of the table.
pub fn all() -> &'static [Profile] {
    static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
        #[derive(Deserialize)]
        struct Table {
            client: Vec<Profile>,
        }
        let table: Table =
            toml::from_str(include_str!("profiles.toml")).expect("the tests read the table");
        table.client
    });
    &PROFILES
}

/// The profiles that a selection names: `all`, `modern`, a family (`java`), or a profile.
pub fn select(name: &str) -> Result<Vec<&'static Profile>, UnknownProfile> {
    let named = |profile: &&Profile| match name {
        "all" => true,
        "modern" => profile.modern,
        _ => profile.name == name || profile.family == name,
    };
    let found: Vec<_> = all().iter().filter(named).collect();
    if found.is_empty() { Err(UnknownProfile(name.to_owned())) } else { Ok(found) }
}

/// No client has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no client is called {0:?}; use all, modern, a family such as java, or one of: {names}",
    names = all().iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownProfile(pub String);

impl Profile {
    /// The newest version that it speaks.
    pub fn newest(&self) -> ProtocolVersion {
        self.versions.iter().copied().max().unwrap_or(ProtocolVersion::TLS1_2)
    }

    /// Its hello to a server of that name.
    pub fn hello(&self, server_name: Option<&str>) -> ClientHello {
        let newest = self.newest();
        let tls13 = newest >= ProtocolVersion::TLS1_3;
        let hello = ClientHello::probe(newest);
        let session_id = hello.session_id.clone();
        let mut extensions = Vec::new();
        if let Some(name) = server_name.filter(|_| self.server_name) {
            extensions.push(Extension::ServerName(name.to_owned()));
        }
        extensions.push(Extension::RenegotiationInfo);
        if !self.groups.is_empty() {
            extensions.push(Extension::SupportedGroups(self.groups.clone()));
            extensions.push(Extension::EcPointFormats);
        }
        if !self.signature_schemes.is_empty() {
            extensions.push(Extension::SignatureAlgorithms(self.signature_schemes.clone()));
        }
        if !self.alpn.is_empty() {
            extensions.push(Extension::Alpn(self.alpn.clone()));
        }
        if tls13 {
            extensions.push(Extension::SupportedVersions(self.versions.clone()));
            extensions.push(Extension::PskKeyExchangeModes(vec![1]));
            extensions.push(Extension::KeyShare(self.shares()));
        }
        let cipher_suites = self.cipher_suites.clone();
        let hello = ClientHello { session_id, cipher_suites, extensions, ..hello };
        if self.grease { hello.with_grease() } else { hello }
    }

    fn shares(&self) -> Vec<KeyShare> {
        let share = |group: &NamedGroup| Some(KeyShare { group: *group, key: sample_key(*group)? });
        self.key_shares.iter().filter_map(share).collect()
    }

    /// What it has against a server's answer; `rsa_bits` is the size of the leaf's key where that is an RSA key.
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
        if self.refuses.contains(&Refusal::LegacySignature)
            && hello.version < ProtocolVersion::TLS1_2
            && hello.cipher_suite.forward_secret()
        {
            return Some(Objection::LegacySignature(hello.version));
        }
        let insecure = hello.version < ProtocolVersion::TLS1_3
            && !hello.has(ExtensionType::RENEGOTIATION_INFO);
        let refused = insecure && self.refuses.contains(&Refusal::InsecureRenegotiation);
        refused.then_some(Objection::NoSecureRenegotiation)
    }

    /// Its suites of one version that a certificate of this kind can be used with, signalling values left out.
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

/// Names and numbers of the table to values.
mod names {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    use super::{CipherSuite, NamedGroup, SignatureScheme};

    pub(super) fn suites<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CipherSuite>, D::Error> {
        list(from, |text| CipherSuite::from_name(text).or_else(|| number(text).map(CipherSuite)))
    }

    pub(super) fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<NamedGroup>, D::Error> {
        list(from, |text| NamedGroup::from_name(text).or_else(|| number(text).map(NamedGroup)))
    }

    pub(super) fn schemes<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<SignatureScheme>, D::Error> {
        list(from, |text| number(text).map(SignatureScheme))
    }

    fn list<'de, D: Deserializer<'de>, T>(
        from: D,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let value =
            |text: &String| read(text).ok_or_else(|| D::Error::custom(format!("unknown: {text}")));
        texts.iter().map(value).collect()
    }

    fn number(text: &str) -> Option<u16> {
        u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_whole() {
        let names: BTreeSet<&str> = all().iter().map(|profile| profile.name.as_str()).collect();
        assert_eq!(names.len(), all().len(), "two rows have one name");
        for profile in all() {
            let name = &profile.name;
            assert!(!profile.versions.is_empty() && !profile.cipher_suites.is_empty(), "{name}");
            assert!(!profile.source.is_empty() && !profile.title.is_empty(), "{name}");
            let tls13 = profile.newest() == ProtocolVersion::TLS1_3;
            assert_eq!(tls13, !profile.key_shares.is_empty(), "{name}");
            assert!(
                profile.key_shares.iter().all(|group| profile.groups.contains(group)),
                "{name}"
            );
            assert_eq!(
                profile.newest() >= ProtocolVersion::TLS1_2,
                !profile.signature_schemes.is_empty(),
                "{name}"
            );
            assert!(profile.hello(Some("a.test")).encode().is_ok(), "{name}");
        }
    }

    #[test]
    fn selections_name_a_set_a_family_or_a_client() {
        assert_eq!(select("all").unwrap().len(), all().len());
        assert!(select("modern").unwrap().len() < all().len());
        assert!(select("java").unwrap().len() > 1);
        let error = select("netscape").unwrap_err().to_string();
        assert!(error.contains("java"), "{error}");
    }

    #[test]
    fn only_a_client_that_sends_names_sends_one() {
        let sends = |name: &str| {
            let profile = select(name).unwrap()[0];
            let hello = profile.hello(Some("a.test"));
            hello.extensions.iter().any(|extension| extension.kind() == ExtensionType::SERVER_NAME)
        };
        assert!(sends("chrome"));
        assert!(!sends("nginx"));
    }
}
