//! Whether a certificate may be used in its role: as an authority, a server or a client.

use super::issuer::is_self_signed;
use crate::certificate::openssl_view::{KEY_CERT_SIGN, OpensslView};
use crate::certificate::parse::Certificate;
use crate::openssl::release::OpensslRelease;

/// Whose certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server's, by a client (`proxy_ssl_verify`).
    Server,
    /// A client's, by a server (`ssl_verify_client`).
    Client,
}

/// Key usage bits, as RFC 5280 numbers them.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const KEY_AGREEMENT: u16 = 1 << 4;

/// Bits of the Netscape certificate type, the first being the highest.
const NETSCAPE_CLIENT: u8 = 0x80;
const NETSCAPE_SERVER: u8 = 0x40;
const NETSCAPE_TLS_CA: u8 = 0x04;
const NETSCAPE_ANY_CA: u8 = 0x07;

/// Whether a certificate is an authority's (`check_ca`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CaStatus {
    No,
    Yes,
    /// By signs that OpenSSL accepts for the last certificate only: version 1, or a key usage without basicConstraints.
    ByOldSigns,
    /// By the Netscape certificate type.
    ByNetscapeType,
}

impl CaStatus {
    pub(super) fn of(certificate: &Certificate, library: OpensslRelease) -> Self {
        let Ok(view) = &certificate.openssl else { return Self::No };
        if view.invalid || view.key_usage.is_some_and(|usage| usage & KEY_CERT_SIGN == 0) {
            return Self::No;
        }
        match view.basic_constraints {
            Some((true, _)) => Self::Yes,
            None if certificate.version == 1 && is_self_signed(certificate, library) => {
                Self::ByOldSigns
            }
            None if view.key_usage.is_some() => Self::ByOldSigns,
            None if view.netscape_type.is_some_and(|bits| bits & NETSCAPE_ANY_CA != 0) => {
                Self::ByNetscapeType
            }
            Some((false, _)) | None => Self::No,
        }
    }

    pub(super) fn may_issue(self, below_anchor: bool) -> bool {
        self == Self::Yes || (self != Self::No && !below_anchor)
    }
}

/// `check_purpose_ssl_server` and `check_purpose_ssl_client`. anyExtendedKeyUsage does not count.
pub(super) fn suits(
    view: &OpensslView,
    authority: CaStatus,
    above_leaf: bool,
    purpose: Purpose,
) -> bool {
    let (listed, usages, netscape) = match purpose {
        Purpose::Server => (
            view.extended_key_usage.is_none_or(|listed| listed.server),
            DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
            NETSCAPE_SERVER,
        ),
        Purpose::Client => (
            view.extended_key_usage.is_none_or(|listed| listed.client),
            DIGITAL_SIGNATURE | KEY_AGREEMENT,
            NETSCAPE_CLIENT,
        ),
    };
    let has_type = |bits: u8| view.netscape_type.is_none_or(|own| own & bits != 0);
    listed
        && if above_leaf {
            match authority {
                CaStatus::No => false,
                CaStatus::ByNetscapeType => has_type(NETSCAPE_TLS_CA),
                CaStatus::Yes | CaStatus::ByOldSigns => true,
            }
        } else {
            has_type(netscape) && view.key_usage.is_none_or(|own| own & usages != 0)
        }
}
