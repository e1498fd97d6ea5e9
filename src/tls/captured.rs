//! Hellos out of captures, to be sent again: byte for byte but for what is fresh in each hello, and for the server's name.
//!
//! Fresh are the random, the session's id, the keys, and tickets: those of the captured hello belong to a connection that is over.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::codec::{ByteReader, DecodeError, Writer};
use super::extension::{Extension, ExtensionType, KeyShare};
use super::flight::{MESSAGE_HEADER, split_message};
use super::grease::is_grease;
use super::group::NamedGroup;
use super::hello::ClientHello;
use super::hex::{bytes, hex};
use super::key_share::sample_key;
use super::message::MessageType;
use super::record::ContentType;
use super::scheme::SignatureScheme;
use super::suite::CipherSuite;
use super::version::ProtocolVersion;

/// Bytes of a record's header.
const RECORD_HEADER: usize = 5;

/// Why a hello cannot be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapturedHelloError {
    /// It is not one whole hello.
    #[error("it is not one record of TLS with a whole ClientHello")]
    Unreadable,
    /// It has a form that is not written here: that of SSLv2, one that contradicts itself, or several records.
    #[error("it has a form that cannot be written again")]
    Unusual,
}

/// A client out of a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapturedClient {
    /// Its name on the command line.
    pub name: String,
    /// Its name in reports.
    pub title: String,
    /// What it sends.
    pub hello: CapturedHello,
}

/// What a client out of a capture sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedHello {
    template: ClientHello,
}

impl CapturedHello {
    /// Reads a message's body, which came in records of that version.
    pub fn of_message(record_version: u16, body: &[u8]) -> Result<Self, CapturedHelloError> {
        let hello = read(ProtocolVersion(record_version), body);
        let hello = hello.map_err(|_| CapturedHelloError::Unreadable)?;
        let is_same = |hello: &ClientHello| {
            let written = hello.encode();
            let written = written.as_deref().ok();
            written.and_then(|it| it.get(RECORD_HEADER + MESSAGE_HEADER..)) == Some(body)
        };
        let padding = with_own_padding(&hello).filter(is_same);
        let hello = padding.or_else(|| Some(hello).filter(is_same));
        let template = fresh(hello.ok_or(CapturedHelloError::Unusual)?);
        Ok(Self { template })
    }

    /// Reads a record.
    pub fn of_record(record: &[u8]) -> Result<Self, CapturedHelloError> {
        let parts = || -> Result<_, DecodeError> {
            let mut reader = ByteReader::new(record);
            let content = reader.u8()?;
            let version = reader.u16()?;
            let message = reader.vec16()?;
            reader.finish()?;
            Ok((content, version, message))
        };
        let (content, version, message) = parts().map_err(|_| CapturedHelloError::Unreadable)?;
        match split_message(message) {
            Ok(Some((MessageType::CLIENT_HELLO, body)))
                if content == ContentType::HANDSHAKE.0
                    && message.len() == MESSAGE_HEADER + body.len() =>
            {
                Self::of_message(version, body)
            }
            _ => Err(CapturedHelloError::Unreadable),
        }
    }

    /// The record, with the name that the client asked for.
    pub fn record(&self) -> Vec<u8> {
        // What was read and written once can be written again.
        self.template.encode().unwrap_or_default()
    }

    /// The same for every server: the record without a name.
    pub fn nameless_record(&self) -> Vec<u8> {
        self.hello(None).encode().unwrap_or_default()
    }

    /// The hello to a server of that name. A client that sends no name sends none.
    pub fn hello(&self, server_name: Option<&str>) -> ClientHello {
        let mut hello = self.template.clone();
        hello.extensions =
            hello.extensions.into_iter().filter_map(|it| named(it, server_name)).collect();
        hello
    }

    /// What it offers.
    pub fn offer(&self) -> &ClientHello {
        &self.template
    }

    /// The versions that it offers; a hello without a list of them offers its own and older ones.
    pub fn versions(&self) -> Vec<ProtocolVersion> {
        let newest = self.template.version;
        let listed = self.template.extensions.iter().find_map(|extension| match extension {
            Extension::SupportedVersions(versions) => Some(versions.clone()),
            _ => None,
        });
        let mut versions = listed.unwrap_or_else(|| {
            let oldest = newest.min(ProtocolVersion::TLS1);
            ProtocolVersion::ALL.into_iter().filter(|it| (oldest..=newest).contains(it)).collect()
        });
        versions.retain(|version| !is_grease(version.0));
        versions.sort_unstable();
        versions
    }

    /// The groups for which it brings a key.
    pub fn key_shares(&self) -> Vec<NamedGroup> {
        let shares = self.template.extensions.iter().find_map(|extension| match extension {
            Extension::KeyShare(shares) => Some(shares.iter().map(|share| share.group)),
            _ => None,
        });
        shares.into_iter().flatten().filter(|group| !is_grease(group.0)).collect()
    }

