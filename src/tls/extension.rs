//! Hello extensions: their numbers, and those that a client writes.

use super::codec::Writer;
use super::group::NamedGroup;
use super::scheme::SignatureScheme;
use super::version::ProtocolVersion;

/// An `ExtensionType` (RFC 8446 section 4.2 and the IANA registry); unknown values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// SNI (RFC 6066 section 3).
    pub const SERVER_NAME: Self = Self(0);
    /// OCSP stapling (RFC 6066 section 8).
    pub const STATUS_REQUEST: Self = Self(5);
    /// Groups, once curves (RFC 8446 section 4.2.7).
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// Forms of curve points (RFC 8422 section 5.1.2).
    pub const EC_POINT_FORMATS: Self = Self(11);
    /// Signature schemes (RFC 8446 section 4.2.3).
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// Application protocols (RFC 7301).
    pub const ALPN: Self = Self(16);
    /// Padding for servers that fail on certain lengths (RFC 7685).
    pub const PADDING: Self = Self(21);
    /// RFC 7627.
    pub const EXTENDED_MASTER_SECRET: Self = Self(23);
    /// MAC of the encrypted record (RFC 7366).
    pub const ENCRYPT_THEN_MAC: Self = Self(22);
    /// RFC 5077.
    pub const SESSION_TICKET: Self = Self(35);
    /// Sessions to resume (RFC 8446 section 4.2.11).
    pub const PRE_SHARED_KEY: Self = Self(41);
    /// Data before the answer (RFC 8446 section 4.2.10).
    pub const EARLY_DATA: Self = Self(42);
    /// RFC 8446 section 4.2.1.
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// RFC 8446 section 4.2.9.
    pub const PSK_KEY_EXCHANGE_MODES: Self = Self(45);
    /// Authorities whose certificates are accepted (RFC 8446 section 4.2.4).
    pub const CERTIFICATE_AUTHORITIES: Self = Self(47);
    /// Signature schemes of certificates (RFC 8446 section 4.2.3).
    pub const SIGNATURE_ALGORITHMS_CERT: Self = Self(50);
    /// RFC 8446 section 4.2.8.
    pub const KEY_SHARE: Self = Self(51);
    /// The true hello, encrypted (ECH).
    pub const ENCRYPTED_CLIENT_HELLO: Self = Self(0xfe0d);
    /// Secure renegotiation (RFC 5746).
    pub const RENEGOTIATION_INFO: Self = Self(0xff01);
}

/// A public key that the client offers for one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShare {
    /// The group.
    pub group: NamedGroup,
    /// The public key in the group's encoding.
    pub key: Vec<u8>,
}

/// One extension of a `ClientHello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// The name of the server (SNI).
    ServerName(String),
    /// Asks for a stapled OCSP response.
    StatusRequest,
    /// Groups, preferred first.
    SupportedGroups(Vec<NamedGroup>),
    /// Only uncompressed points are read.
    EcPointFormats,
    /// Signature schemes, preferred first.
    SignatureAlgorithms(Vec<SignatureScheme>),
    /// Signature schemes of certificates, if they differ from those of the handshake.
    SignatureAlgorithmsCert(Vec<SignatureScheme>),
    /// Application protocols, preferred first.
    Alpn(Vec<String>),
    /// This many zero bytes.
    Padding(u16),
    /// The master secret is bound to the handshake.
    ExtendedMasterSecret,
    /// A session ticket; empty asks for one.
    SessionTicket(Vec<u8>),
    /// Versions, preferred first.
    SupportedVersions(Vec<ProtocolVersion>),
    /// How a pre-shared key may be used, by number.
    PskKeyExchangeModes(Vec<u8>),
    /// Keys. An empty list asks for a `HelloRetryRequest`, which names the server's group.
    KeyShare(Vec<KeyShare>),
    /// An initial handshake, with support for secure renegotiation.
    RenegotiationInfo,
    /// Any other extension, undecoded.
    Other(ExtensionType, Vec<u8>),
}

impl Extension {
    /// Its number.
    pub fn kind(&self) -> ExtensionType {
        match self {
            Self::ServerName(_) => ExtensionType::SERVER_NAME,
            Self::StatusRequest => ExtensionType::STATUS_REQUEST,
            Self::SupportedGroups(_) => ExtensionType::SUPPORTED_GROUPS,
            Self::EcPointFormats => ExtensionType::EC_POINT_FORMATS,
            Self::SignatureAlgorithms(_) => ExtensionType::SIGNATURE_ALGORITHMS,
            Self::SignatureAlgorithmsCert(_) => ExtensionType::SIGNATURE_ALGORITHMS_CERT,
            Self::Alpn(_) => ExtensionType::ALPN,
            Self::Padding(_) => ExtensionType::PADDING,
            Self::ExtendedMasterSecret => ExtensionType::EXTENDED_MASTER_SECRET,
            Self::SessionTicket(_) => ExtensionType::SESSION_TICKET,
            Self::SupportedVersions(_) => ExtensionType::SUPPORTED_VERSIONS,
            Self::PskKeyExchangeModes(_) => ExtensionType::PSK_KEY_EXCHANGE_MODES,
            Self::KeyShare(_) => ExtensionType::KEY_SHARE,
            Self::RenegotiationInfo => ExtensionType::RENEGOTIATION_INFO,
            Self::Other(kind, _) => *kind,
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u16(self.kind().0);
        writer.vec16(|body| self.write_body(body));
    }

    fn write_body(&self, body: &mut Writer) {
        match self {
            Self::ServerName(name) => body.vec16(|list| {
                list.u8(0);
                list.vec16(|w| w.bytes(name.as_bytes()));
            }),
            // OCSP, without responder ids and request extensions.
            Self::StatusRequest => body.bytes(&[1, 0, 0, 0, 0]),
            Self::SupportedGroups(groups) => {
                body.vec16(|list| list.u16s(groups.iter().map(|group| group.0)));
            }
            Self::EcPointFormats => body.vec8(|list| list.u8(0)),
            Self::SignatureAlgorithms(schemes) | Self::SignatureAlgorithmsCert(schemes) => {
                body.vec16(|list| list.u16s(schemes.iter().map(|scheme| scheme.0)));
            }
            Self::Alpn(names) => body.vec16(|list| {
                for name in names {
                    list.vec8(|w| w.bytes(name.as_bytes()));
                }
            }),
            Self::Padding(length) => body.bytes(&vec![0; usize::from(*length)]),
            Self::ExtendedMasterSecret => {}
            Self::SupportedVersions(versions) => {
                body.vec8(|list| list.u16s(versions.iter().map(|version| version.0)));
            }
            Self::PskKeyExchangeModes(modes) => body.vec8(|list| list.bytes(modes)),
            Self::KeyShare(shares) => body.vec16(|list| {
                for share in shares {
                    list.u16(share.group.0);
                    list.vec16(|w| w.bytes(&share.key));
                }
            }),
            Self::RenegotiationInfo => body.vec8(|_| {}),
            Self::SessionTicket(bytes) | Self::Other(_, bytes) => body.bytes(bytes),
        }
    }
}
