//! The `ClientHello` writer (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, RFC 6101 for SSLv3).

use tls_parser::TlsCipherSuite;

use super::codec::Writer;
use super::group::NamedGroup;
use super::suite::CipherSuite;
use super::version::ProtocolVersion;

/// Signalling values (RFC 5746, RFC 7507) that stand in the registry of suites and are none. A server answers the second
/// with an alert when it knows a newer version than the one offered.
const SIGNALLING: [u16; 2] = [0x00ff, 0x5600];

/// Suites in one hello; old servers choke on longer lists.
const MAX_SUITES: usize = 128;

/// Signature schemes of old and new clients, so that a server is not refused for its certificate's algorithm.
const SIGNATURE_SCHEMES: [u16; 17] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401,
    0x0501, 0x0601, 0x0203, 0x0201, 0x0202,
];

/// A `ClientHello` to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The highest version offered; TLS 1.3 is offered alone, older ones as the version of the hello.
    pub version: ProtocolVersion,
    /// The client's random.
    pub random: [u8; 32],
    /// The suites, best first.
    pub cipher_suites: Vec<CipherSuite>,
    /// The groups, best first.
    pub groups: Vec<NamedGroup>,
    /// The signature schemes, best first.
    pub signature_schemes: Vec<u16>,
    /// The name to send, `None` for none.
    pub server_name: Option<String>,
    /// The ALPN protocols to offer.
    pub alpn: Vec<Vec<u8>>,
}

impl ClientHello {
    /// What a client that speaks everything would offer for one version. No key share is sent with TLS 1.3: a server that
    /// takes any of the groups names it in a HelloRetryRequest, and no key is ever made.
    pub fn probe(version: ProtocolVersion) -> Self {
        Self {
            version,
            // Nothing secret ever follows this hello, so its random need not be.
            random: *b"shakedown asks and says goodbye.",
            cipher_suites: suites(version),
            groups: NamedGroup::all().collect(),
            signature_schemes: SIGNATURE_SCHEMES.to_vec(),
            server_name: None,
            alpn: Vec::new(),
        }
    }

    /// The hello as one TLS record.
    pub fn record(&self) -> Vec<u8> {
        let mut record = Writer::default();
        record.u8(22);
        // A first record says TLS 1.0 for the sake of old servers (RFC 8446 section 5.1); SSLv3 servers want their own.
        record.u16(self.version.min(ProtocolVersion::TLS1).0);
        record.vector(2, |record| {
            record.u8(1);
            record.vector(3, |message| self.body(message));
        });
        record.into_bytes()
    }

    fn body(&self, out: &mut Writer) {
        out.u16(self.version.min(ProtocolVersion::TLS1_2).0);
        out.bytes(&self.random);
        // A TLS 1.3 server in middlebox compatibility mode wants a session id to echo.
        let session_id: &[u8] =
            if self.version >= ProtocolVersion::TLS1_3 { &self.random } else { &[] };
        out.vector(1, |out| out.bytes(session_id));
        out.vector(2, |out| self.cipher_suites.iter().for_each(|suite| out.u16(suite.0)));
        out.vector(1, |out| out.u8(0));
        if self.version > ProtocolVersion::SSL3 {
            out.vector(2, |out| self.extensions(out));
        }
    }

    fn extensions(&self, out: &mut Writer) {
        if let Some(name) = &self.server_name {
            extension(out, 0, |out| {
                out.vector(2, |out| {
                    out.u8(0);
                    out.vector(2, |out| out.bytes(name.as_bytes()));
                });
            });
        }
        extension(out, 10, |out| {
            out.vector(2, |out| self.groups.iter().for_each(|group| out.u16(group.0)));
        });
        if self.version >= ProtocolVersion::TLS1_2 {
            extension(out, 13, |out| {
                out.vector(2, |out| self.signature_schemes.iter().for_each(|s| out.u16(*s)));
            });
        }
        if !self.alpn.is_empty() {
            extension(out, 16, |out| {
                out.vector(2, |out| {
                    self.alpn.iter().for_each(|name| out.vector(1, |out| out.bytes(name)));
                });
            });
        }
        if self.version >= ProtocolVersion::TLS1_3 {
            extension(out, 43, |out| out.vector(1, |out| out.u16(self.version.0)));
            extension(out, 51, |out| out.vector(2, |_| {}));
        } else {
            extension(out, 11, |out| out.vector(1, |out| out.u8(0)));
            extension(out, 23, |_| {});
            extension(out, 0xff01, |out| out.vector(1, |_| {}));
        }
    }
}

