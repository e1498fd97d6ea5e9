//! The offer of a complete handshake that offers less than everything.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};

use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;

/// What to offer; `None` means everything that the library supports.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Cipher suites.
    pub(super) cipher_suites: Option<Vec<CipherSuite>>,
    /// Groups, with a key share for the first.
    pub(super) groups: Option<Vec<NamedGroup>>,
    /// Signature schemes.
    pub(super) schemes: Option<Vec<SignatureScheme>>,
}

impl Offer {
    /// Whether the library can make such a handshake.
    pub(super) fn is_possible(&self) -> bool {
        let suites = self.cipher_suites.as_ref();
        let groups = self.groups.as_ref();
        suites.is_none_or(|suites| suites.iter().any(|suite| speaks_suite(*suite)))
            && groups.is_none_or(|groups| groups.iter().any(|group| kx(*group).is_some()))
    }

    pub(super) fn provider(&self, whole: &Arc<CryptoProvider>) -> Arc<CryptoProvider> {
        if self.cipher_suites.is_none() && self.groups.is_none() {
            return Arc::clone(whole);
        }
        let mut provider = CryptoProvider::clone(whole);
        if let Some(suites) = &self.cipher_suites {
            provider
                .cipher_suites
                .retain(|known| suites.contains(&CipherSuite(u16::from(known.suite()))));
        }
        if let Some(groups) = &self.groups {
            provider.kx_groups = groups.iter().filter_map(|group| kx(*group)).collect();
        }
        Arc::new(provider)
    }
}

/// Whether the complete engine supports the suite.
fn speaks_suite(suite: CipherSuite) -> bool {
    ALL_CIPHER_SUITES.iter().any(|known| u16::from(known.suite()) == suite.0)
}

fn kx(group: NamedGroup) -> Option<&'static dyn SupportedKxGroup> {
    let known = [
        kx_group::X25519MLKEM768,
        kx_group::SECP256R1MLKEM768,
        kx_group::X25519,
        kx_group::SECP256R1,
        kx_group::SECP384R1,
    ];
    known.into_iter().find(|known| u16::from(known.name()) == group.0)
}
