//! Names of key exchange groups as OpenSSL reads them: most have several, and none depends on case.

use crate::tls::group::NamedGroup;

/// A group by any of OpenSSL's names for it.
pub fn read(name: &str) -> Option<NamedGroup> {
    let same = |known: &NamedGroup| known.name().is_some_and(|one| one.eq_ignore_ascii_case(name));
    match name.to_ascii_lowercase().as_str() {
        "p-256" | "secp256r1" => Some(NamedGroup(0x0017)),
        "p-384" => Some(NamedGroup(0x0018)),
        "p-521" => Some(NamedGroup(0x0019)),
        _ => NamedGroup::all().find(same),
    }
}

/// Which releases support a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupSupport {
    /// All.
    Known,
    /// 3.5 and later: ML-KEM.
    Since3_5,
    /// It sounds like one of post-quantum cryptography, which a provider may bring (OQS).
    OfProvider,
    /// None that is known here.
    Unknown,
}

/// Parts of the names of groups that providers bring.
const OF_PROVIDERS: [&str; 6] = ["kyber", "frodo", "bike", "hqc", "ntru", "mceliece"];

/// Which releases support the group of this name.
pub fn support(name: &str) -> GroupSupport {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if NAMES.iter().any(is) || name.to_ascii_lowercase().starts_with("sect") {
        GroupSupport::Known
    } else if name.to_ascii_uppercase().contains("MLKEM") {
        GroupSupport::Since3_5
    } else if OF_PROVIDERS.iter().any(|part| name.to_ascii_lowercase().contains(part)) {
        GroupSupport::OfProvider
    } else {
        GroupSupport::Unknown
    }
}

/// OpenSSL's names of groups, several for some.
const NAMES: [&str; 31] = [
    "X25519",
    "X448",
    "prime256v1",
    "secp256r1",
    "P-256",
    "secp384r1",
    "P-384",
    "secp521r1",
    "P-521",
    "secp256k1",
    "secp224r1",
    "P-224",
    "secp192r1",
    "prime192v1",
    "P-192",
    "secp224k1",
    "secp192k1",
    "secp160k1",
    "secp160r1",
    "secp160r2",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "brainpoolP256r1tls13",
    "brainpoolP384r1tls13",
    "brainpoolP512r1tls13",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
];
