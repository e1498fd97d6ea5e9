//! Public keys and signature algorithms: their types, and whether they are strong enough for a TLS server.

use std::fmt;

use x509_parser::asn1_rs::{Any, Integer, Oid, Tag, oid};
use x509_parser::oid_registry as registry;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::arithmetic::Curve;

/// The type of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// DSA, which TLS clients no longer accept.
    Dsa,
    /// An elliptic curve key, with the curve's usual name if it is known.
    Ec(Option<&'static str>),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// ML-DSA (FIPS 204), by its parameter set: 44, 65 or 87.
    MlDsa(u8),
    /// RSA, whether labelled rsaEncryption or id-RSASSA-PSS.
    Rsa,
    /// A key of an unknown algorithm.
    Unknown,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MlDsa(44) => "ML-DSA-44",
            Self::MlDsa(65) => "ML-DSA-65",
            Self::MlDsa(_) => "ML-DSA-87",
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
    /// The RSA public exponent, if it fits.
    pub exponent: Option<u64>,
    /// The whole `SubjectPublicKeyInfo`, in DER.
    pub spki: Vec<u8>,
    /// An RSA key for RSASSA-PSS only.
    pub pss: bool,
    /// A curve given by its parameters instead of its name.
    pub explicit_curve: bool,
    /// The key is valid for its algorithm, such as a point on its curve.
    pub well_formed: bool,
}

/// The hash inside a certificate's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureHash {
    /// MD5, broken since 2004, or an older hash.
    Md5,
    /// Broken since 2017; refused by every current client.
    Sha1,
    /// SHA-2 and later, or a scheme with its own hash (Ed25519, ML-DSA).
    Strong,
    /// Unknown.
    Unknown,
}

/// A certificate's signature algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureAlgorithm {
    /// Its usual name, such as `ecdsa-with-SHA256`, or the dotted OID.
    pub name: String,
    /// Its hash.
    pub hash: SignatureHash,
    /// The type of key that makes it; `None` if the algorithm is not known.
    pub key: Option<KeyType>,
    /// RSASSA-PSS.
    pub pss: bool,
    /// Its security bits as OpenSSL counts them; `None` if they are those of the certificate's own key.
    pub bits: Option<u32>,
}

/// Why a key or signature is too weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyWeakness {
    /// An RSA modulus of this many bits; clients accept 2048 or more.
    RsaModulus(u32),
    /// An RSA exponent below 3 or even.
    RsaExponent(u64),
    /// A curve of this many bits; clients accept 256 or more.
    Curve(u32),
    /// An algorithm that TLS clients no longer accept, by its name.
    Algorithm(&'static str),
    /// A signature with a broken hash, by its name.
    Hash(&'static str),
}

impl fmt::Display for KeyWeakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaModulus(bits) => {
                write!(f, "an RSA key of {bits} bits (clients accept 2048 or more)")
            }
            Self::RsaExponent(exponent) => {
                write!(f, "an RSA key with the public exponent {exponent}")
            }
            Self::Curve(bits) => {
                write!(f, "a curve of {bits} bits (clients accept 256 or more)")
            }
            Self::Algorithm(name) => write!(f, "a {name} key, which no current client accepts"),
            Self::Hash(name) => write!(f, "a {name} signature, which current clients refuse"),
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
    (oid!(1.3.132.0.32), "secp224k1", 224),
    (oid!(1.2.840.10045.3.1.1), "prime192v1", 192),
    (oid!(1.3.132.0.31), "secp192k1", 192),
    (oid!(1.3.36.3.3.2.8.1.1.1), "brainpoolP160r1", 160),
    (oid!(1.3.36.3.3.2.8.1.1.3), "brainpoolP192r1", 192),
    (oid!(1.3.36.3.3.2.8.1.1.5), "brainpoolP224r1", 224),
    (oid!(1.3.36.3.3.2.8.1.1.7), "brainpoolP256r1", 256),
    (oid!(1.3.36.3.3.2.8.1.1.8), "brainpoolP256t1", 256),
    (oid!(1.3.36.3.3.2.8.1.1.9), "brainpoolP320r1", 320),
    (oid!(1.3.36.3.3.2.8.1.1.11), "brainpoolP384r1", 384),
    (oid!(1.3.36.3.3.2.8.1.1.12), "brainpoolP384t1", 384),
    (oid!(1.3.36.3.3.2.8.1.1.13), "brainpoolP512r1", 512),
    (oid!(1.3.36.3.3.2.8.1.1.14), "brainpoolP512t1", 512),
    (oid!(1.2.156.10197.1.301), "SM2", 256),
];