fn extension(out: &mut Writer, number: u16, write: impl FnOnce(&mut Writer)) {
    out.u16(number);
    out.vector(2, write);
}

/// The registry's suites for one version, what servers of the last twenty years speak first.
fn suites(version: ProtocolVersion) -> Vec<CipherSuite> {
    let tls13 = version >= ProtocolVersion::TLS1_3;
    if tls13 {
        return (0x1301..=0x1305).map(CipherSuite).collect();
    }
    let mut suites: Vec<&TlsCipherSuite> = (0..0xd100)
        .filter(|number| !SIGNALLING.contains(number) && number >> 8 != 0x13)
        .filter_map(TlsCipherSuite::from_id)
        .filter(|suite| preference(suite) < 4 && !suite.name.contains("ARIA"))
        .filter(|suite| version >= ProtocolVersion::TLS1_2 || !needs_tls12(suite))
        .collect();
    suites.sort_by_key(|suite| (is_rare(suite), preference(suite)));
    suites.into_iter().take(MAX_SUITES).map(|suite| CipherSuite(suite.id.0)).collect()
}

/// What no server speaks alone, and so may fall off the end of the list.
fn is_rare(suite: &TlsCipherSuite) -> bool {
    ["CAMELLIA", "SEED", "IDEA", "EXPORT", "anon", "NULL", "DSS"]
        .iter()
        .any(|part| suite.name.contains(part))
}

/// Authenticated encryption and the SHA-2 hashes came with TLS 1.2.
fn needs_tls12(suite: &TlsCipherSuite) -> bool {
    ["GCM", "CCM", "POLY1305", "SHA256", "SHA384"].iter().any(|part| suite.name.contains(part))
}

fn preference(suite: &TlsCipherSuite) -> u8 {
    use tls_parser::TlsCipherKx::{Aecdh, Dh, Dhe, Ecdh, Ecdhe, Rsa};
    match suite.kx {
        Ecdhe => 0,
        Dhe => 1,
        Rsa => 2,
        Ecdh | Dh | Aecdh => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use tls_parser::{
        TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_extensions, parse_tls_plaintext,
    };

    use super::*;

    /// Version, suites and extension count, as another parser reads our hello.
    fn reread(hello: &ClientHello) -> (u16, usize, Vec<String>) {
        let bytes = hello.record();
        let (rest, record) = parse_tls_plaintext(&bytes).unwrap();
        assert!(rest.is_empty());
        let [TlsMessage::Handshake(TlsMessageHandshake::ClientHello(read))] = record.msg.as_slice()
        else {
            panic!("not a ClientHello")
        };
        let names = match read.ext {
            None => Vec::new(),
            Some(bytes) => {
                let (_, extensions) = parse_tls_extensions(bytes).unwrap();
                extensions.iter().filter_map(sni).collect()
            }
        };
        (read.version.0, read.ciphers.len(), names)
    }

    fn sni(extension: &TlsExtension<'_>) -> Option<String> {
        match extension {
            TlsExtension::SNI(names) => {
                names.first().map(|(_, name)| String::from_utf8_lossy(name).into_owned())
            }
            _ => None,
        }
    }

    #[test]
    fn another_parser_reads_what_is_written() {
        for version in ProtocolVersion::ALL {
            let mut hello = ClientHello::probe(version);
            hello.server_name = Some("a.test".to_owned());
            let (legacy, suites, names) = reread(&hello);
            assert_eq!(legacy, version.0.min(0x0303));
            assert_eq!(suites, hello.cipher_suites.len());
            assert_eq!(names.is_empty(), version == ProtocolVersion::SSL3);
        }
    }

    #[test]
    fn no_hello_offers_signalling_values_or_too_many_suites() {
        for version in ProtocolVersion::ALL {
            let suites = ClientHello::probe(version).cipher_suites;
            assert!((1..=MAX_SUITES).contains(&suites.len()), "{version}: {}", suites.len());
            assert!(!suites.iter().any(|suite| SIGNALLING.contains(&suite.0)));
        }
    }

    #[test]
    fn old_suites_of_every_kind_are_offered() {
        let names: Vec<_> = ClientHello::probe(ProtocolVersion::TLS1_2).cipher_suites;
        for number in [0x002f, 0x0005, 0x000a, 0xc013, 0xc02b, 0x0039, 0x009c] {
            assert!(names.contains(&CipherSuite(number)), "{}", CipherSuite(number));
        }
    }
}
