//! Security levels: the strength that each requires, and the strength of a key according to OpenSSL
//! (`SSL_CTX_set_security_level`).

use super::release::OpensslRelease;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;

/// The level of Debian's builds, and of every build since OpenSSL 3.2.
pub const DEFAULT: u8 = 2;

/// The security bits that a level requires.
pub fn least_bits(level: u8) -> u32 {
    [0, 80, 112, 128, 192, 256].get(usize::from(level)).copied().unwrap_or(256)
}

/// Security bits of a finite-field modulus of this length (`BN_security_bits`): a DH group, a DSA key, and RSA up to 1.1.1.
pub fn finite_field_bits(length: u32) -> u32 {
    match length {
        15360.. => 256,
        7680.. => 192,
        3072.. => 128,
        2048.. => 112,
        1024.. => 80,
        _ => 0,
    }
}

/// Security bits of an RSA modulus, in the steps that matter to a level. OpenSSL 3 computes them (NIST SP 800-56B,
/// appendix D), so that a key slightly short of a usual length still counts as one.
pub fn rsa_bits(length: u32, library: OpensslRelease) -> u32 {
    if library == OpensslRelease::V1_1_1 {
        return finite_field_bits(length);
    }
    match length {
        13914.. => 256,
        6947.. => 192,
        2671.. => 128,
        1963.. => 112,
        920.. => 80,
        _ => 0,
    }
}

/// Security bits of an elliptic curve whose order has this length.
pub fn curve_bits(length: u32) -> u32 {
    match length {
        512.. => 256,
        384.. => 192,
        256.. => 128,
        224.. => 112,
        160.. => 80,
        _ => length / 2,
    }
}

/// Security bits of a signature scheme (`tls12_sigalg_allowed`): those of its hash, or of its key where that is fixed.
pub fn scheme_bits(scheme: SignatureScheme, library: OpensslRelease) -> u32 {
    match scheme.0 {
        0x0201..=0x0203 if library == OpensslRelease::V1_1_1 => 80,
        0x0201..=0x0203 => 64,
        0x0301..=0x0303 => 112,
        0x0501..=0x0503 | 0x0805 | 0x080a | 0x081b | 0x0905 => 192,
        0x0601..=0x0603 | 0x0806 | 0x080b | 0x081c | 0x0906 => 256,
        0x0808 => 224,
        _ => 128,
    }
}

/// Security bits of a group of a key exchange (`tls_group_allowed`).
pub fn group_bits(group: NamedGroup) -> u32 {
    match group.0 {
        0x0100 => 112,
        0x0018 | 0x001b | 0x0020 | 0x0104 | 0x0201 | 0x11eb..=0x11ed => 192,
        0x001e => 224,
        0x0019 | 0x001c | 0x0021 | 0x0202 => 256,
        0x0103 => 176,
        _ => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_level_demands_112_bits() {
        assert_eq!(least_bits(DEFAULT), 112);
        assert_eq!((least_bits(0), least_bits(5), least_bits(9)), (0, 256, 256));
    }

    #[test]
    fn an_rsa_key_of_2047_bits_is_enough_for_openssl_3_alone() {
        assert_eq!(rsa_bits(2047, OpensslRelease::V3_0), 112);
        assert_eq!(rsa_bits(2047, OpensslRelease::V1_1_1), 80);
        assert_eq!(rsa_bits(1024, OpensslRelease::V3_5), 80);
    }
}