const ED25519: Oid<'static> = oid!(1.3.101.112);
const ED448: Oid<'static> = oid!(1.3.101.113);

impl PublicKey {
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let (key_type, bits, exponent) = kind(spki);
        let parameters = spki.algorithm.parameters.as_ref();
        let explicit_curve = matches!(key_type, KeyType::Ec(_))
            && parameters.is_some_and(|parameters| parameters.tag() == Tag::Sequence);
        let key = &spki.subject_public_key.data;
        Self {
            key_type,
            bits,
            exponent,
            spki: spki.raw.to_vec(),
            pss: spki.algorithm.algorithm == registry::OID_PKCS1_RSASSAPSS,
            explicit_curve,
            well_formed: is_well_formed(key_type, bits, explicit_curve, key),
        }
    }

    /// Whether a current client refuses the key for being too weak.
    pub fn weakness(&self) -> Option<KeyWeakness> {
        match self.key_type {
            KeyType::Rsa if self.bits < 2048 => Some(KeyWeakness::RsaModulus(self.bits)),
            KeyType::Rsa => self
                .exponent
                .filter(|exponent| *exponent < 3 || exponent % 2 == 0)
                .map(KeyWeakness::RsaExponent),
            KeyType::Ec(_) if (1..256).contains(&self.bits) => Some(KeyWeakness::Curve(self.bits)),
            KeyType::Dsa => Some(KeyWeakness::Algorithm("DSA")),
            KeyType::Ec(_)
            | KeyType::Ed25519
            | KeyType::Ed448
            | KeyType::MlDsa(_)
            | KeyType::Unknown => None,
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
        return match known {
            Some((_, name, bits)) => (KeyType::Ec(Some(name)), *bits, None),
            None => (KeyType::Ec(None), field_bits(&spki.subject_public_key.data), None),
        };
    }
    if *id == registry::OID_PKCS1_RSAENCRYPTION || *id == registry::OID_PKCS1_RSASSAPSS {
        return rsa(&spki.subject_public_key.data);
    }
    if *id == registry::OID_KEY_TYPE_DSA {
        return (KeyType::Dsa, prime_bits(spki.algorithm.parameters.as_ref()), None);
    }
    let set = ML_DSA.iter().find(|(known, _)| known == id);
    set.map_or((KeyType::Unknown, 0, None), |(_, set)| (KeyType::MlDsa(*set), 0, None))
}