    /// Its application protocols.
    pub fn alpn(&self) -> Vec<String> {
        let names = self.template.extensions.iter().find_map(|extension| match extension {
            Extension::Alpn(names) => Some(names.clone()),
            _ => None,
        });
        names.unwrap_or_default()
    }

    /// Whether it asks for a server by name.
    pub fn asks_for_a_name(&self) -> bool {
        self.template.extensions.iter().any(|it| matches!(it, Extension::ServerName(_)))
    }
}

/// As digits.
impl Serialize for CapturedHello {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.record()))
    }
}

/// Digits may be on several lines.
impl<'de> Deserialize<'de> for CapturedHello {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits: String = String::deserialize(deserializer)?.split_ascii_whitespace().collect();
        let record = bytes(&digits)
            .ok_or_else(|| D::Error::custom("a hello is written in hexadecimal digits"))?;
        Self::of_record(&record).map_err(|error| D::Error::custom(format!("this hello: {error}")))
    }
}

fn named(extension: Extension, server_name: Option<&str>) -> Option<Extension> {
    match extension {
        Extension::ServerName(_) => server_name.map(|name| Extension::ServerName(name.to_owned())),
        extension => Some(extension),
    }
}

/// Reads a message's body as it stands.
fn read(record_version: ProtocolVersion, body: &[u8]) -> Result<ClientHello, DecodeError> {
    let mut reader = ByteReader::new(body);
    let legacy_version = ProtocolVersion(reader.u16()?);
    let random = reader.array()?;
    let session_id = reader.vec8()?.to_vec();
    let suites = ByteReader::new(reader.vec16()?).list(ByteReader::u16)?;
    let compression = reader.vec8()?.to_vec();
    let mut extensions = Vec::new();
    if !reader.is_empty() {
        let mut list = ByteReader::new(reader.vec16()?);
        while !list.is_empty() {
            let kind = ExtensionType(list.u16()?);
            extensions.push(extension(kind, list.vec16()?));
        }
        reader.finish()?;
    }
    let offers_tls13 = extensions.iter().any(|extension| {
        matches!(extension, Extension::SupportedVersions(versions) if versions.contains(&ProtocolVersion::TLS1_3))
    });
    let is_tls13 = offers_tls13 && legacy_version == ProtocolVersion::TLS1_2;
    Ok(ClientHello {
        version: if is_tls13 { ProtocolVersion::TLS1_3 } else { legacy_version },
        random,
        session_id,
        cipher_suites: suites.into_iter().map(CipherSuite).collect(),
        compression,
        extensions,
        padded: false,
        record_version,
    })
}

/// An extension with its meaning where it has one that is written back as it was.
fn extension(kind: ExtensionType, body: &[u8]) -> Extension {
    let understood = understood(kind, body).ok().flatten();
    let is_same = |extension: &Extension| {
        let mut writer = Writer::new();
        extension.write(&mut writer);
        writer.finish().is_ok_and(|written| written.get(4..) == Some(body))
    };
    understood.filter(is_same).unwrap_or_else(|| Extension::Other(kind, body.to_vec()))
}

