//! A ClientHello as a client sent it.

use crate::tls::codec::{ByteReader, DecodeError};
use crate::tls::extension::ExtensionType;
pub use crate::tls::grease::{is_grease, meant};
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// What a client offered. Lists are in the order of the wire and hold values of GREASE (RFC 8701) as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether it was there")]
pub struct SeenHello {
    /// The version in the header of its first record.
    pub record_version: u16,
    /// The version in its body.
    pub legacy_version: u16,
    /// Whether it has the form of SSLv2.
    pub is_ssl2: bool,
    /// Whether QUIC carries it.
    pub is_quic: bool,
    /// Bytes of the message.
    pub length: usize,
    /// Its suites.
    pub suites: Vec<u16>,
    /// Its extensions.
    pub extensions: Vec<u16>,
    /// What stands in `supported_versions`.
    pub versions: Vec<u16>,
    /// Its groups.
    pub groups: Vec<u16>,
    /// Forms of curve points.
    pub point_formats: Vec<u8>,
    /// Its signature schemes.
    pub schemes: Vec<u16>,
    /// Groups for which it brings a key.
    pub key_shares: Vec<u16>,
    /// The name that it wants to talk to, as it was sent.
    pub server_name: Option<Vec<u8>>,
    /// Its application protocols.
    pub alpn: Vec<Vec<u8>>,
    /// Whether it has a session's id, which in TLS 1.3 means nothing.
    pub has_session_id: bool,
    /// Whether it brings a ticket to resume with.
    pub has_ticket: bool,
}