/// ML-DSA's parameter sets by OID (RFC 9881).
const ML_DSA: &[(Oid<'static>, u8)] = &[
    (oid!(2.16.840.1.101.3.4.3.17), 44),
    (oid!(2.16.840.1.101.3.4.3.18), 65),
    (oid!(2.16.840.1.101.3.4.3.19), 87),
];

/// Whether the key is valid for its algorithm.
fn is_well_formed(key_type: KeyType, bits: u32, explicit_curve: bool, key: &[u8]) -> bool {
    match key_type {
        KeyType::Rsa | KeyType::Dsa => bits > 0,
        KeyType::Ec(Some("SM2")) => true,
        KeyType::Ec(Some(name)) => Curve::by_name(name).is_none_or(|curve| curve.has_point(key)),
        KeyType::Ec(None) => explicit_curve,
        KeyType::Ed25519 => key.len() == 32,
        KeyType::Ed448 => key.len() == 57,
        KeyType::MlDsa(set) => matches!((set, key.len()), (44, 1312) | (65, 1952) | (87, 2592)),
        KeyType::Unknown => false,
    }
}

fn rsa(key: &[u8]) -> (KeyType, u32, Option<u64>) {
    match RSAPublicKey::from_der(key) {
        Ok((_, key)) => (KeyType::Rsa, number_bits(key.modulus), key.try_exponent().ok()),
        Err(_) => (KeyType::Rsa, 0, None),
    }
}

/// The length of p, the first of the domain parameters of DSA (RFC 3279 section 2.3.2).
fn prime_bits(parameters: Option<&Any<'_>>) -> u32 {
    let prime = parameters.and_then(|parameters| Integer::from_der(parameters.data).ok());
    prime.map_or(0, |(_, prime)| number_bits(prime.as_ref()))
}

/// The size of the field, in whole bytes, that a point of this form belongs to (SEC 1 section 2.3.3).
fn field_bits(point: &[u8]) -> u32 {
    let bytes = match point {
        [4, coordinates @ ..] => coordinates.len() / 2,
        [2 | 3, x @ ..] => x.len(),
        _ => 0,
    };
    u32::try_from(bytes * 8).unwrap_or(0)
}

fn number_bits(number: &[u8]) -> u32 {
    let significant = number.iter().skip_while(|byte| **byte == 0).count();
    let first = number.iter().find(|byte| **byte != 0).copied().unwrap_or(0);
    u32::try_from(significant * 8).unwrap_or(u32::MAX).saturating_sub(first.leading_zeros())
}

/// Signature algorithms by OID: OpenSSL's name, the hash inside, the kind of key, and OpenSSL's security bits.
#[rustfmt::skip]
const SIGNATURES: &[(Oid<'static>, &str, SignatureHash, KeyType, Option<u32>)] = &[
    (oid!(1.2.840.113549.1.1.2), "md2WithRSAEncryption", SignatureHash::Md5, KeyType::Rsa, Some(39)),
    (oid!(1.2.840.113549.1.1.3), "md4WithRSAEncryption", SignatureHash::Md5, KeyType::Rsa, Some(39)),
    (oid!(1.2.840.113549.1.1.4), "md5WithRSAEncryption", SignatureHash::Md5, KeyType::Rsa, Some(39)),
    (oid!(1.2.840.113549.1.1.5), "sha1WithRSAEncryption", SignatureHash::Sha1, KeyType::Rsa, Some(63)),
    (oid!(1.3.14.3.2.29), "sha1WithRSA", SignatureHash::Sha1, KeyType::Rsa, Some(63)),
    (oid!(1.2.840.113549.1.1.14), "sha224WithRSAEncryption", SignatureHash::Strong, KeyType::Rsa, Some(112)),
    (oid!(1.2.840.113549.1.1.11), "sha256WithRSAEncryption", SignatureHash::Strong, KeyType::Rsa, Some(128)),
    (oid!(1.2.840.113549.1.1.12), "sha384WithRSAEncryption", SignatureHash::Strong, KeyType::Rsa, Some(192)),
    (oid!(1.2.840.113549.1.1.13), "sha512WithRSAEncryption", SignatureHash::Strong, KeyType::Rsa, Some(256)),
    (oid!(1.2.840.10045.4.1), "ecdsa-with-SHA1", SignatureHash::Sha1, KeyType::Ec(None), Some(63)),
    (oid!(1.2.840.10045.4.3.1), "ecdsa-with-SHA224", SignatureHash::Strong, KeyType::Ec(None), Some(112)),
    (oid!(1.2.840.10045.4.3.2), "ecdsa-with-SHA256", SignatureHash::Strong, KeyType::Ec(None), Some(128)),
    (oid!(1.2.840.10045.4.3.3), "ecdsa-with-SHA384", SignatureHash::Strong, KeyType::Ec(None), Some(192)),
    (oid!(1.2.840.10045.4.3.4), "ecdsa-with-SHA512", SignatureHash::Strong, KeyType::Ec(None), Some(256)),
    (oid!(1.2.840.10040.4.3), "dsaWithSHA1", SignatureHash::Sha1, KeyType::Dsa, Some(63)),
    (oid!(2.16.840.1.101.3.4.3.1), "dsa_with_SHA224", SignatureHash::Strong, KeyType::Dsa, Some(112)),
    (oid!(2.16.840.1.101.3.4.3.2), "dsa_with_SHA256", SignatureHash::Strong, KeyType::Dsa, Some(128)),
    (oid!(2.16.840.1.101.3.4.3.17), "ML-DSA-44", SignatureHash::Strong, KeyType::MlDsa(44), None),
    (oid!(2.16.840.1.101.3.4.3.18), "ML-DSA-65", SignatureHash::Strong, KeyType::MlDsa(65), None),
    (oid!(2.16.840.1.101.3.4.3.19), "ML-DSA-87", SignatureHash::Strong, KeyType::MlDsa(87), None),
    (oid!(1.2.156.10197.1.501), "SM2-with-SM3", SignatureHash::Strong, KeyType::Ec(Some("SM2")), Some(128)),
    (oid!(1.3.101.112), "ED25519", SignatureHash::Strong, KeyType::Ed25519, Some(128)),
    (oid!(1.3.101.113), "ED448", SignatureHash::Strong, KeyType::Ed448, Some(224)),
];

impl SignatureAlgorithm {
    pub(super) fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        if algorithm.algorithm == registry::OID_PKCS1_RSASSAPSS {
            return rsassa_pss(algorithm);
        }
        match SIGNATURES.iter().find(|(id, ..)| *id == algorithm.algorithm) {
            Some((_, name, hash, key, bits)) => Self {
                name: (*name).to_owned(),
                hash: *hash,
                key: Some(*key),
                pss: false,
                bits: *bits,
            },
            None => Self {
                name: dotted(&algorithm.algorithm),
                hash: SignatureHash::Unknown,
                key: None,
                pss: false,
                bits: Some(0),
            },
        }
    }

    /// Whether a current client refuses the signature for its hash.
    pub fn weakness(&self) -> Option<KeyWeakness> {
        match self.hash {
            SignatureHash::Md5 => Some(KeyWeakness::Hash("MD5")),
            SignatureHash::Sha1 => Some(KeyWeakness::Hash("SHA-1")),
            SignatureHash::Strong | SignatureHash::Unknown => None,
        }
    }
}

/// RSASSA-PSS names its hash in its parameters; without them it is SHA-1 (RFC 4055 section 3.1).
fn rsassa_pss(algorithm: &AlgorithmIdentifier<'_>) -> SignatureAlgorithm {
    let parameters = algorithm.parameters.as_ref().map(RsaSsaPssParams::try_from);
    let id = match &parameters {
        None => Some(registry::OID_HASH_SHA1),
        Some(Ok(parameters)) => Some(parameters.hash_algorithm_oid().clone()),
        Some(Err(_)) => None,
    };
    let known = id.and_then(|id| PSS_HASHES.iter().find(|(hash, ..)| *hash == id));
    let (name, hash, bits) = match known {
        Some((_, name, hash, bits)) => (format!("rsassaPss ({name})"), *hash, *bits),
        None => ("rsassaPss".to_owned(), SignatureHash::Unknown, 0),
    };
    SignatureAlgorithm { name, hash, key: Some(KeyType::Rsa), pss: true, bits: Some(bits) }
}

/// Hashes of RSASSA-PSS by OID.
const PSS_HASHES: &[(Oid<'static>, &str, SignatureHash, u32)] = &[
    (registry::OID_HASH_SHA1, "SHA1", SignatureHash::Sha1, 63),
    (registry::OID_NIST_HASH_SHA256, "SHA256", SignatureHash::Strong, 128),
    (registry::OID_NIST_HASH_SHA384, "SHA384", SignatureHash::Strong, 192),
    (registry::OID_NIST_HASH_SHA512, "SHA512", SignatureHash::Strong, 256),
];

/// The dotted form of an identifier; a hostile one may have thousands of arcs.
pub(super) fn dotted(id: &Oid<'_>) -> String {
    if id.as_bytes().len() > 40 { "(unknown)".to_owned() } else { id.to_id_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::testing::tlv;

    /// A `SubjectPublicKeyInfo` of this algorithm, parameters in DER, and key.
    fn key(id: &Oid<'_>, parameters: &[u8], key: &[u8]) -> PublicKey {
        let algorithm = tlv(0x30, &[tlv(6, id.as_bytes()), parameters.to_vec()].concat());
        let bits = tlv(3, &[&[0], key].concat());
        let spki = tlv(0x30, &[algorithm, bits].concat());
        PublicKey::of(&SubjectPublicKeyInfo::from_der(&spki).unwrap().1)
    }

    /// An RSA key with a modulus of so many bits.
    fn rsa_key(id: &Oid<'_>, bits: usize, exponent: &[u8]) -> PublicKey {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        if modulus[0] >= 0x80 {
            modulus.insert(0, 0);
        }
        let body = [tlv(2, &modulus), tlv(2, exponent)].concat();
        key(id, &[5, 0], &tlv(0x30, &body))
    }

    fn ec_key(curve: &Oid<'_>, coordinate: usize) -> PublicKey {
        let point = [vec![4], vec![1; 2 * coordinate]].concat();
        key(&registry::OID_KEY_TYPE_EC_PUBLIC_KEY, &tlv(6, curve.as_bytes()), &point)
    }

    #[test]
    fn rsa_is_measured_by_its_modulus_however_it_is_labelled() {
        for id in [registry::OID_PKCS1_RSAENCRYPTION, registry::OID_PKCS1_RSASSAPSS] {
            let sound = rsa_key(&id, 2048, &[1, 0, 1]);
            assert_eq!((sound.key_type, sound.bits), (KeyType::Rsa, 2048));
            assert_eq!((sound.exponent, sound.weakness()), (Some(65537), None));
            let short = rsa_key(&id, 2047, &[1, 0, 1]);
            assert_eq!(short.weakness(), Some(KeyWeakness::RsaModulus(2047)));
            assert_eq!(rsa_key(&id, 2048, &[4]).weakness(), Some(KeyWeakness::RsaExponent(4)));
            assert_eq!(rsa_key(&id, 2048, &[3]).weakness(), None);
        }
    }

    #[test]
    fn curves_are_named_as_openssl_names_them() {
        let named = |key: PublicKey| (key.key_type, key.bits);
        let p521 = ec_key(&registry::OID_NIST_EC_P521, 66);
        assert_eq!(named(p521), (KeyType::Ec(Some("secp521r1")), 521));
        let brainpool = ec_key(&oid!(1.3.36.3.3.2.8.1.1.1), 20);
        assert_eq!(brainpool.weakness(), Some(KeyWeakness::Curve(160)));
    }

    #[test]
    fn an_unknown_curve_is_measured_by_its_point() {
        let unknown = ec_key(&oid!(1.2.3), 14);
        assert_eq!((unknown.key_type, unknown.bits), (KeyType::Ec(None), 112));
        assert_eq!(unknown.weakness(), Some(KeyWeakness::Curve(112)));
        let pointless = key(&registry::OID_KEY_TYPE_EC_PUBLIC_KEY, &[5, 0], &[]);
        assert_eq!((pointless.bits, pointless.weakness()), (0, None));
    }

    #[test]
    fn dsa_is_measured_by_its_prime() {
        let numbers = [tlv(2, &[0x7f; 128]), tlv(2, &[1]), tlv(2, &[2])].concat();
        let dsa = key(&registry::OID_KEY_TYPE_DSA, &tlv(0x30, &numbers), &tlv(2, &[9]));
        assert_eq!((dsa.key_type, dsa.bits), (KeyType::Dsa, 1023));
        assert_eq!(dsa.weakness(), Some(KeyWeakness::Algorithm("DSA")));
    }

    #[track_caller]
    fn check_signature(id: &Oid<'_>, parameters: &[u8], name: &str, hash: SignatureHash) {
        let der = tlv(0x30, &[tlv(6, id.as_bytes()), parameters.to_vec()].concat());
        let read = SignatureAlgorithm::of(&AlgorithmIdentifier::from_der(&der).unwrap().1);
        assert_eq!((read.name.as_str(), read.hash), (name, hash));
    }

    #[test]
    fn signatures_are_named_as_openssl_names_them() {
        let weak = registry::OID_PKCS1_SHA1WITHRSA;
        check_signature(&weak, &[5, 0], "sha1WithRSAEncryption", SignatureHash::Sha1);
        let strong = registry::OID_SIG_ECDSA_WITH_SHA384;
        check_signature(&strong, &[], "ecdsa-with-SHA384", SignatureHash::Strong);
        check_signature(&oid!(1.2.3.4), &[], "1.2.3.4", SignatureHash::Unknown);
    }

    #[test]
    fn rsassa_pss_is_as_strong_as_the_hash_that_it_names() {
        let pss = registry::OID_PKCS1_RSASSAPSS;
        let hash = tlv(0x30, &tlv(6, registry::OID_NIST_HASH_SHA256.as_bytes()));
        let named = tlv(0x30, &tlv(0xa0, &hash));
        check_signature(&pss, &named, "rsassaPss (SHA256)", SignatureHash::Strong);
        check_signature(&pss, &[0x30, 0], "rsassaPss (SHA1)", SignatureHash::Sha1);
        check_signature(&pss, &[], "rsassaPss (SHA1)", SignatureHash::Sha1);
        check_signature(&pss, &[5, 0], "rsassaPss", SignatureHash::Unknown);
    }
}
