//! Policies: the versions, suites, groups and certificates that an organisation allows, read from TOML.
//!
//! A policy allows everything that it does not mention.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tls::group::NamedGroup;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// The built-in policies: name and text.
const BUILT_IN: [(&str, &str); 2] = [
    ("mozilla-modern", include_str!("policies/mozilla-modern.toml")),
    ("mozilla-intermediate", include_str!("policies/mozilla-intermediate.toml")),
];

/// A policy. A field that is `None` allows everything.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name in findings.
    pub name: String,
    /// The allowed versions; the server must accept the newest of them.
    pub protocols: Option<Vec<ProtocolVersion>>,
    /// The allowed suites, in IANA's or OpenSSL's spelling.
    #[serde(default, deserialize_with = "suites", serialize_with = "names")]
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// The allowed groups.
    #[serde(default, deserialize_with = "groups", serialize_with = "names")]
    pub groups: Option<Vec<NamedGroup>>,
    /// Whose order of suites must apply: the server's (`true`) or the client's.
    pub server_preference: Option<bool>,
    /// The smallest allowed finite-field key, in bits.
    pub min_dh_bits: Option<usize>,
    /// Requirements for the leaf certificate.
    #[serde(default)]
    pub certificate: CertificatePolicy,
}

/// Requirements for a leaf certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CertificatePolicy {
    /// Allowed key types: `rsa`, `ed25519`, `ed448`, or a curve's name such as `prime256v1`.
    pub key_types: Option<Vec<String>>,
    /// The smallest allowed RSA key, in bits.
    pub min_rsa_bits: Option<u32>,
    /// The longest lifetime, in days.
    pub max_lifetime_days: Option<u32>,
}

impl Policy {
    /// The built-in policy with this name.
    ///
    /// # Panics
    ///
    /// Never: the tests read every built-in policy.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text).expect("the tests read the policies"))
    }

    /// The names of the built-in policies.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

fn suites<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<CipherSuite>>, D::Error> {
    named(from, "cipher suite", CipherSuite::from_name)
}

fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<NamedGroup>>, D::Error> {
    named(from, "group", NamedGroup::from_name)
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn names<T: fmt::Display, S: Serializer>(
    values: &Option<Vec<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let names = values.as_ref().map(|values| values.iter().map(ToString::to_string));
    names.map(Vec::from_iter).serialize(serializer)
}

fn named<'de, D: Deserializer<'de>, T>(
    from: D,
    kind: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<Vec<T>>, D::Error> {
    use serde::de::Error;
    let Some(names) = Option::<Vec<String>>::deserialize(from)? else { return Ok(None) };
    let value = |name: &String| {
        read(name).ok_or_else(|| D::Error::custom(format!("unknown {kind} {name:?}")))
    };
    names.iter().map(value).collect::<Result<Vec<T>, D::Error>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policies_are_called_what_they_say() {
        for name in Policy::names() {
            assert_eq!(Policy::built_in(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_policy_is_written_as_it_is_read() {
        for name in Policy::names() {
            let policy = Policy::built_in(name).unwrap();
            let text = toml::to_string(&policy).unwrap();
            assert_eq!(Policy::parse(&text), Ok(policy), "{text}");
        }
    }

    #[test]
    fn what_a_policy_misspells_is_an_error_that_names_it() {
        let error = |text: &str| Policy::parse(text).unwrap_err().to_string();
        assert!(error("name = 'x'\ncipher_suites = ['ECDHE-FOO']").contains("ECDHE-FOO"));
        assert!(error("name = 'x'\ngroups = ['P-256']").contains("P-256"));
        assert!(error("name = 'x'\nprotocol = ['TLSv1.2']").contains("protocol"));
    }

    #[test]
    fn what_a_policy_leaves_out_is_allowed() {
        let policy = Policy::parse("name = 'x'").unwrap();
        assert_eq!((policy.protocols, policy.cipher_suites, policy.groups), (None, None, None));
    }
}
