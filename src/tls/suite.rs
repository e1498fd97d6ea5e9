//! Cipher suites by number: names, components, and the versions that support them.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use tls_parser::{CIPHERS, TlsCipherAu, TlsCipherEnc, TlsCipherKx, TlsCipherMac, TlsCipherSuite};

use super::openssl_names::OPENSSL_NAMES;
use super::version::ProtocolVersion;

/// A cipher suite's number; unknown values are kept.
///
/// It prints as IANA's name, or as `0x1a2b` where the registry has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CipherSuite(pub u16);

/// How a suite agrees on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// The client encrypts the secret to the server's RSA key.
    Rsa,
    /// A Diffie-Hellman key in the certificate.
    Dh,
    /// Ephemeral Diffie-Hellman, signed or anonymous.
    Dhe,
    /// An elliptic-curve key in the certificate, without signature in the handshake.
    Ecdh,
    /// Ephemeral elliptic-curve Diffie-Hellman, signed or anonymous.
    Ecdhe,
    /// A pre-shared key, without ephemeral key exchange.
    Psk,
    /// A password (RFC 5054).
    Srp,
    /// Kerberos (RFC 2712).
    Krb5,
    /// A password (RFC 8492).
    EccPwd,
    /// Negotiated separately from the suite (TLS 1.3).
    Tls13,
}

/// How the server is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Nothing.
    Anonymous,
    /// A certificate with an RSA key.
    Rsa,
    /// A certificate with a DSA key.
    Dss,
    /// A certificate with an EC or Edwards key.
    Ecdsa,
    /// A secret known to both, with or without a certificate (pre-shared key, password, Kerberos).
    SharedSecret,
    /// Negotiated separately from the suite (TLS 1.3).
    Tls13,
}

/// Why a suite should not be accepted, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuiteWeakness {
    /// Nothing is encrypted.
    NoEncryption,
    /// The server is not authenticated.
    Anonymous,
    /// Keys of 40 bits, from former export laws.
    Export,
    /// Single DES, 56 bits.
    Des,
    /// RC4 (RFC 7465).
    Rc4,
    /// 3DES, IDEA or RC2: blocks of 64 bits (CVE-2016-2183).
    SmallBlock,
}

impl CipherSuite {
    /// Signals secure renegotiation without an extension; not a suite (RFC 5746 section 3.3).
    pub const RENEGOTIATION_SCSV: Self = Self(0x00ff);
    /// Signals that the client fell back to an older version; not a suite (RFC 7507).
    pub const FALLBACK_SCSV: Self = Self(0x5600);

