//! Whether one certificate signed another, for every algorithm that can be checked here, old and weak ones included:
//! a weak signature is a finding of its own, and a chain is easier to explain when its edges are known.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA1_ASN1,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, ML_DSA_44,
    ML_DSA_65, ML_DSA_87, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls_pki_types::{
    AlgorithmIdentifier as AlgorithmId, InvalidSignature, SignatureVerificationAlgorithm,
};
use x509_parser::asn1_rs::{Oid, oid};
use x509_parser::oid_registry as registry;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::arithmetic::{self, Curve, RsaKey};
use super::key::{KeyType, PublicKey};
use super::parse::{Certificate, Fingerprint};

/// ecdsa-with-SHA1 (RFC 3279 section 2.2.3).
const ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);

/// The outcome of checking one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// The key made the signature.
    Valid,
    /// It did not.
    Invalid,
    /// The algorithm, curve or key size is one that cannot be checked here.
    CannotCheck,
}

/// Checks signatures, and caches the good ones: they are most of the cost of a chain, and its shape and both verdicts
/// need the same ones.
#[derive(Debug, Default)]
pub struct Verifier {
    good: Mutex<HashSet<Fingerprint>>,
    /// The same by certificate and key, so that a known certificate is not parsed again.
    certificates: Mutex<HashSet<(Fingerprint, Vec<u8>)>>,
    /// Checks that were made by arithmetic.
    by_arithmetic: AtomicUsize,
}

/// The most checks by arithmetic, each of which may take some ten milliseconds: twice as many as a real chain needs.
const MAX_BY_ARITHMETIC: usize = 8;

impl Verifier {
    /// Checks the signature of a certificate with the key of the `SubjectPublicKeyInfo` in `spki`.
    pub fn check(&self, certificate: &Certificate, spki: &[u8]) -> SignatureCheck {
        let asked = (certificate.sha256, spki.to_vec());
        if lock(&self.certificates).contains(&asked) {
            return SignatureCheck::Valid;
        }
        let Ok((_, subject)) = X509Certificate::from_der(&certificate.der) else {
            return SignatureCheck::CannotCheck;
        };
        let (message, signature) =
            (subject.tbs_certificate.as_ref(), &subject.signature_value.data);
        let outcome = self.verify(&subject.signature_algorithm, spki, message, signature);
        if outcome == SignatureCheck::Valid {
            lock(&self.certificates).insert(asked);
        }
        outcome
    }

