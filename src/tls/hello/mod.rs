//! The `ClientHello` (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, RFC 6101 section 5.6.1.2): its contents and its
//! encoding.
//!
//! A hello is plain data that can be changed before it is sent; no keys are generated here.

use super::codec::{TooLong, Writer};
use super::extension::{Extension, ExtensionType, KeyShare};
use super::group::NamedGroup;
use super::message::MessageType;
use super::record::{ContentType, MAX_PLAINTEXT};
use super::scheme::SignatureScheme;
use super::suite::CipherSuite;
use super::version::ProtocolVersion;

/// The most suites in one hello: some old servers fail on more.
const MAX_SUITES: usize = 128;

/// `SSLv3` has no extension to pad with, so its hello stays below the fragile lengths.
const MAX_SUITES_SSL3: usize = 104;

/// Some old load balancers hang on handshake messages of these lengths, in bytes (RFC 7685 section 4).
const FRAGILE_LENGTHS: std::ops::Range<usize> = 256..512;

/// Curves of TLS 1.2 and older, common ones first; the tail is what OpenSSL 1.0 offered.
const CURVES: &[u16] = &[
    0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x001a, 0x001b, 0x001c, 0x0016, 0x000e, 0x000d, 0x000b,
    0x000c, 0x0009, 0x000a, 0x0015, 0x0014, 0x0013, 0x0012, 0x0006, 0x0007, 0x0008, 0x0001, 0x0003,
];

/// Groups of TLS 1.3, common ones first.
const GROUPS_TLS13: &[u16] = &[
    0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x11ec, 0x11eb, 0x11ed, 0x0100, 0x0101, 0x0102, 0x0103,
    0x0104, 0x0200, 0x0201, 0x0202, 0x001f, 0x0020, 0x0021,
];

/// The random of our hellos; [`ClientHello::with_grease`] takes its values from it.
const RANDOM: [u8; 32] = *b"shakedown asks and says goodbye.";

/// What a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The newest version offered; older ones are in [`Extension::SupportedVersions`] or implied.
    pub version: ProtocolVersion,
    /// The client's random. Nothing secret depends on these hellos, so it need not be random.
    pub random: [u8; 32],
    /// The id of a session to resume, or any bytes; at most 32.
    pub session_id: Vec<u8>,
    /// Suites, preferred first.
    pub cipher_suites: Vec<CipherSuite>,
    /// Compression methods by number; 0 is none.
    pub compression: Vec<u8>,
    /// Extensions in the order sent; `SSLv3` sends none of them.
    pub extensions: Vec<Extension>,
    /// Whether to pad messages whose length makes some old servers hang.
    pub padded: bool,
    /// The version in the header of its records.
    pub record_version: ProtocolVersion,
}

impl ClientHello {
    /// A hello for exactly this version that offers everything, without SNI and ALPN.
    ///
    /// It contains the likeliest suites, as many as fit into one hello. For TLS 1.3 it contains no key share, so a
    /// server answers with a `HelloRetryRequest`.
    pub fn probe(version: ProtocolVersion) -> Self {
        let tls13 = version == ProtocolVersion::TLS1_3;
        Self {
            cipher_suites: CipherSuite::all(version).take(Self::suites_at_once(version)).collect(),
            extensions: if tls13 { extensions_tls13() } else { extensions_legacy(version) },
            ..Self::empty(version)
        }
    }

    /// A hello for this version that offers nothing yet: no suites, no extensions.
    pub(super) fn empty(version: ProtocolVersion) -> Self {
        let tls13 = version == ProtocolVersion::TLS1_3;
        Self {
            version,
            random: RANDOM,
            // Middleboxes pass TLS 1.3 when it looks like a resumption (RFC 8446 appendix D.4).
            session_id: if tls13 { RANDOM.to_vec() } else { Vec::new() },
            cipher_suites: Vec::new(),
            compression: vec![0],
            extensions: Vec::new(),
            padded: true,
            record_version: version.min(ProtocolVersion::TLS1),
        }
    }

    /// The most suites that a hello of that version may offer to old servers.
    pub fn suites_at_once(version: ProtocolVersion) -> usize {
        if version == ProtocolVersion::SSL3 { MAX_SUITES_SSL3 } else { MAX_SUITES }
    }

    /// The groups that it offers.
    pub fn groups(&self) -> &[NamedGroup] {
        let groups = self.extensions.iter().find_map(|extension| match extension {
            Extension::SupportedGroups(groups) => Some(groups.as_slice()),
            _ => None,
        });
        groups.unwrap_or_default()
    }

    /// The signature schemes that it offers.
    pub fn signature_schemes(&self) -> &[SignatureScheme] {
        let schemes = self.extensions.iter().find_map(|extension| match extension {
            Extension::SignatureAlgorithms(schemes) => Some(schemes.as_slice()),
            _ => None,
        });
        schemes.unwrap_or_default()
    }

