//! Public keys and signature algorithms: what they are and whether they are strong enough for a TLS server.

use std::fmt;

use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::oid_registry as registry;
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

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

/// Why a key or signature is too weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// An RSA modulus of this many bits; 2048 is the least that clients take.
    RsaModulus(u32),
    /// An RSA exponent below 3 or even.
    RsaExponent(u64),
    /// A curve of this many bits; 256 is the least that clients take.
    Curve(u32),
    /// An algorithm that TLS clients no longer take, by its name.
    Algorithm(&'static str),
    /// A signature over a broken hash, by its name.
    Hash(&'static str),
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaModulus(bits) => {
                write!(f, "an RSA key of {bits} bits (2048 is the least that clients accept)")
            }
            Self::RsaExponent(exponent) => {
                write!(f, "an RSA key with the public exponent {exponent}")
            }
            Self::Curve(bits) => {
                write!(f, "a curve of {bits} bits (256 is the least that clients accept)")
            }
            Self::Algorithm(name) => write!(f, "a {name} key, which no current client accepts"),
            Self::Hash(name) => write!(f, "a signature over {name}, which current clients refuse"),
        }
    }
}

/// Elliptic curves by OID: OpenSSL's name and the size of the field in bits.
const CURVES: &[(Oid<'static>, &str, u32)] = &[
    (oid!(1.2.840.10045.3.1.7), "prime256v1", 256),
    (oid!(1.3.132.0.34), "secp384r1", 384),
    (oid!(1.3.132.0.35), "secp521r1", 521),
    (oid!(1.3.132.0.10), "secp256k1", 256),
    (oid!(1.3.132.0.33), "secp224r1", 224),
    (oid!(1.2.840.10045.3.1.1), "prime192v1", 192),
    (oid!(1.3.36.3.3.2.8.1.1.7), "brainpoolP256r1", 256),
    (oid!(1.3.36.3.3.2.8.1.1.11), "brainpoolP384r1", 384),
    (oid!(1.3.36.3.3.2.8.1.1.13), "brainpoolP512r1", 512),
];

const ED25519: Oid<'static> = oid!(1.3.101.112);
const ED448: Oid<'static> = oid!(1.3.101.113);

impl PublicKey {
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let (key_type, bits, exponent) = kind(spki);
        Self { key_type, bits, exponent, spki: spki.raw.to_vec() }
    }

    /// Whether a current client refuses the key for being too weak.
    pub fn weakness(&self) -> Option<Weakness> {
        match self.key_type {
            KeyType::Rsa if self.bits < 2048 => Some(Weakness::RsaModulus(self.bits)),
            KeyType::Rsa => self
                .exponent
                .filter(|exponent| *exponent < 3 || exponent % 2 == 0)
                .map(Weakness::RsaExponent),
            KeyType::Ec(Some(_)) if self.bits < 256 => Some(Weakness::Curve(self.bits)),
            KeyType::Dsa => Some(Weakness::Algorithm("DSA")),
            KeyType::Ec(_) | KeyType::Ed25519 | KeyType::Ed448 | KeyType::Unknown => None,
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key_type, self.bits) {
            (KeyType::Ec(Some(curve)), _) => write!(f, "EC {curve}"),
            (key_type, 0) => write!(f, "{key_type}"),
            (key_type, bits) => write!(f, "{key_type} {bits} bits"),
        }
    }
}

fn kind(spki: &SubjectPublicKeyInfo<'_>) -> (KeyType, u32, Option<u64>) {
    let id = &spki.algorithm.algorithm;
    if *id == ED25519 {
        return (KeyType::Ed25519, 256, None);
    }
    if *id == ED448 {
        return (KeyType::Ed448, 456, None);
    }
    if *id == registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve =
            spki.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        let known = curve.and_then(|curve| CURVES.iter().find(|(id, ..)| *id == curve));
        return known.map_or((KeyType::Ec(None), 0, None), |(_, name, bits)| {
            (KeyType::Ec(Some(name)), *bits, None)
        });
    }
    match spki.parsed() {
        Ok(ParsedKey::RSA(rsa)) => {
            (KeyType::Rsa, modulus_bits(rsa.modulus), rsa.try_exponent().ok())
        }
        Ok(ParsedKey::DSA(_)) => (KeyType::Dsa, 0, None),
        _ => (KeyType::Unknown, 0, None),
    }
}

