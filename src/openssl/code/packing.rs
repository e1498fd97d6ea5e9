//! How libraries pack the part and the reason into the 32 bits of a code.

use super::ErrorLibrary;

/// How a library packs its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodePacking {
    /// OpenSSL 3: library in bits 23 to 30, flags in 18 to 22, reason below; or an errno.
    Three,
    /// OpenSSL 1 and LibreSSL: library, function and reason in 8, 12 and 12 bits.
    One,
    /// BoringSSL and AWS-LC: library and reason in 8 and 12 bits, no function.
    Boring,
}

/// The highest bit marks an errno of the system, since OpenSSL 3.
const SYSTEM_FLAG: u32 = 0x8000_0000;

/// `ERR_RFLAG_COMMON`: a reason that all parts share.
const COMMON_FLAG: u32 = 2 << 18;

/// Bits of an OpenSSL 3 reason, below its flags.
const REASON_BITS: u32 = 0x3_ffff;

impl CodePacking {
    /// The packing with which the number fits the library's name; without a name, libraries about TLS are tried.
    pub(super) fn of(number: u32, library: &str, function: &str) -> Self {
        if function == "OPENSSL_internal" {
            return Self::Boring;
        }
        if number & SYSTEM_FLAG != 0 {
            return Self::Three;
        }
        let (one, three) = (number >> 24, number >> 23 & 0xff);
        match LIBRARIES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(library)) {
            Some((known, ..)) if *known == three => Self::Three,
            Some(_) => Self::One,
            None if three == SSL && number & 0x3_f000 == 0 => Self::Three,
            None if one == BORING_SSL && number & 0xff_f000 == 0 => Self::Boring,
            // OpenSSL 3 has no functions: where OpenSSL 1 keeps theirs, there is nothing but the library's lowest bit.
            None if number & 0x7f_f000 == 0 && is_library(three) => Self::Three,
            None if is_library(one) => Self::One,
            None => Self::Three,
        }
    }

    /// The part with its name, the raw reason, and whether all parts share it.
    pub(super) fn split(
        self,
        number: u32,
        library: &str,
    ) -> ((ErrorLibrary, &'static str), u32, bool) {
        let raw = number & 0xfff;
        match self {
            Self::Three if number & SYSTEM_FLAG != 0 => {
                (named(ErrorLibrary::System), number & !SYSTEM_FLAG, false)
            }
            Self::Three => {
                let common = number & COMMON_FLAG != 0;
                let reason = number & REASON_BITS;
                // The shared reasons moved from 64 and up to 256 and up.
                let reason = if common && reason >= 256 { reason - 191 } else { reason };
                (part(number >> 23 & 0xff, library), reason, common)
            }
            Self::One => {
                let part = part(number >> 24, library);
                (part, raw, part.0 != ErrorLibrary::System && raw < SHARED_END)
            }
            Self::Boring => {
                let ssl = number >> 24 == BORING_SSL;
                let part = if ssl { named(ErrorLibrary::Ssl) } else { part(0, library) };
                (part, raw, raw < SHARED_END)
            }
        }
    }
}

/// `ERR_LIB_SSL` of OpenSSL.
const SSL: u32 = 20;

/// `ERR_LIB_SSL` of BoringSSL.
const BORING_SSL: u32 = 16;

/// Reasons of one part start here; those below are shared by all parts.
const SHARED_END: u32 = 100;

/// `ERR_LIB_*` of OpenSSL with their names in log lines.
const LIBRARIES: &[(u32, &str, ErrorLibrary)] = &[
    (SSL, "SSL routines", ErrorLibrary::Ssl),
    (11, "x509 certificate routines", ErrorLibrary::X509),
    (9, "PEM routines", ErrorLibrary::Pem),
    (13, "asn1 encoding routines", ErrorLibrary::Asn1),
    (2, "system library", ErrorLibrary::System),
    (32, "BIO routines", ErrorLibrary::Crypto),
    (3, "bignum routines", ErrorLibrary::Crypto),
    (4, "rsa routines", ErrorLibrary::Crypto),
    (5, "Diffie-Hellman routines", ErrorLibrary::Crypto),
    (6, "digital envelope routines", ErrorLibrary::Crypto),
    (16, "elliptic curve routines", ErrorLibrary::Crypto),
    (34, "X509 V3 routines", ErrorLibrary::X509),
    (35, "PKCS12 routines", ErrorLibrary::Pem),
    (36, "random number generator", ErrorLibrary::Crypto),
    (37, "DSO support routines", ErrorLibrary::Crypto),
    (38, "engine routines", ErrorLibrary::Crypto),
    (57, "Provider routines", ErrorLibrary::Crypto),
    (60, "DECODER routines", ErrorLibrary::Pem),
];

fn is_library(number: u32) -> bool {
    LIBRARIES.iter().any(|(known, ..)| *known == number)
}

/// The part of that name, or else of that number, with OpenSSL's name for it.
fn part(number: u32, library: &str) -> (ErrorLibrary, &'static str) {
    let named = LIBRARIES.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(library));
    let numbered = || LIBRARIES.iter().find(|(known, ..)| library.is_empty() && *known == number);
    named.or_else(numbered).map_or((ErrorLibrary::Crypto, ""), |(_, name, part)| (*part, name))
}

/// A part with OpenSSL's name for it.
pub(super) fn named(part: ErrorLibrary) -> (ErrorLibrary, &'static str) {
    let name = LIBRARIES.iter().find(|(.., known)| *known == part).map_or("", |(_, name, _)| name);
    (part, name)
}
