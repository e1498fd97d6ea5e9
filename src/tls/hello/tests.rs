//! What the writer writes is read back by `tls-parser`, which shares no code with it.

use proptest::prelude::*;
use tls_parser::{
    SNIType, TlsClientHelloContents, TlsExtension, TlsMessage, TlsMessageHandshake, TlsPlaintext,
    parse_tls_client_hello_extensions, parse_tls_plaintext,
};

use super::*;

/// Reads one record that holds one hello, and nothing beside them.
fn one_record(bytes: &[u8]) -> TlsPlaintext<'_> {
    let (rest, record) = parse_tls_plaintext(bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(record.msg.len(), 1);
    record
}

fn hello_of<'a>(record: &'a TlsPlaintext<'a>) -> &'a TlsClientHelloContents<'a> {
    match &record.msg[0] {
        TlsMessage::Handshake(TlsMessageHandshake::ClientHello(hello)) => hello,
        other => panic!("{other:?}"),
    }
}

fn extensions_of<'a>(hello: &TlsClientHelloContents<'a>) -> Vec<TlsExtension<'a>> {
    let (rest, extensions) =
        parse_tls_client_hello_extensions(hello.ext.unwrap_or_default()).unwrap();
    assert!(rest.is_empty());
    extensions
}

#[test]
fn versions_stand_where_each_age_looks_for_them() {
    for (version, record_version, legacy_version) in [
        (ProtocolVersion::SSL3, 0x0300, 0x0300),
        (ProtocolVersion::TLS1, 0x0301, 0x0301),
        (ProtocolVersion::TLS1_1, 0x0301, 0x0302),
        (ProtocolVersion::TLS1_2, 0x0301, 0x0303),
        (ProtocolVersion::TLS1_3, 0x0301, 0x0303),
    ] {
        let bytes = ClientHello::probe(version).encode().unwrap();
        let record = one_record(&bytes);
        let hello = hello_of(&record);
        assert_eq!(record.hdr.version.0, record_version);
        assert_eq!(hello.version.0, legacy_version);
        assert_eq!(hello.random, RANDOM);
        assert_eq!(hello.ext.is_some(), version != ProtocolVersion::SSL3);
        let names_versions = extensions_of(hello)
            .iter()
            .any(|extension| matches!(extension, TlsExtension::SupportedVersions(_)));
        assert_eq!(names_versions, version == ProtocolVersion::TLS1_3);
    }
}

#[test]
fn no_probe_offers_a_signal_or_too_many_suites() {
    for version in ProtocolVersion::ALL {
        let offered = ClientHello::probe(version).cipher_suites;
        assert!((1..=MAX_SUITES).contains(&offered.len()));
        assert!(!offered.contains(&CipherSuite::FALLBACK_SCSV));
        assert!(!offered.contains(&CipherSuite::RENEGOTIATION_SCSV));
    }
}

#[test]
fn no_probe_has_a_length_that_hangs_old_servers() {
    for version in ProtocolVersion::ALL {
        let probe = ClientHello::probe(version);
        for suites in 1..=probe.cipher_suites.len() {
            for name_length in 0..=64 {
                let cipher_suites = probe.cipher_suites[..suites].to_vec();
                let probe = ClientHello { cipher_suites, ..probe.clone() }
                    .with(Extension::ServerName("a".repeat(name_length)));
                let message = probe.message().unwrap();
                assert!(!FRAGILE_LENGTHS.contains(&message.len()), "{} bytes", message.len());
            }
        }
    }
}

#[test]
fn an_extension_replaces_the_one_of_its_kind() {
    let hello = ClientHello::probe(ProtocolVersion::TLS1_2)
        .with(Extension::ServerName("a.test".into()))
        .with(Extension::SupportedGroups(vec![NamedGroup(0x0017)]))
        .with(Extension::ServerName("b.test".into()))
        .without(ExtensionType::STATUS_REQUEST);
    let bytes = hello.encode().unwrap();
    let record = one_record(&bytes);
    let extensions = extensions_of(hello_of(&record));
    let names: Vec<_> =
        extensions.iter().filter(|extension| matches!(extension, TlsExtension::SNI(_))).collect();
    assert_eq!(names, [&TlsExtension::SNI(vec![(SNIType::HostName, b"b.test")])]);
    assert!(
        !extensions.iter().any(|extension| matches!(extension, TlsExtension::StatusRequest(_)))
    );
    let groups = TlsExtension::EllipticCurves(vec![tls_parser::NamedGroup(0x0017)]);
    assert!(extensions.contains(&groups));
}