fn modulus_bits(modulus: &[u8]) -> u32 {
    let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
    let first = modulus.iter().find(|byte| **byte != 0).copied().unwrap_or(0);
    u32::try_from(significant * 8).unwrap_or(u32::MAX).saturating_sub(first.leading_zeros())
}

/// Signature algorithms by OID: OpenSSL's name and the hash inside.
const SIGNATURES: &[(Oid<'static>, &str, SignatureHash)] = &[
    (oid!(1.2.840.113549.1.1.4), "md5WithRSAEncryption", SignatureHash::Md5),
    (oid!(1.2.840.113549.1.1.5), "sha1WithRSAEncryption", SignatureHash::Sha1),
    (oid!(1.3.14.3.2.29), "sha1WithRSA", SignatureHash::Sha1),
    (oid!(1.2.840.113549.1.1.14), "sha224WithRSAEncryption", SignatureHash::Strong),
    (oid!(1.2.840.113549.1.1.11), "sha256WithRSAEncryption", SignatureHash::Strong),
    (oid!(1.2.840.113549.1.1.12), "sha384WithRSAEncryption", SignatureHash::Strong),
    (oid!(1.2.840.113549.1.1.13), "sha512WithRSAEncryption", SignatureHash::Strong),
    (oid!(1.2.840.10045.4.1), "ecdsa-with-SHA1", SignatureHash::Sha1),
    (oid!(1.2.840.10045.4.3.1), "ecdsa-with-SHA224", SignatureHash::Strong),
    (oid!(1.2.840.10045.4.3.2), "ecdsa-with-SHA256", SignatureHash::Strong),
    (oid!(1.2.840.10045.4.3.3), "ecdsa-with-SHA384", SignatureHash::Strong),
    (oid!(1.2.840.10045.4.3.4), "ecdsa-with-SHA512", SignatureHash::Strong),
    (oid!(1.2.840.10040.4.3), "dsaWithSHA1", SignatureHash::Sha1),
    (oid!(1.3.101.112), "ED25519", SignatureHash::Strong),
    (oid!(1.3.101.113), "ED448", SignatureHash::Strong),
];

impl SignatureAlgorithm {
    pub(super) fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        if algorithm.algorithm == registry::OID_PKCS1_RSASSAPSS {
            return Self { name: "rsassaPss".to_owned(), hash: pss_hash(algorithm) };
        }
        match SIGNATURES.iter().find(|(id, ..)| *id == algorithm.algorithm) {
            Some((_, name, hash)) => Self { name: (*name).to_owned(), hash: *hash },
            None => Self { name: algorithm.algorithm.to_id_string(), hash: SignatureHash::Unknown },
        }
    }

    /// Whether a current client refuses the signature for its hash.
    pub fn weakness(&self) -> Option<Weakness> {
        match self.hash {
            SignatureHash::Md5 => Some(Weakness::Hash("MD5")),
            SignatureHash::Sha1 => Some(Weakness::Hash("SHA-1")),
            SignatureHash::Strong | SignatureHash::Unknown => None,
        }
    }
}

/// Without parameters RSASSA-PSS means SHA-1 (RFC 4055 section 3.1).
fn pss_hash(algorithm: &AlgorithmIdentifier<'_>) -> SignatureHash {
    let Some(parameters) = algorithm.parameters.as_ref() else {
        return SignatureHash::Sha1;
    };
    match RsaSsaPssParams::try_from(parameters) {
        Ok(parameters) if *parameters.hash_algorithm_oid() == registry::OID_HASH_SHA1 => {
            SignatureHash::Sha1
        }
        Ok(_) => SignatureHash::Strong,
        Err(_) => SignatureHash::Unknown,
    }
}