impl SeenHello {
    /// Reads a message's body.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(body);
        let legacy_version = reader.u16()?;
        let _random = reader.take(32)?;
        let session_id = reader.vec8()?;
        let suites = u16s(reader.vec16()?)?;
        let _compression = reader.vec8()?;
        let mut hello = Self {
            legacy_version,
            length: body.len() + 4,
            suites,
            has_session_id: !session_id.is_empty(),
            ..Self::default()
        };
        if !reader.is_empty() {
            let mut extensions = ByteReader::new(reader.vec16()?);
            while !extensions.is_empty() {
                let kind = extensions.u16()?;
                let body = extensions.vec16()?;
                hello.extensions.push(kind);
                // What one extension says wrong does not make the others unreadable.
                let _ = hello.extension(ExtensionType(kind), body);
            }
        }
        Ok(hello)
    }

    /// Reads a hello in the form of SSLv2 (RFC 5246 appendix E.2), without the two bytes of its length.
    pub fn parse_ssl2(message: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(message);
        let _kind = reader.u8()?;
        let version = reader.u16()?;
        let (specs, session, challenge) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let specs = ByteReader::new(reader.take(specs.into())?).list(ByteReader::array::<3>)?;
        let _session = reader.take(session.into())?;
        let _challenge = reader.take(challenge.into())?;
        // Those of SSLv2 itself have a first byte that is not zero.
        let suites = specs.iter().filter(|spec| spec[0] == 0);
        Ok(Self {
            record_version: version,
            legacy_version: version,
            is_ssl2: true,
            length: message.len(),
            suites: suites.map(|spec| u16::from_be_bytes([spec[1], spec[2]])).collect(),
            ..Self::default()
        })
    }

    fn extension(&mut self, kind: ExtensionType, body: &[u8]) -> Result<(), DecodeError> {
        let mut reader = ByteReader::new(body);
        match kind {
            ExtensionType::SERVER_NAME => {
                let mut names = ByteReader::new(reader.vec16()?);
                if names.u8()? == 0 {
                    self.server_name = Some(names.vec16()?.to_vec());
                }
            }
            ExtensionType::SUPPORTED_GROUPS => self.groups = u16s(reader.vec16()?)?,
            ExtensionType::EC_POINT_FORMATS => self.point_formats = reader.vec8()?.to_vec(),
            ExtensionType::SIGNATURE_ALGORITHMS => self.schemes = u16s(reader.vec16()?)?,
            ExtensionType::SUPPORTED_VERSIONS => self.versions = u16s(reader.vec8()?)?,
            ExtensionType::SESSION_TICKET => self.has_ticket |= !body.is_empty(),
            ExtensionType::PRE_SHARED_KEY => self.has_ticket = true,
            ExtensionType::ALPN => {
                let names = ByteReader::new(reader.vec16()?).list(ByteReader::vec8)?;
                self.alpn = names.into_iter().map(<[u8]>::to_vec).collect();
            }
            ExtensionType::KEY_SHARE => {
                let shares = ByteReader::new(reader.vec16()?).list(|item| {
                    let group = item.u16()?;
                    item.vec16().map(|_| group)
                });
                self.key_shares = shares?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it has that extension.
    pub fn has(&self, kind: ExtensionType) -> bool {
        self.extensions.contains(&kind.0)
    }

    /// Whether it announces data that comes before the answer (RFC 8446 section 4.2.10).
    pub fn has_early_data(&self) -> bool {
        self.has(ExtensionType::EARLY_DATA)
    }

    /// Whether its true name may be encrypted (ECH), or is only said to be.
    pub fn has_ech(&self) -> bool {
        self.has(ExtensionType::ENCRYPTED_CLIENT_HELLO)
    }

    /// The newest version that it offers; a draft of TLS 1.3 counts as that.
    pub fn newest(&self) -> ProtocolVersion {
        let named = meant(&self.versions).map(final_version).max();
        ProtocolVersion(named.unwrap_or(self.legacy_version))
    }

    /// Whether it offers that version; one without `supported_versions` offers every one up to its own.
    pub fn offers(&self, version: ProtocolVersion) -> bool {
        if self.versions.is_empty() {
            // One that speaks SSLv3 alone is too rare to tell from one that speaks all.
            return version.0 <= self.legacy_version;
        }
        meant(&self.versions).any(|offered| final_version(offered) == version.0)
    }

    /// The versions that it names, newest first.
    pub fn named_versions(&self) -> Vec<ProtocolVersion> {
        if self.versions.is_empty() {
            return vec![ProtocolVersion(self.legacy_version)];
        }
        meant(&self.versions).map(ProtocolVersion).collect()
    }

    /// Its suites, without GREASE and signals.
    pub fn cipher_suites(&self) -> impl Iterator<Item = CipherSuite> {
        let signals = [CipherSuite::RENEGOTIATION_SCSV, CipherSuite::FALLBACK_SCSV];
        meant(&self.suites).map(CipherSuite).filter(move |suite| !signals.contains(suite))
    }

    /// Its groups, without GREASE.
    pub fn named_groups(&self) -> impl Iterator<Item = NamedGroup> {
        meant(&self.groups).map(NamedGroup)
    }

    /// Its signature schemes, without GREASE.
    pub fn signature_schemes(&self) -> impl Iterator<Item = SignatureScheme> {
        meant(&self.schemes).map(SignatureScheme)
    }
}

/// Drafts of TLS 1.3 count as TLS 1.3, those that Facebook had for a while (0xfb) among them.
pub fn final_version(version: u16) -> u16 {
    if matches!(version >> 8, 0x7f | 0xfb) { ProtocolVersion::TLS1_3.0 } else { version }
}

/// A version's name, with the number of a draft: `TLSv1.3 (draft 28)`.
pub fn version_name(version: ProtocolVersion) -> String {
    let [kind, draft] = version.0.to_be_bytes();
    match kind {
        0x7f => format!("TLSv1.3 (draft {draft})"),
        0xfb => format!("TLSv1.3 (Facebook's draft {draft})"),
        _ => version.to_string(),
    }
}

fn u16s(list: &[u8]) -> Result<Vec<u16>, DecodeError> {
    ByteReader::new(list).list(ByteReader::u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::profile;

    /// The body of the message in these records, of which there is one.
    fn body(records: &[u8]) -> &[u8] {
        &records[9..]
    }

    #[test]
    fn the_hellos_of_known_clients_are_read_as_they_were_written() {
        for client in profile::all() {
            let written = client.hello(Some("a.test"));
            let bytes = written.encode().unwrap();
            let hello = SeenHello::parse(body(&bytes)).unwrap();
            let mut versions = client.versions.clone();
            versions.sort_unstable();
            assert_eq!(hello.newest(), client.newest(), "{}", client.name);
            assert!(versions.iter().all(|version| hello.offers(*version)), "{}", client.name);
            let suites: Vec<CipherSuite> = meant(&hello.suites).map(CipherSuite).collect();
            assert!(suites.starts_with(&client.cipher_suites), "{}", client.name);
            let groups: Vec<NamedGroup> = hello.named_groups().collect();
            assert_eq!(groups, client.groups, "{}", client.name);
            let name = client.server_name.then(|| b"a.test".to_vec());
            assert_eq!(hello.server_name, name, "{}", client.name);
            assert_eq!(hello.extensions.iter().any(|kind| is_grease(*kind)), client.grease);
        }
    }

    #[test]
    fn a_hello_in_the_form_of_sslv2_is_read() {
        let hello = [1, 3, 1, 0, 9, 0, 0, 0, 16, 0, 0, 4, 1, 0, 0x80, 0, 0, 0x2f];
        let hello = SeenHello::parse_ssl2(&[hello.as_slice(), &[7; 16]].concat()).unwrap();
        assert_eq!((hello.newest(), hello.is_ssl2), (ProtocolVersion::TLS1, true));
        assert_eq!(hello.suites, [4, 0x2f]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = SeenHello::parse(&bytes);
            let _ = SeenHello::parse_ssl2(&bytes);
        }
    }
}
