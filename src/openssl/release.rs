//! The releases of OpenSSL that nginx is built with.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::tls::extension::ExtensionType;
use crate::tls::layout::LaidOut;
use crate::tls::profile::{Profile, select};
use crate::tls::scheme::SignatureScheme;

/// A release of OpenSSL, as far as its hello, its verification and its messages differ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum OpensslRelease {
    /// 1.1.1.
    V1_1_1,
    /// 3.0 and 3.1.
    #[default]
    V3_0,
    /// 3.2 and 3.3, which leave out versions of TLS that the security level forbids.
    V3_2,
    /// 3.4, which sends an extension for secure renegotiation.
    V3_4,
    /// 3.5 and later, which know ML-KEM and ML-DSA.
    V3_5,
}

impl OpensslRelease {
    /// The library in the output of `nginx -V`: `OpenSSL 3.0.17 1 Jul 2025`.
    pub fn of(text: &str) -> Option<Self> {
        let number = text.strip_prefix("OpenSSL ")?.split(' ').next()?;
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next()??, parts.next()??) {
            (1, 1) => Some(Self::V1_1_1),
            (3, 0 | 1) => Some(Self::V3_0),
            (3, 2 | 3) => Some(Self::V3_2),
            (3, 4) => Some(Self::V3_4),
            (3.., _) => Some(Self::V3_5),
            _ => None,
        }
    }

    /// The recorded profile of a client with this library that offers every version. Those of 3.2 to 3.4 are that of
    /// 3.0 with the differences in the hellos of 3.2.2, 3.3.2 and 3.4.1.
    ///
    /// # Panics
    ///
    /// Never: the table of profiles, which is part of the program, has a row for each.
    pub fn profile(self) -> Profile {
        let name = match self {
            Self::V1_1_1 => "nginx-1.18",
            Self::V3_0 | Self::V3_2 | Self::V3_4 => "openssl-3.0",
            Self::V3_5 => "nginx-1.26",
        };
        let mut profile = select(name).expect("the table has a row for each library")[0].clone();
        if matches!(self, Self::V3_2 | Self::V3_4) {
            let ed448 = profile.signature_schemes.iter().position(|scheme| *scheme == ED448);
            let behind = ed448.map_or(0, |at| at + 1);
            profile.signature_schemes.splice(behind..behind, BRAINPOOL_TLS13);
        }
        if self == Self::V3_4 {
            let body = vec![0];
            profile.extensions.insert(0, LaidOut { kind: ExtensionType::RENEGOTIATION_INFO, body });
        }
        profile
    }
}

const ED448: SignatureScheme = SignatureScheme(0x0808);

/// ECDSA with the Brainpool curves in TLS 1.3 (RFC 8734).
const BRAINPOOL_TLS13: [SignatureScheme; 3] =
    [SignatureScheme(0x081a), SignatureScheme(0x081b), SignatureScheme(0x081c)];

/// A text that does not name a release of OpenSSL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown OpenSSL version {0:?}: expected one like 3.0 or 1.1.1")]
pub struct UnknownOpensslRelease(pub String);

impl FromStr for OpensslRelease {
    type Err = UnknownOpensslRelease;

    fn from_str(text: &str) -> Result<Self, UnknownOpensslRelease> {
        Self::of(&format!("OpenSSL {text}")).ok_or_else(|| UnknownOpensslRelease(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_recognised_by_their_names() {
        assert_eq!(OpensslRelease::of("OpenSSL 3.0.17 1 Jul 2025"), Some(OpensslRelease::V3_0));
        assert_eq!(OpensslRelease::of("OpenSSL 3.5.4 30 Sep 2025"), Some(OpensslRelease::V3_5));
        assert_eq!(OpensslRelease::of("OpenSSL 1.1.1w  11 Sep 2023"), Some(OpensslRelease::V1_1_1));
        assert_eq!(OpensslRelease::of("OpenSSL 3.2.0 23 Nov 2023"), Some(OpensslRelease::V3_2));
        assert_eq!(OpensslRelease::of("OpenSSL 3.4.1 11 Feb 2025"), Some(OpensslRelease::V3_4));
        assert_eq!(OpensslRelease::of("OpenSSL 4.0.0 1 Apr 2026"), Some(OpensslRelease::V3_5));
        assert_eq!(OpensslRelease::of("BoringSSL"), None);
    }
}