    /// Checks the signature of any message; the algorithm is an `AlgorithmIdentifier` in DER.
    pub(super) fn check_message(
        &self,
        algorithm: &[u8],
        spki: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> SignatureCheck {
        match AlgorithmIdentifier::from_der(algorithm) {
            Ok((_, algorithm)) => self.verify(&algorithm, spki, message, signature),
            Err(_) => SignatureCheck::CannotCheck,
        }
    }

    fn verify(
        &self,
        signed_with: &AlgorithmIdentifier<'_>,
        spki: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> SignatureCheck {
        let Ok((_, key)) = SubjectPublicKeyInfo::from_der(spki) else {
            return SignatureCheck::CannotCheck;
        };
        let public_key = &*key.subject_public_key.data;
        let name = name(public_key, message, signature);
        if lock(&self.good).contains(&name) {
            return SignatureCheck::Valid;
        }
        // The library refuses RSA keys of some sizes outright, so its "no" proves nothing there.
        let by_library = algorithm(signed_with, &key).filter(|_| !is_unusual_rsa(&key));
        let valid = match by_library {
            Some(algorithm) => Some(
                UnparsedPublicKey::new(algorithm, public_key).verify(message, signature).is_ok(),
            ),
            None if self.by_arithmetic.fetch_add(1, Ordering::Relaxed) >= MAX_BY_ARITHMETIC => None,
            None => verified_by_arithmetic(signed_with, &key, message, signature),
        };
        match valid {
            Some(true) => {
                lock(&self.good).insert(name);
                SignatureCheck::Valid
            }
            Some(false) => SignatureCheck::Invalid,
            None => SignatureCheck::CannotCheck,
        }
    }

    fn is_known(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let name = name(public_key, message, signature);
        lock(&self.good).contains(&name)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Identifies a check. The algorithm is part of every signed message here, so it is not included again.
fn name(public_key: &[u8], message: &[u8], signature: &[u8]) -> Fingerprint {
    let mut bytes = Vec::with_capacity(public_key.len() + message.len() + signature.len() + 24);
    for part in [public_key, message, signature] {
        bytes.extend_from_slice(&part.len().to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Fingerprint::of(&bytes)
}

/// One of webpki's algorithms, which asks a [`Verifier`] first. webpki still refuses keys because of their size.
#[derive(Debug)]
pub(super) struct Remembering<'v> {
    pub(super) verifier: &'v Verifier,
    pub(super) algorithm: &'static dyn SignatureVerificationAlgorithm,
}

/// A DER RSA key of 2048 bits has 270 bytes; an uncompressed point on P-256 has 65.
fn is_ordinary(public_key: &[u8]) -> bool {
    public_key.len() >= 260 || (public_key.len() >= 65 && public_key.first() == Some(&4))
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if is_ordinary(public_key) && self.verifier.is_known(public_key, message, signature) {
            return Ok(());
        }
        self.algorithm.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmId {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmId {
        self.algorithm.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.algorithm.fips()
    }
}

/// The outcome for algorithms that the library does not check; `None` if they cannot be checked here either.
fn verified_by_arithmetic(
    signed_with: &AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let id = &signed_with.algorithm;
    if let Some(hash) = ecdsa_hash(id) {
        let KeyType::Ec(Some(name)) = PublicKey::of(key).key_type else { return None };
        let digest = digest::digest(hash.named().algorithm, message);
        let point = &key.subject_public_key.data;
        return Some(Curve::by_name(name)?.verifies(point, digest.as_ref(), signature));
    }
    let hash = pkcs1_hash(id);
    if hash.is_none() && *id != registry::OID_PKCS1_RSASSAPSS {
        return None;
    }
    let (_, public) = RSAPublicKey::from_der(&key.subject_public_key.data).ok()?;
    let rsa = RsaKey { modulus: public.modulus, exponent: public.exponent };
    match hash {
        Some(hash) => Some(rsa.verifies_pkcs1(hash.named(), message, signature)),
        None => Some(rsa.verifies_pss(pss_parameters(signed_with)?, message, signature)),
    }
}

/// Hash, hash of the mask, and length of the salt.
fn pss_parameters(
    signed_with: &AlgorithmIdentifier<'_>,
) -> Option<(&'static arithmetic::HashFunction, &'static arithmetic::HashFunction, usize)> {
    let parameters = RsaSsaPssParams::try_from(signed_with.parameters.as_ref()?).ok()?;
    let hash = arithmetic::HashFunction::by_oid(parameters.hash_algorithm_oid().as_bytes())?;
    let mask = parameters.mask_gen_algorithm().ok()?;
    let mask_hash = arithmetic::HashFunction::by_oid(mask.hash.as_bytes())?;
    Some((hash, mask_hash, usize::try_from(parameters.salt_length()).ok()?))
}

/// A size for which the library refuses some algorithms outright.
fn is_unusual_rsa(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let id = &key.algorithm.algorithm;
    let is_rsa = *id == registry::OID_PKCS1_RSAENCRYPTION || *id == registry::OID_PKCS1_RSASSAPSS;
    is_rsa && !(2048..=8192).contains(&PublicKey::of(key).bits)
}

/// A hash, by its size in bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HashName {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl HashName {
    fn named(self) -> &'static arithmetic::HashFunction {
        match self {
            Self::Sha1 => &arithmetic::SHA1,
            Self::Sha224 => &arithmetic::SHA224,
            Self::Sha256 => &arithmetic::SHA256,
            Self::Sha384 => &arithmetic::SHA384,
            Self::Sha512 => &arithmetic::SHA512,
        }
    }
}

fn algorithm(
    signature: &AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let id = &signature.algorithm;
    if let Some(hash) = pkcs1_hash(id) {
        return is_rsa(key).then(|| pkcs1(hash)).flatten();
    }
    if let Some(hash) = ecdsa_hash(id) {
        return ecdsa(hash, key);
    }
    if *id == registry::OID_PKCS1_RSASSAPSS {
        return pss(signature);
    }
    if *id == key.algorithm.algorithm
        && let KeyType::MlDsa(set) = PublicKey::of(key).key_type
    {
        return Some(ml_dsa(set));
    }
    (*id == registry::OID_SIG_ED25519 && key.algorithm.algorithm == registry::OID_SIG_ED25519)
        .then_some(&ED25519)
}

fn ml_dsa(set: u8) -> &'static dyn VerificationAlgorithm {
    match set {
        44 => &ML_DSA_44,
        65 => &ML_DSA_65,
        _ => &ML_DSA_87,
    }
}

fn is_rsa(key: &SubjectPublicKeyInfo<'_>) -> bool {
    key.algorithm.algorithm == registry::OID_PKCS1_RSAENCRYPTION
}

fn pkcs1_hash(id: &Oid<'_>) -> Option<HashName> {
    [
        (registry::OID_PKCS1_SHA1WITHRSA, HashName::Sha1),
        (registry::OID_SHA1_WITH_RSA, HashName::Sha1),
        (registry::OID_PKCS1_SHA224WITHRSA, HashName::Sha224),
        (registry::OID_PKCS1_SHA256WITHRSA, HashName::Sha256),
        (registry::OID_PKCS1_SHA384WITHRSA, HashName::Sha384),
        (registry::OID_PKCS1_SHA512WITHRSA, HashName::Sha512),
    ]
    .into_iter()
    .find_map(|(known, hash)| (known == *id).then_some(hash))
}

fn ecdsa_hash(id: &Oid<'_>) -> Option<HashName> {
    [
        (ECDSA_WITH_SHA1, HashName::Sha1),
        (registry::OID_SIG_ECDSA_WITH_SHA224, HashName::Sha224),
        (registry::OID_SIG_ECDSA_WITH_SHA256, HashName::Sha256),
        (registry::OID_SIG_ECDSA_WITH_SHA384, HashName::Sha384),
        (registry::OID_SIG_ECDSA_WITH_SHA512, HashName::Sha512),
    ]
    .into_iter()
    .find_map(|(known, hash)| (known == *id).then_some(hash))
}

fn pkcs1(hash: HashName) -> Option<&'static dyn VerificationAlgorithm> {
    match hash {
        HashName::Sha1 => Some(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        HashName::Sha224 => None,
        HashName::Sha256 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        HashName::Sha384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        HashName::Sha512 => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
    }
}

fn pss(signature: &AlgorithmIdentifier<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let (own, mask, salt) = pss_parameters(signature)?;
    if own.oid != mask.oid || salt != own.algorithm.output_len() {
        return None;
    }
    let params = RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?;
    let hash = params.hash_algorithm_oid();
    let known: [(_, &'static dyn VerificationAlgorithm); 3] = [
        (registry::OID_NIST_HASH_SHA256, &RSA_PSS_2048_8192_SHA256),
        (registry::OID_NIST_HASH_SHA384, &RSA_PSS_2048_8192_SHA384),
        (registry::OID_NIST_HASH_SHA512, &RSA_PSS_2048_8192_SHA512),
    ];
    known.into_iter().find_map(|(id, algorithm)| (id == *hash).then_some(algorithm))
}

fn ecdsa(
    hash: HashName,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let algorithm: &'static dyn VerificationAlgorithm = if curve == registry::OID_EC_P256 {
        match hash {
            HashName::Sha224 => return None,
            HashName::Sha1 => &ECDSA_P256_SHA1_ASN1,
            HashName::Sha256 => &ECDSA_P256_SHA256_ASN1,
            HashName::Sha384 => &ECDSA_P256_SHA384_ASN1,
            HashName::Sha512 => &ECDSA_P256_SHA512_ASN1,
        }
    } else if curve == registry::OID_NIST_EC_P384 {
        match hash {
            HashName::Sha1 | HashName::Sha224 => return None,
            HashName::Sha256 => &ECDSA_P384_SHA256_ASN1,
            HashName::Sha384 => &ECDSA_P384_SHA384_ASN1,
            HashName::Sha512 => &ECDSA_P384_SHA512_ASN1,
        }
    } else if curve == registry::OID_NIST_EC_P521 {
        match hash {
            HashName::Sha224 => return None,
            HashName::Sha1 => &ECDSA_P521_SHA1_ASN1,
            HashName::Sha256 => &ECDSA_P521_SHA256_ASN1,
            HashName::Sha384 => &ECDSA_P521_SHA384_ASN1,
            HashName::Sha512 => &ECDSA_P521_SHA512_ASN1,
        }
    } else {
        return None;
    };
    Some(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::testing::tlv;

    #[test]
    fn arithmetic_is_not_done_without_end() {
        const RSA: [u8; 13] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
        const SHA256_WITH_RSA: [u8; 13] =
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
        let numbers = [tlv(2, &[&[0], &[0xc1; 128][..]].concat()), tlv(2, &[3])].concat();
        let key = tlv(3, &[&[0], &*tlv(0x30, &numbers)].concat());
        let spki = tlv(0x30, &[tlv(0x30, &RSA), key].concat());
        let verifier = Verifier::default();
        let check = || {
            let algorithm = tlv(0x30, &SHA256_WITH_RSA);
            verifier.check_message(&algorithm, &spki, b"message", &[7; 128])
        };
        for _ in 0..MAX_BY_ARITHMETIC {
            assert_eq!(check(), SignatureCheck::Invalid);
        }
        assert_eq!(check(), SignatureCheck::CannotCheck);
    }
}
