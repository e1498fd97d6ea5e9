//! What a hello tells of the client that sent it: JA3 and JA4, and which known client sends nearly the same.
//!
//! JA4 is published by FoxIO under the BSD 3-Clause licence; the other methods of that family are not, and are not here.

use std::collections::BTreeSet;
use std::fmt::Display;

use md5::{Digest, Md5};

use super::seen_hello::{SeenHello, final_version, meant};
use crate::certificate::parse::Fingerprint;
use crate::tls::extension::ExtensionType;
use crate::tls::hex::hex;
use crate::tls::profile::{self, Profile};
use crate::tls::suite::CipherSuite;

/// A client that differs in more than this is another one.
const MAX_DIFFERENCES: usize = 12;

/// Extensions that one client sends in one hello and not in the next: names, padding, sessions.
const CHANGING: [u16; 5] = [0, 21, 35, 41, 42];

/// The known clients that send nearly this hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Those that come nearest; several where they send the same.
    pub clients: Vec<&'static Profile>,
    /// What differs from the first of them.
    pub differences: Vec<String>,
}

impl SeenHello {
    /// JA3 of the hello; one in the form of SSLv2 has none.
    pub fn ja3(&self) -> Option<String> {
        if self.is_ssl2 {
            return None;
        }
        let forms: Vec<u16> = self.point_formats.iter().copied().map(u16::from).collect();
        let lists = [&self.suites, &self.extensions, &self.groups, &forms];
        let lists = lists.map(|list| joined(meant(list), "-"));
        let text = format!("{},{}", self.legacy_version, lists.join(","));
        Some(hex(&Md5::digest(text.as_bytes())))
    }

    /// JA4 of the hello.
    pub fn ja4(&self) -> String {
        let newest = meant(&self.versions).map(final_version).max();
        let version = match newest.unwrap_or(self.legacy_version) {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            0x0002 => "s2",
            _ => "00",
        };
        let name = if self.has(ExtensionType::SERVER_NAME) { 'd' } else { 'i' };
        let suites: Vec<u16> = meant(&self.suites).collect();
        let extensions: Vec<u16> = meant(&self.extensions).collect();
        let counts = [&suites, &extensions].map(|list| list.len().min(99));
        let transport = if self.is_quic { 'q' } else { 't' };
        let head = format!(
            "{transport}{version}{name}{:02}{:02}{}",
            counts[0],
            counts[1],
            self.alpn_ends()
        );
        let named = [ExtensionType::SERVER_NAME.0, ExtensionType::ALPN.0];
        let others = extensions.into_iter().filter(|kind| !named.contains(kind)).collect();
        let mut tail = sorted(others);
        if !tail.is_empty() && !self.schemes.is_empty() {
            let schemes: Vec<String> = meant(&self.schemes).map(four_digits).collect();
            tail = format!("{tail}_{}", schemes.join(","));
        }
        format!("{head}_{}_{}", twelve(&sorted(suites)), twelve(&tail))
    }

    /// The first and the last character of the first application protocol.
    fn alpn_ends(&self) -> String {
        let Some(name) = self.alpn.first().filter(|name| !name.is_empty()) else {
            return "00".to_owned();
        };
        let ends = |text: &[u8]| {
            let ends = [text.first(), text.last()].into_iter().flatten();
            ends.copied().map(char::from).collect::<String>()
        };
        let plain =
            [name.first(), name.last()].into_iter().flatten().all(u8::is_ascii_alphanumeric);
        if plain { ends(name) } else { ends(hex(name).as_bytes()) }
    }

