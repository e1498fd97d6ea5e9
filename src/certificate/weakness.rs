//! What of a certificate is too weak for a security level of OpenSSL (`ssl_security_cert`).

use super::Certificate;
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level::least_bits;

/// What is too weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// The key of the leaf.
    LeafKey,
    /// The key of another certificate of the chain.
    AuthorityKey,
    /// The digest that a certificate is signed with.
    Signature,
}

impl Weakness {
    /// The first weakness of a leaf and the others of its chain at a level.
    pub fn of_chain<'c>(
        leaf: &Certificate,
        mut others: impl Iterator<Item = &'c Certificate>,
        level: u8,
        library: OpensslRelease,
    ) -> Option<Self> {
        let other = |one| Self::of(one, Self::AuthorityKey, level, library);
        Self::of_leaf(leaf, level, library).or_else(|| others.find_map(other))
    }

    /// The weakness of a leaf at a level.
    pub fn of_leaf(leaf: &Certificate, level: u8, library: OpensslRelease) -> Option<Self> {
        Self::of(leaf, Self::LeafKey, level, library)
    }

    fn of(one: &Certificate, by_key: Self, level: u8, library: OpensslRelease) -> Option<Self> {
        let least = least_bits(level);
        let (key, signature) = (one.public_key.security_bits(library), one.signature_bits(library));
        // An algorithm that is unknown here has no bits, and nobody checks how a root was signed.
        if level > 0 && (1..least).contains(&key) {
            return Some(by_key);
        }
        let is_root = one.subject == one.issuer;
        // 1.1.1 counts more bits for SHA-1.
        let counts = level > 0 && !(level == 1 && library == OpensslRelease::V1_1_1);
        (counts && !is_root && (1..least).contains(&signature)).then_some(Self::Signature)
    }

    /// The reason of OpenSSL's error.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LeafKey => "ee key too small",
            Self::AuthorityKey => "ca key too small",
            Self::Signature => "ca md too weak",
        }
    }

    /// OpenSSL's error where it refuses to load the certificate.
    pub fn load_error(self, library: OpensslRelease) -> String {
        let number = match self {
            Self::LeafKey => "18F",
            Self::AuthorityKey => "18D",
            Self::Signature => "18E",
        };
        let reason = self.reason();
        if library == OpensslRelease::V1_1_1 {
            format!("error:140AB{number}:SSL routines:SSL_CTX_use_certificate:{reason}")
        } else {
            format!("error:0A000{number}:SSL routines::{reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_release() {
        assert_eq!(
            Weakness::LeafKey.load_error(OpensslRelease::V3_0),
            "error:0A00018F:SSL routines::ee key too small"
        );
        assert_eq!(
            Weakness::Signature.load_error(OpensslRelease::V1_1_1),
            "error:140AB18E:SSL routines:SSL_CTX_use_certificate:ca md too weak"
        );
    }
}
