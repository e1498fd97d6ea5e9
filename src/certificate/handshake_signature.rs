//! Signatures of handshakes that the TLS library does not check: those of certificates that it does not read, by RSA keys of
//! unusual sizes or for RSA-PSS only, and on curves that it does not have.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use x509_parser::oid_registry as registry;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::arithmetic::{Curve, HashFunction, RsaKey, SHA1, SHA256, SHA384, SHA512};
use super::key::{KeyType, PublicKey};
use crate::tls::scheme::SignatureScheme;

/// Whether a signature is valid; `None` if that cannot be checked here, or if the scheme is not one of the key's type.
pub fn is_valid(
    scheme: SignatureScheme,
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (_, key) = SubjectPublicKeyInfo::from_der(spki).ok()?;
    let bits = &*key.subject_public_key.data;
    match PublicKey::of(&key).key_type {
        KeyType::Rsa => {
            let is_for_pss = key.algorithm.algorithm == registry::OID_PKCS1_RSASSAPSS;
            by_rsa((scheme, is_for_pss), bits, message, signature)
        }
        KeyType::Ec(curve) => {
            let hash = match scheme.0 {
                0x0203 => &SHA1,
                0x0403 | 0x081a => &SHA256,
                0x0503 | 0x081b => &SHA384,
                0x0603 | 0x081c => &SHA512,
                _ => return None,
            };
            let digest = digest::digest(hash.algorithm, message);
            Some(Curve::by_name(curve?)?.verifies(bits, digest.as_ref(), signature))
        }
        KeyType::Ed25519 if scheme.0 == 0x0807 => {
            Some(UnparsedPublicKey::new(&ED25519, bits).verify(message, signature).is_ok())
        }
        _ => None,
    }
}

fn by_rsa(
    (scheme, is_for_pss): (SignatureScheme, bool),
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (_, public) = RSAPublicKey::from_der(key).ok()?;
    let rsa = RsaKey { modulus: public.modulus, exponent: public.exponent };
    let pkcs1 =
        |hash: &HashFunction| (!is_for_pss).then(|| rsa.verifies_pkcs1(hash, message, signature));
    // In TLS the salt is as long as the hash.
    let pss = |hash: &HashFunction, salt| {
        let is_of_key = is_for_pss == (scheme.0 >= 0x0809);
        is_of_key.then(|| rsa.verifies_pss((hash, hash, salt), message, signature))
    };
    match scheme.0 {
        0x0201 => pkcs1(&SHA1),
        0x0401 => pkcs1(&SHA256),
        0x0501 => pkcs1(&SHA384),
        0x0601 => pkcs1(&SHA512),
        0x0804 | 0x0809 => pss(&SHA256, 32),
        0x0805 | 0x080a => pss(&SHA384, 48),
        0x0806 | 0x080b => pss(&SHA512, 64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::certificate::Certificate;
    use crate::certificate::issue::Authority;

    #[test]
    fn a_signature_is_valid_for_its_message_and_scheme_alone() {
        let now = datetime!(2026-06-15 12:00 UTC);
        for (algorithm, schemes, other) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, 0x0403, 0x0503),
            (&rcgen::PKCS_ECDSA_P384_SHA384, 0x0503, 0x0403),
            (&rcgen::PKCS_RSA_SHA256, 0x0401, 0x0501),
            (&rcgen::PKCS_ED25519, 0x0807, 0x0403),
        ] {
            // A root signs itself, by the scheme of the algorithm.
            let root = Authority::root_with("a", now, algorithm).unwrap();
            let parsed = Certificate::parse(&root.certificate).unwrap();
            let (_, whole) = x509_parser::prelude::X509Certificate::from_der(&parsed.der).unwrap();
            let (message, signature) =
                (whole.tbs_certificate.as_ref(), &*whole.signature_value.data);
            let of = |scheme, message: &[u8]| {
                is_valid(SignatureScheme(scheme), &parsed.public_key.spki, message, signature)
            };
            assert_eq!(of(schemes, message), Some(true), "{schemes:x}");
            assert_eq!(of(schemes, b"other"), Some(false), "{schemes:x}");
            assert_ne!(of(other, message), Some(true), "{schemes:x}");
            assert_eq!(of(0x0999, message), None);
        }
    }
}