    /// The known clients that send nearly the same; none where all differ in much.
    pub fn likeness(&self) -> Option<Likeness> {
        if self.is_ssl2 {
            return None;
        }
        let mut nearest: Vec<(&'static Profile, Vec<String>)> = Vec::new();
        for client in profile::all() {
            let differences = self.differences(client);
            let least = nearest.first().map_or(MAX_DIFFERENCES, |(_, known)| known.len());
            if differences.len() < least {
                nearest.clear();
            }
            if differences.len() <= least {
                nearest.push((client, differences));
            }
        }
        let differences = nearest.first()?.1.clone();
        Some(Likeness {
            clients: nearest.into_iter().map(|(client, _)| client).collect(),
            differences,
        })
    }

    /// What this hello has and the client's does not, and the other way round.
    fn differences(&self, client: &Profile) -> Vec<String> {
        let mut found = Vec::new();
        let own_versions: Vec<u16> = if self.versions.is_empty() {
            vec![self.newest().0]
        } else {
            meant(&self.versions).map(final_version).collect()
        };
        let versions: Vec<u16> = if self.versions.is_empty() {
            vec![client.newest().0]
        } else {
            client.versions.iter().map(|version| version.0).collect()
        };
        let version = crate::tls::version::ProtocolVersion;
        compare_sets(&own_versions, &versions, version, &mut found);
        let suites: Vec<u16> = self.cipher_suites().map(|suite| suite.0).collect();
        let signals = [CipherSuite::RENEGOTIATION_SCSV, CipherSuite::FALLBACK_SCSV];
        let known = client.cipher_suites.iter().filter(|suite| !signals.contains(suite));
        let known: Vec<u16> = known.map(|suite| suite.0).collect();
        compare(&suites, &known, CipherSuite, &mut found);
        let groups: Vec<u16> = meant(&self.groups).collect();
        let known: Vec<u16> = client.groups.iter().map(|group| group.0).collect();
        compare(&groups, &known, crate::tls::group::NamedGroup, &mut found);
        let schemes: Vec<u16> = meant(&self.schemes).collect();
        let known: Vec<u16> = client.signature_schemes.iter().map(|scheme| scheme.0).collect();
        compare(&schemes, &known, crate::tls::scheme::SignatureScheme, &mut found);
        if !client.extensions.is_empty() {
            let lasting = |kind: &u16| !CHANGING.contains(kind);
            let own: Vec<u16> = meant(&self.extensions).filter(lasting).collect();
            let sent: Vec<u16> =
                client.hello(None).extensions.iter().map(|extension| extension.kind().0).collect();
            let mut known: Vec<u16> = meant(&sent).filter(lasting).collect();
            if !own.contains(&ExtensionType::ALPN.0) {
                known.retain(|kind| *kind != ExtensionType::ALPN.0);
            }
            compare_sets(&own, &known, |kind| format!("extension {kind}"), &mut found);
        }
        found
    }
}

/// Compares what is in two lists, then their order.
fn compare<T: Display>(
    own: &[u16],
    known: &[u16],
    name: impl Fn(u16) -> T,
    found: &mut Vec<String>,
) {
    let before = found.len();
    compare_sets(own, known, &name, found);
    if found.len() == before && own != known {
        let first = own.first().map(|first| name(*first).to_string()).unwrap_or_default();
        found.push(format!("another order, with {first} first"));
    }
}

fn compare_sets<T: Display>(
    own: &[u16],
    known: &[u16],
    name: impl Fn(u16) -> T,
    found: &mut Vec<String>,
) {
    let [own, known] = [own, known].map(|list| list.iter().copied().collect::<BTreeSet<u16>>());
    found.extend(own.difference(&known).map(|number| format!("+{}", name(*number))));
    found.extend(known.difference(&own).map(|number| format!("-{}", name(*number))));
}

fn joined(numbers: impl Iterator<Item = u16>, between: &str) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(between)
}

fn four_digits(number: u16) -> String {
    format!("{number:04x}")
}

fn sorted(mut numbers: Vec<u16>) -> String {
    numbers.sort_unstable();
    numbers.into_iter().map(four_digits).collect::<Vec<_>>().join(",")
}

/// The first twelve digits of the SHA-256; zeros for nothing.
fn twelve(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    Fingerprint::of(text.as_bytes()).to_string().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of JA4's own description: Chrome over TCP.
    fn example() -> SeenHello {
        SeenHello {
            legacy_version: 0x0303,
            versions: vec![0x5a5a, 0x0304, 0x0303],
            suites: vec![
                0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
                0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            schemes: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..SeenHello::default()
        }
    }

    #[test]
    fn ja4_is_that_of_its_description() {
        assert_eq!(example().ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let bare = SeenHello { legacy_version: 0x0300, ..SeenHello::default() };
        assert_eq!(bare.ja4(), "ts3i000000_000000000000_000000000000");
    }

    #[test]
    fn every_known_client_is_recognised() {
        for client in profile::all() {
            let bytes = client.hello(Some("a.test")).encode().unwrap();
            let hello = SeenHello::parse(&bytes[9..]).unwrap();
            let likeness = hello.likeness().unwrap();
            let named = likeness.clients.iter().any(|known| known.name == client.name);
            assert!(named && likeness.differences.is_empty(), "{}: {likeness:?}", client.name);
        }
    }

    #[test]
    fn what_differs_from_a_known_client_is_named() {
        let client = profile::select("openssl-1.0.2").unwrap()[0];
        let bytes = client.hello(Some("a.test")).encode().unwrap();
        let mut hello = SeenHello::parse(&bytes[9..]).unwrap();
        hello.suites.push(0x0001);
        let likeness = hello.likeness().unwrap();
        assert!(likeness.clients.iter().any(|known| known.name == client.name), "{likeness:?}");
        assert_eq!(likeness.differences, ["+TLS_RSA_WITH_NULL_MD5"]);
        assert_eq!(SeenHello::default().likeness(), None);
    }
}