    /// IANA's name, `None` for an unassigned number.
    pub fn name(self) -> Option<&'static str> {
        self.parts().map(|suite| suite.name)
    }

    /// The suite of that name, IANA's or OpenSSL's.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(suite) = TlsCipherSuite::from_name(name) {
            return Some(Self(suite.id.0));
        }
        OPENSSL_NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| Self(*number))
    }

    /// The name for `ssl_ciphers`, `None` for a suite that no OpenSSL has supported.
    pub fn openssl_name(self) -> Option<&'static str> {
        let index = OPENSSL_NAMES.binary_search_by_key(&self.0, |(number, _)| *number).ok()?;
        OPENSSL_NAMES.get(index).map(|(_, name)| *name)
    }

    /// Whether it is a suite of TLS 1.3 and not of older versions.
    pub fn is_tls13(self) -> bool {
        self.key_exchange() == Some(KeyExchange::Tls13)
    }

    /// Whether that version can negotiate it.
    ///
    /// Suites that later versions forbid (export, DES) count, because some servers accept them.
    pub fn usable_with(self, version: ProtocolVersion) -> bool {
        self.parts().is_some_and(|suite| {
            is_negotiable(suite)
                && match version {
                    ProtocolVersion::TLS1_3 => self.is_tls13(),
                    ProtocolVersion::TLS1_2 => !self.is_tls13(),
                    _ => !self.is_tls13() && !needs_tls12(suite),
                }
        })
    }

    /// Every registered suite of that version, the likeliest choices of servers first.
    pub fn all(version: ProtocolVersion) -> impl Iterator<Item = Self> {
        let known = BY_LIKELIHOOD.iter().find(|(known, _)| *known == version);
        known.into_iter().flat_map(|(_, suites)| suites).copied()
    }

    /// Its key exchange; `None` for an unassigned number and for a signal.
    pub fn key_exchange(self) -> Option<KeyExchange> {
        let suite = self.parts()?;
        Some(match suite.kx {
            TlsCipherKx::Null => return None,
            TlsCipherKx::Rsa => KeyExchange::Rsa,
            TlsCipherKx::Psk => KeyExchange::Psk,
            TlsCipherKx::Krb5 => KeyExchange::Krb5,
            TlsCipherKx::Srp => KeyExchange::Srp,
            // Anonymous Diffie-Hellman is ephemeral, though its name lacks the E.
            TlsCipherKx::Dh if suite.au == TlsCipherAu::Null => KeyExchange::Dhe,
            TlsCipherKx::Dh => KeyExchange::Dh,
            TlsCipherKx::Dhe => KeyExchange::Dhe,
            TlsCipherKx::Ecdh if suite.au == TlsCipherAu::Null => KeyExchange::Ecdhe,
            TlsCipherKx::Ecdh => KeyExchange::Ecdh,
            TlsCipherKx::Ecdhe | TlsCipherKx::Aecdh => KeyExchange::Ecdhe,
            TlsCipherKx::Eccpwd => KeyExchange::EccPwd,
            TlsCipherKx::Tls13 => KeyExchange::Tls13,
        })
    }

    /// How it authenticates the server; `None` for an unassigned number.
    pub fn authentication(self) -> Option<Authentication> {
        Some(match self.parts()?.au {
            TlsCipherAu::Null => Authentication::Anonymous,
            TlsCipherAu::Rsa | TlsCipherAu::Srp_Rsa => Authentication::Rsa,
            TlsCipherAu::Dss | TlsCipherAu::Srp_Dss => Authentication::Dss,
            TlsCipherAu::Ecdsa => Authentication::Ecdsa,
            TlsCipherAu::Tls13 => Authentication::Tls13,
            // The registry's `DHE` stands for DHE_PSK.
            TlsCipherAu::Psk
            | TlsCipherAu::Dhe
            | TlsCipherAu::Krb5
            | TlsCipherAu::Srp
            | TlsCipherAu::Eccpwd => Authentication::SharedSecret,
        })
    }

    /// Whether recorded traffic stays secret if the server's key is stolen later.
    pub fn forward_secret(self) -> bool {
        matches!(
            self.key_exchange(),
            Some(KeyExchange::Dhe | KeyExchange::Ecdhe | KeyExchange::EccPwd | KeyExchange::Tls13)
        )
    }

    /// Whether it is authenticated encryption (AEAD).
    pub fn is_aead(self) -> bool {
        self.parts().is_some_and(|suite| suite.mac == TlsCipherMac::Aead)
    }

    /// Its worst weakness; a lack of forward secrecy does not count.
    pub fn weakness(self) -> Option<SuiteWeakness> {
        let suite = self.parts()?;
        match (suite.enc, suite.enc_size) {
            (TlsCipherEnc::Null, _) => Some(SuiteWeakness::NoEncryption),
            _ if suite.au == TlsCipherAu::Null => Some(SuiteWeakness::Anonymous),
            (_, 40) => Some(SuiteWeakness::Export),
            (TlsCipherEnc::Des, _) => Some(SuiteWeakness::Des),
            (TlsCipherEnc::Rc4, _) => Some(SuiteWeakness::Rc4),
            (TlsCipherEnc::TripleDes | TlsCipherEnc::Idea | TlsCipherEnc::Rc2, _) => {
                Some(SuiteWeakness::SmallBlock)
            }
            _ => None,
        }
    }

    fn parts(self) -> Option<&'static TlsCipherSuite> {
        TlsCipherSuite::from_id(self.0)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// The suites of each version, the likeliest choices of servers first.
static BY_LIKELIHOOD: LazyLock<Vec<(ProtocolVersion, Vec<CipherSuite>)>> = LazyLock::new(|| {
    let mut suites: Vec<_> = CIPHERS.keys().copied().map(CipherSuite).collect();
    suites.sort_by_cached_key(|suite| {
        (
            unlikelihood(*suite),
            suite.weakness().is_some(),
            !suite.forward_secret(),
            !suite.is_aead(),
            *suite,
        )
    });
    let usable = |version| {
        let suites = suites.iter().copied().filter(|suite| suite.usable_with(version));
        (version, suites.collect())
    };
    ProtocolVersion::ALL.map(usable).to_vec()
});

/// Sort key: from suites for ordinary certificates that OpenSSL supports to those that need a shared secret.
fn unlikelihood(suite: CipherSuite) -> u8 {
    let shared_secret = suite.authentication() == Some(Authentication::SharedSecret);
    match suite.key_exchange() {
        Some(KeyExchange::Srp) => 3,
        _ if shared_secret => 3,
        Some(KeyExchange::Dh | KeyExchange::Ecdh) => 2,
        _ if suite.openssl_name().is_none() => 1,
        _ => 0,
    }
}

/// The registry also lists signals (SCSV) and the null suite that stands for "nothing negotiated yet".
fn is_negotiable(suite: &TlsCipherSuite) -> bool {
    !(suite.kx == TlsCipherKx::Null && suite.enc == TlsCipherEnc::Null)
}

