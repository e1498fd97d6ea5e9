//! Signature schemes (RFC 8446 section 4.2.3) by number and IANA name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A `SignatureScheme`; in TLS 1.2 the same two bytes are a hash and a signature algorithm. Unknown values are kept.
///
/// It prints in IANA's spelling, or as `0x1a2b` where the registry has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignatureScheme(pub u16);

/// Number and name, the stronger first. Those that exist only in TLS 1.2 are named in the same style.
const NAMES: &[(u16, &str)] = &[
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080a, "rsa_pss_pss_sha384"),
    (0x080b, "rsa_pss_pss_sha512"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x081a, "ecdsa_brainpoolP256r1tls13_sha256"),
    (0x081b, "ecdsa_brainpoolP384r1tls13_sha384"),
    (0x081c, "ecdsa_brainpoolP512r1tls13_sha512"),
    (0x0708, "sm2sig_sm3"),
    (0x0904, "mldsa44"),
    (0x0905, "mldsa65"),
    (0x0906, "mldsa87"),
    (0x0402, "dsa_sha256"),
    (0x0502, "dsa_sha384"),
    (0x0602, "dsa_sha512"),
    (0x0303, "ecdsa_sha224"),
    (0x0301, "rsa_pkcs1_sha224"),
    (0x0302, "dsa_sha224"),
    (0x0203, "ecdsa_sha1"),
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0202, "dsa_sha1"),
    (0x0101, "rsa_pkcs1_md5"),
];

impl SignatureScheme {
    /// The registered name, `None` for an unknown number.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// The schemes of TLS 1.3: those of EC keys, those of ordinary RSA keys, and all others.
    pub fn tls13_families() -> [&'static [Self]; 3] {
        [
            &[Self(0x0403), Self(0x0503), Self(0x0603)],
            &[Self(0x0804), Self(0x0805), Self(0x0806)],
            &[
                Self(0x0807),
                Self(0x0808),
                Self(0x0809),
                Self(0x080a),
                Self(0x080b),
                Self(0x081a),
                Self(0x081b),
                Self(0x081c),
                Self(0x0904),
                Self(0x0905),
                Self(0x0906),
            ],
        ]
    }

    /// Every scheme with a name, the stronger first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(number, _)| Self(*number))
    }
}

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_schemes_print_their_name_and_others_their_number() {
        assert_eq!(SignatureScheme(0x0804).to_string(), "rsa_pss_rsae_sha256");
        assert_eq!(SignatureScheme(0x1234).to_string(), "0x1234");
    }
}