fn understood(kind: ExtensionType, body: &[u8]) -> Result<Option<Extension>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::TrailingBytes);
    Ok(Some(match kind {
        ExtensionType::SERVER_NAME => {
            let mut names = ByteReader::new(reader.vec16()?);
            let _kind = names.u8()?;
            Extension::ServerName(text(names.vec16()?)?)
        }
        ExtensionType::SUPPORTED_GROUPS => {
            let groups = ByteReader::new(reader.vec16()?).list(ByteReader::u16)?;
            Extension::SupportedGroups(groups.into_iter().map(NamedGroup).collect())
        }
        ExtensionType::SIGNATURE_ALGORITHMS => {
            let schemes = ByteReader::new(reader.vec16()?).list(ByteReader::u16)?;
            Extension::SignatureAlgorithms(schemes.into_iter().map(SignatureScheme).collect())
        }
        ExtensionType::ALPN => {
            let names = ByteReader::new(reader.vec16()?).list(ByteReader::vec8)?;
            Extension::Alpn(names.into_iter().map(text).collect::<Result<_, _>>()?)
        }
        ExtensionType::SUPPORTED_VERSIONS => {
            let versions = ByteReader::new(reader.vec8()?).list(ByteReader::u16)?;
            Extension::SupportedVersions(versions.into_iter().map(ProtocolVersion).collect())
        }
        ExtensionType::KEY_SHARE => {
            let shares = ByteReader::new(reader.vec16()?).list(|item| {
                let group = NamedGroup(item.u16()?);
                Ok(KeyShare { group, key: item.vec16()?.to_vec() })
            });
            Extension::KeyShare(shares?)
        }
        ExtensionType::SESSION_TICKET => Extension::SessionTicket(body.to_vec()),
        ExtensionType::PADDING => match u16::try_from(body.len()) {
            Ok(length) => Extension::Padding(length),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

/// The hello padded by the rule of RFC 7685, if it ends in padding: with another name it needs another amount.
fn with_own_padding(hello: &ClientHello) -> Option<ClientHello> {
    let mut hello = hello.clone();
    let last = hello.extensions.pop();
    hello.padded = true;
    matches!(last, Some(Extension::Padding(_))).then_some(hello)
}

/// The hello without what belongs to its own connection.
fn fresh(mut hello: ClientHello) -> ClientHello {
    hello.random = ClientHello::probe(ProtocolVersion::TLS1_3).random;
    let id = hello.random.iter().copied().cycle().take(hello.session_id.len());
    hello.session_id = id.collect();
    let resumes = [ExtensionType::PRE_SHARED_KEY, ExtensionType::EARLY_DATA];
    hello.extensions.retain(|extension| !resumes.contains(&extension.kind()));
    for extension in &mut hello.extensions {
        match extension {
            Extension::SessionTicket(ticket) => ticket.clear(),
            Extension::KeyShare(shares) => {
                for share in shares {
                    let sample = sample_key(share.group);
                    let same = sample.filter(|sample| sample.len() == share.key.len());
                    share.key = same.unwrap_or_else(|| std::mem::take(&mut share.key));
                }
            }
            _ => {}
        }
    }
    hello
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tls::profile;

    #[test]
    fn known_clients_are_sent_again_as_they_were() {
        for client in profile::all() {
            let sent = client.hello(Some("a.test")).encode().unwrap();
            let captured = CapturedHello::of_record(&sent).unwrap();
            assert_eq!(captured.record(), sent, "{}", client.name);
            for name in [Some("a.much.longer.name.test"), None] {
                let expected = client.hello(name).encode().unwrap();
                assert_eq!(captured.hello(name).encode().unwrap(), expected, "{}", client.name);
            }
            assert_eq!(CapturedHello::of_record(&captured.record()), Ok(captured));
        }
    }

    #[test]
    fn nothing_of_the_captured_connection_is_sent_again() {
        let client = profile::select("chrome").unwrap()[0];
        let hello = client.hello(Some("a.test"));
        let secret = [0x77; 48];
        let captured =
            ClientHello { random: [0x77; 32], session_id: vec![0x77; 32], ..hello.clone() }
                .with(Extension::SessionTicket(secret.to_vec()))
                .with(Extension::KeyShare(vec![KeyShare {
                    group: NamedGroup(0x001d),
                    key: vec![0x77; 32],
                }]))
                .with(Extension::Other(ExtensionType::EARLY_DATA, Vec::new()))
                .with(Extension::Other(ExtensionType::PRE_SHARED_KEY, secret.to_vec()));
        let again = CapturedHello::of_record(&captured.encode().unwrap()).unwrap();
        assert!(!again.record().windows(8).any(|part| part == [0x77; 8]));
        assert_eq!(again.offer().session_id.len(), 32);
        let kinds =
            |hello: &ClientHello| hello.extensions.iter().map(Extension::kind).collect::<Vec<_>>();
        assert_eq!(kinds(again.offer()), kinds(&hello));
    }

    #[test]
    fn what_could_not_be_sent_as_it_was_is_refused() {
        let client = profile::select("openssl-1.0.2").unwrap()[0];
        let sent = client.hello(Some("a.test")).encode().unwrap();
        assert_eq!(CapturedHello::of_record(&sent[..40]), Err(CapturedHelloError::Unreadable));
        let body = &sent[RECORD_HEADER + MESSAGE_HEADER..];
        let more = [body, &[0]].concat();
        assert!(CapturedHello::of_message(0x0301, &more).is_err());
        // An empty list of extensions is not the same as none.
        let mut bare = body[..34].to_vec();
        bare.extend([0, 0, 2, 0, 47, 1, 0]);
        assert!(CapturedHello::of_message(0x0301, &bare).is_ok());
        bare.extend([0, 0]);
        assert_eq!(CapturedHello::of_message(0x0301, &bare), Err(CapturedHelloError::Unusual));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(at: prop::sample::Index, byte: u8, bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            let mut sent = profile::all()[0].hello(Some("a.test")).encode().unwrap();
            let at = at.index(sent.len());
            sent[at] = byte;
            for bytes in [&sent, &bytes] {
                if let Ok(hello) = CapturedHello::of_record(bytes) {
                    prop_assert_eq!(CapturedHello::of_record(&hello.record()), Ok(hello));
                }
            }
        }
    }
}