/// Authenticated encryption (RFC 5246 section 6.2.3.3), and SHA-2 MACs, except with a pre-shared key (RFC 5487).
fn needs_tls12(suite: &TlsCipherSuite) -> bool {
    match suite.mac {
        TlsCipherMac::Aead => true,
        TlsCipherMac::HmacSha256 | TlsCipherMac::HmacSha384 | TlsCipherMac::HmacSha512 => {
            suite.au != TlsCipherAu::Psk
        }
        TlsCipherMac::Null | TlsCipherMac::HmacMd5 | TlsCipherMac::HmacSha1 => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AES128_GCM_TLS13: CipherSuite = CipherSuite(0x1301);
    const ECDHE_RSA_AES128_GCM: CipherSuite = CipherSuite(0xc02f);
    const RSA_3DES: CipherSuite = CipherSuite(0x000a);

    #[test]
    fn no_signal_is_ever_listed_as_a_suite() {
        for version in ProtocolVersion::ALL {
            let suites: Vec<_> = CipherSuite::all(version).collect();
            assert!(!suites.contains(&CipherSuite::RENEGOTIATION_SCSV));
            assert!(!suites.contains(&CipherSuite::FALLBACK_SCSV));
            assert!(!suites.contains(&CipherSuite(0)));
            assert!(!suites.is_empty());
        }
    }

    #[test]
    fn versions_do_not_share_what_they_cannot_speak() {
        let versions_of = |suite: CipherSuite| -> Vec<_> {
            ProtocolVersion::ALL.into_iter().filter(|version| suite.usable_with(*version)).collect()
        };
        assert_eq!(versions_of(AES128_GCM_TLS13), [ProtocolVersion::TLS1_3]);
        assert_eq!(versions_of(CipherSuite(0x00c6)), [ProtocolVersion::TLS1_3]);
        assert_eq!(versions_of(CipherSuite(0xc0b4)), [ProtocolVersion::TLS1_3]);
        assert_eq!(versions_of(ECDHE_RSA_AES128_GCM), [ProtocolVersion::TLS1_2]);
        assert_eq!(versions_of(CipherSuite(0xc027)), [ProtocolVersion::TLS1_2]);
        assert_eq!(versions_of(RSA_3DES), ProtocolVersion::ALL[..4]);
        assert_eq!(versions_of(CipherSuite(0xfefe)), []);
    }

    #[test]
    fn every_certificate_suite_of_openssl_comes_among_the_first_hundred_or_so() {
        for version in ProtocolVersion::ALL {
            let batch = if version == ProtocolVersion::SSL3 { 104 } else { 128 };
            let first: Vec<_> = CipherSuite::all(version).take(batch).collect();
            let missing: Vec<_> = CipherSuite::all(version)
                .filter(|suite| unlikelihood(*suite) == 0 && !first.contains(suite))
                .collect();
            assert_eq!(missing, []);
        }
    }

    #[test]
    fn weaknesses_are_named_by_the_gravest() {
        let weakness = |number: u16| CipherSuite(number).weakness();
        assert_eq!(weakness(0x1301), None);
        assert_eq!(weakness(0x002f), None);
        assert_eq!(weakness(0x0001), Some(SuiteWeakness::NoEncryption));
        assert_eq!(weakness(0xc0b4), Some(SuiteWeakness::NoEncryption));
        assert_eq!(weakness(0xc015), Some(SuiteWeakness::NoEncryption));
        assert_eq!(weakness(0x0017), Some(SuiteWeakness::Anonymous));
        assert_eq!(weakness(0x0003), Some(SuiteWeakness::Export));
        assert_eq!(weakness(0x0009), Some(SuiteWeakness::Des));
        assert_eq!(weakness(0xc011), Some(SuiteWeakness::Rc4));
        assert_eq!(weakness(0x000a), Some(SuiteWeakness::SmallBlock));
        assert_eq!(weakness(0xfefe), None);
    }

    #[test]
    fn static_keys_are_not_forward_secret() {
        let secret = |number: u16| CipherSuite(number).forward_secret();
        assert!(secret(0x1301) && secret(0xc02f) && secret(0x009e) && secret(0x00aa));
        assert!(!secret(0x009c) && !secret(0xc031) && !secret(0x00a8) && !secret(0xfefe));
    }

    #[test]
    fn openssl_names_are_found_and_belong_to_registered_suites() {
        assert_eq!(ECDHE_RSA_AES128_GCM.openssl_name(), Some("ECDHE-RSA-AES128-GCM-SHA256"));
        assert_eq!(RSA_3DES.openssl_name(), Some("DES-CBC3-SHA"));
        assert_eq!(CipherSuite(0xc0b4).openssl_name(), None);
        assert!(OPENSSL_NAMES.is_sorted_by_key(|(number, _)| *number));
        assert!(OPENSSL_NAMES.iter().all(|(number, _)| CipherSuite(*number).name().is_some()));
    }
}
