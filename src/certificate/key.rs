//! Public keys and signature algorithms: what they are and whether they are strong enough for a TLS server.

use std::fmt;

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// DSA, which no TLS client accepts any more.
    Dsa,
    /// An elliptic curve key, with the curve's common name where it is known.
    Ec(Option<&'static str>),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// RSA, whether labelled rsaEncryption or id-RSASSA-PSS.
    Rsa,
    /// A key of an algorithm this tool does not know.
    Unknown,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dsa => "DSA",
            Self::Ec(_) => "EC",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Rsa => "RSA",
            Self::Unknown => "unknown",
        })
    }
}

/// A subject's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its algorithm.
    pub key_type: KeyType,
    /// Size in bits: the modulus for RSA, the field for a curve; 0 where unknown.
    pub bits: u32,
    /// The RSA public exponent, where it fits.
    pub exponent: Option<u64>,
    /// The whole `SubjectPublicKeyInfo`, in DER.
    pub spki: Vec<u8>,
}

/// The hash inside a certificate's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureHash {
    /// Broken since 2004.
    Md5,
    /// Broken since 2017; refused by every current client.
    Sha1,
    /// The SHA-2 family, or a scheme that brings its own hash (Ed25519, Ed448).
    Strong,
    /// Not known to this tool.
    Unknown,
}

/// A certificate's signature algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// Its usual name, such as `ecdsa-with-SHA256`, or the dotted OID.
    pub name: String,
    /// The hash it rests on.
    pub hash: SignatureHash,
}
