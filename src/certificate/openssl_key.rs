//! Public keys as OpenSSL sees them: whether a release supports the key, and its security bits.

use super::key::{KeyType, PublicKey, SignatureAlgorithm};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;

impl PublicKey {
    /// Whether a release can use the key (`X509_get0_pubkey`).
    pub fn is_known_to(&self, library: OpensslRelease) -> bool {
        match self.key_type {
            KeyType::MlDsa(_) => self.well_formed && library >= OpensslRelease::V3_5,
            _ => self.well_formed,
        }
    }

    /// Its security bits (`EVP_PKEY_get_security_bits`); 0 if the release does not support it.
    pub fn security_bits(&self, library: OpensslRelease) -> u32 {
        if !self.is_known_to(library) {
            return 0;
        }
        match self.key_type {
            KeyType::Rsa => security_level::rsa_bits(self.bits, library),
            KeyType::Dsa => security_level::finite_field_bits(self.bits),
            KeyType::Ec(_) => security_level::curve_bits(self.bits),
            KeyType::Ed25519 | KeyType::MlDsa(44) => 128,
            KeyType::Ed448 => 224,
            KeyType::MlDsa(65) => 192,
            KeyType::MlDsa(_) => 256,
            KeyType::Unknown => 0,
        }
    }
}

impl SignatureAlgorithm {
    /// Whether keys of this kind make such signatures (`check_sig_alg_match`). A key for RSA-PSS makes no others; any RSA
    /// key makes RSA-PSS signatures.
    pub fn is_made_by(&self, key: &PublicKey) -> bool {
        const SM2: Option<&str> = Some("SM2");
        match (self.key, key.key_type) {
            (Some(KeyType::Rsa), KeyType::Rsa) => self.pss || !key.pss,
            (Some(KeyType::Ec(signs)), KeyType::Ec(curve)) => (signs == SM2) == (curve == SM2),
            (Some(signs), has) => signs == has,
            (None, _) => false,
        }
    }
}