    /// Replaces the extension with the same number, or adds one at the end.
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        match self.extensions.iter_mut().find(|known| known.kind() == extension.kind()) {
            Some(known) => *known = extension,
            None => self.extensions.push(extension),
        }
        self
    }

    /// Removes an extension.
    #[must_use]
    pub fn without(mut self, kind: ExtensionType) -> Self {
        self.extensions.retain(|extension| extension.kind() != kind);
        self
    }

    /// Adds values that a server must ignore (RFC 8701), taken from the random as `BoringSSL` does.
    #[must_use]
    pub fn with_grease(mut self) -> Self {
        let [suite, group, version, first, last, ..] = self.random.map(grease);
        // Two extensions with one number would be an error.
        let last = if last == first { last ^ 0x1010 } else { last };
        self.cipher_suites.insert(0, CipherSuite(suite));
        for extension in &mut self.extensions {
            match extension {
                Extension::SupportedGroups(groups) => groups.insert(0, NamedGroup(group)),
                Extension::SupportedVersions(offered) => {
                    offered.insert(0, ProtocolVersion(version));
                }
                Extension::KeyShare(shares) => {
                    shares.insert(0, KeyShare { group: NamedGroup(group), key: vec![0] });
                }
                _ => {}
            }
        }
        self.extensions.insert(0, Extension::Other(ExtensionType(first), Vec::new()));
        self.extensions.push(Extension::Other(ExtensionType(last), vec![0]));
        self
    }

    /// The records to send.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let message = self.message()?;
        let mut records = Writer::new();
        for fragment in message.chunks(MAX_PLAINTEXT) {
            records.u8(ContentType::HANDSHAKE.0);
            records.u16(self.record_version.0);
            records.vec16(|w| w.bytes(fragment));
        }
        records.finish()
    }

    fn message(&self) -> Result<Vec<u8>, TooLong> {
        let bare = self.message_padded(None)?;
        if !self.padded
            || self.version == ProtocolVersion::SSL3
            || !FRAGILE_LENGTHS.contains(&bare.len())
        {
            return Ok(bare);
        }
        // The extension's own header takes four bytes; some other servers fail on an empty body.
        let missing = FRAGILE_LENGTHS.end.saturating_sub(bare.len() + 4).max(1);
        self.message_padded(u16::try_from(missing).ok())
    }

    fn message_padded(&self, padding: Option<u16>) -> Result<Vec<u8>, TooLong> {
        let mut message = Writer::new();
        message.u8(MessageType::CLIENT_HELLO.0);
        message.vec24(|body| {
            body.u16(self.version.0.min(ProtocolVersion::TLS1_2.0));
            body.bytes(&self.random);
            body.vec8(|w| w.bytes(&self.session_id));
            body.vec16(|list| list.u16s(self.cipher_suites.iter().map(|suite| suite.0)));
            body.vec8(|w| w.bytes(&self.compression));
            self.write_extensions(body, padding);
        });
        message.finish()
    }

    fn write_extensions(&self, body: &mut Writer, padding: Option<u16>) {
        if self.version == ProtocolVersion::SSL3 || self.extensions.is_empty() && padding.is_none()
        {
            return;
        }
        body.vec16(|list| {
            for extension in &self.extensions {
                extension.write(list);
            }
            if let Some(length) = padding {
                Extension::Padding(length).write(list);
            }
        });
    }
}

fn extensions_tls13() -> Vec<Extension> {
    vec![
        Extension::SupportedVersions(vec![ProtocolVersion::TLS1_3]),
        Extension::SupportedGroups(GROUPS_TLS13.iter().copied().map(NamedGroup).collect()),
        Extension::SignatureAlgorithms(SignatureScheme::all().collect()),
        Extension::StatusRequest,
        Extension::PskKeyExchangeModes(vec![1]),
        Extension::KeyShare(Vec::new()),
    ]
}

fn extensions_legacy(version: ProtocolVersion) -> Vec<Extension> {
    let mut extensions = vec![
        Extension::RenegotiationInfo,
        // No finite-field groups: a server that supports them would not use its own DHE parameters (RFC 7919 section
        // 4).
        Extension::SupportedGroups(CURVES.iter().copied().map(NamedGroup).collect()),
        Extension::EcPointFormats,
        Extension::SessionTicket(Vec::new()),
        Extension::StatusRequest,
        Extension::ExtendedMasterSecret,
    ];
    if version == ProtocolVersion::TLS1_2 {
        extensions.push(Extension::SignatureAlgorithms(SignatureScheme::all().collect()));
    }
    extensions
}

/// One of the sixteen reserved values `0x0a0a`, `0x1a1a` and so on.
fn grease(seed: u8) -> u16 {
    u16::from_be_bytes([seed & 0xf0 | 0x0a; 2])
}

#[cfg(test)]
mod tests;