#[test]
fn a_tls13_probe_brings_no_key() {
    let bytes = ClientHello::probe(ProtocolVersion::TLS1_3).encode().unwrap();
    let record = one_record(&bytes);
    assert!(extensions_of(hello_of(&record)).contains(&TlsExtension::KeyShare(&[0, 0])));
}

#[test]
fn grease_is_wherever_a_server_must_ignore_it() {
    let hello = ClientHello::probe(ProtocolVersion::TLS1_3).with_grease();
    let bytes = hello.encode().unwrap();
    let record = one_record(&bytes);
    let extensions = extensions_of(hello_of(&record));
    let is_grease = |value: u16| value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff;
    let kinds: Vec<_> =
        hello.extensions.iter().map(|e| e.kind().0).filter(|kind| is_grease(*kind)).collect();
    assert_eq!(kinds.len(), 2);
    assert_ne!(kinds[0], kinds[1]);
    assert!(is_grease(hello_of(&record).ciphers[0].0));
    for extension in extensions {
        match extension {
            TlsExtension::EllipticCurves(groups) => assert!(is_grease(groups[0].0)),
            TlsExtension::SupportedVersions(versions) => assert!(is_grease(versions[0].0)),
            _ => {}
        }
    }
}

#[test]
fn a_name_too_long_for_the_protocol_is_an_error() {
    let hello =
        ClientHello::probe(ProtocolVersion::TLS1_2).with(Extension::ServerName("a".repeat(70_000)));
    assert_eq!(hello.encode(), Err(TooLong));
}

#[test]
fn a_hello_larger_than_a_record_is_cut_into_several() {
    let hello = ClientHello::probe(ProtocolVersion::TLS1_2)
        .with(Extension::Other(ExtensionType(0xfe00), vec![0; 20_000]));
    let bytes = hello.encode().unwrap();
    let (first, length) = super::super::record::split(&bytes).unwrap().unwrap();
    let (second, _) = super::super::record::split(&bytes[length..]).unwrap().unwrap();
    assert_eq!([first.payload, second.payload].concat(), hello.message().unwrap());
}

fn any_hello() -> impl Strategy<Value = ClientHello> {
    let numbers = || prop::collection::vec(any::<u16>(), 1..40);
    let version = prop::sample::select(&ProtocolVersion::ALL[1..]);
    let lists = (numbers(), numbers(), numbers());
    let name = "[a-z]{1,20}(\\.[a-z]{1,20}){0,3}";
    let alpn = prop::collection::vec("[a-z0-9/.]{1,12}", 1..4);
    (version, any::<[u8; 32]>(), lists, name, alpn, any::<bool>()).prop_map(
        |(version, random, (suites, groups, schemes), name, alpn, padded)| ClientHello {
            cipher_suites: suites.into_iter().map(CipherSuite).collect(),
            extensions: vec![
                Extension::ServerName(name),
                Extension::SupportedGroups(groups.into_iter().map(NamedGroup).collect()),
                Extension::SignatureAlgorithms(schemes.into_iter().map(SignatureScheme).collect()),
                Extension::Alpn(alpn),
                Extension::ExtendedMasterSecret,
            ],
            random,
            padded,
            ..ClientHello::probe(version)
        },
    )
}

/// The list as `tls-parser` reads it, for comparison with ours.
fn expected(extension: &Extension) -> TlsExtension<'_> {
    match extension {
        Extension::ServerName(name) => {
            TlsExtension::SNI(vec![(SNIType::HostName, name.as_bytes())])
        }
        Extension::SupportedGroups(groups) => TlsExtension::EllipticCurves(
            groups.iter().map(|g| tls_parser::NamedGroup(g.0)).collect(),
        ),
        Extension::SignatureAlgorithms(schemes) => {
            TlsExtension::SignatureAlgorithms(schemes.iter().map(|scheme| scheme.0).collect())
        }
        Extension::Alpn(names) => TlsExtension::ALPN(names.iter().map(String::as_bytes).collect()),
        Extension::ExtendedMasterSecret => TlsExtension::ExtendedMasterSecret,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn hellos_read_back_as_written(hello in any_hello()) {
        let bytes = hello.encode().unwrap();
        let record = one_record(&bytes);
        let read = hello_of(&record);
        let suites: Vec<_> = read.ciphers.iter().map(|id| CipherSuite(id.0)).collect();
        prop_assert_eq!(suites, hello.cipher_suites);
        let mut extensions = extensions_of(read);
        extensions.retain(|extension| !matches!(extension, TlsExtension::Padding(_)));
        prop_assert_eq!(extensions, hello.extensions.iter().map(expected).collect::<Vec<_>>());
    }
}
