//! Flights made by hand, cut at every byte; and bytes that are no flight at all.

use proptest::prelude::*;

use super::super::codec::Writer;
use super::super::extension::ExtensionType;
use super::super::group::NamedGroup;
use super::super::message::KeyParameters;
use super::super::scheme::SignatureScheme;
use super::super::suite::CipherSuite;
use super::super::version::ProtocolVersion;
use super::*;

const ECDHE_RSA: u16 = 0xc02f;
const DHE_RSA: u16 = 0x009e;
const FATAL_HANDSHAKE_FAILURE: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
const WARNING_UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 1, 112];

fn record(content: u8, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(content);
    writer.u16(0x0303);
    writer.vec16(|w| w.bytes(payload));
    writer.finish().unwrap()
}

fn message(kind: MessageType, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(kind.0);
    writer.vec24(body);
    writer.finish().unwrap()
}

fn server_hello(version: u16, suite: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
    message(MessageType::SERVER_HELLO, |w| {
        w.u16(version);
        w.bytes(&[7; 32]);
        w.vec8(|id| id.bytes(&[1, 2, 3]));
        w.u16(suite);
        w.u8(0);
        if !extensions.is_empty() {
            w.vec16(|list| {
                for (kind, body) in extensions {
                    list.u16(*kind);
                    list.vec16(|w| w.bytes(body));
                }
            });
        }
    })
}

fn certificate(certificates: &[&[u8]]) -> Vec<u8> {
    message(MessageType::CERTIFICATE, |w| {
        w.vec24(|list| {
            for der in certificates {
                list.vec24(|w| w.bytes(der));
            }
        });
    })
}

fn done() -> Vec<u8> {
    message(MessageType::SERVER_HELLO_DONE, |_| {})
}

/// A full TLS 1.2 flight with everything that can be in one.
fn full_flight() -> Vec<u8> {
    [
        server_hello(0x0303, ECDHE_RSA, &[(0xff01, &[0]), (23, &[]), (16, b"\x00\x03\x02h2")]),
        certificate(&[b"leaf", b"intermediate"]),
        message(MessageType::CERTIFICATE_STATUS, |w| {
            w.u8(1);
            w.vec24(|w| w.bytes(b"ocsp"));
        }),
        message(MessageType::SERVER_KEY_EXCHANGE, |w| {
            w.u8(3);
            w.u16(0x001d);
            w.vec8(|point| point.bytes(&[9; 32]));
            w.u16(0x0804);
            w.vec16(|signature| signature.bytes(&[8; 64]));
        }),
        message(MessageType::CERTIFICATE_REQUEST, |w| {
            w.vec8(|types| types.bytes(&[1, 64]));
            w.vec16(|schemes| schemes.u16(0x0403));
            w.vec16(|list| {
                list.vec16(|w| w.bytes(b"first CA"));
                list.vec16(|w| w.bytes(b"second CA"));
            });
        }),
        done(),
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Flight {
    let mut reader = FlightReader::new();
    let _ = reader.feed(bytes);
    reader.finish()
}

/// Reads the bytes whole, in two parts cut at every place, and one by one; all must agree.
#[track_caller]
fn read_every_way(bytes: &[u8]) -> Flight {
    let whole = read(bytes);
    for cut in 0..=bytes.len() {
        let mut reader = FlightReader::new();
        let _ = reader.feed(&bytes[..cut]);
        let _ = reader.feed(&bytes[cut..]);
        assert_eq!(reader.finish(), whole, "cut at {cut}");
    }
    let mut reader = FlightReader::new();
    for byte in bytes {
        let _ = reader.feed(&[*byte]);
    }
    assert_eq!(reader.finish(), whole);
    whole
}

#[track_caller]
fn assert_is_full_flight(flight: &Flight) {
    assert_eq!(flight.end, Some(FlightEnd::Complete));
    let hello = flight.server_hello.as_ref().unwrap();
    assert_eq!(hello.version, ProtocolVersion::TLS1_2);
    assert_eq!(hello.cipher_suite, CipherSuite(ECDHE_RSA));
    assert_eq!(hello.alpn.as_deref(), Some(&b"h2"[..]));
    assert!(hello.has(ExtensionType::RENEGOTIATION_INFO));
    assert!(hello.has(ExtensionType::EXTENDED_MASTER_SECRET));
    assert!(!hello.has(ExtensionType::SESSION_TICKET));
    assert_eq!(flight.certificates, Some(vec![b"leaf".to_vec(), b"intermediate".to_vec()]));
    assert_eq!(flight.ocsp_staple.as_deref(), Some(&b"ocsp"[..]));
    let key = flight.key_exchange.as_ref().unwrap();
    assert_eq!(key.parameters, KeyParameters::Group(NamedGroup(0x001d)));
    assert_eq!(key.scheme, Some(SignatureScheme(0x0804)));
    let request = flight.certificate_request.as_ref().unwrap();
    assert_eq!(request.certificate_types, [1, 64]);
    assert_eq!(request.schemes, [SignatureScheme(0x0403)]);
    assert_eq!(request.authorities, [b"first CA".to_vec(), b"second CA".to_vec()]);
}

#[test]
fn several_messages_share_a_record() {
    assert_is_full_flight(&read_every_way(&record(22, &full_flight())));
}

#[test]
fn a_message_spans_records_of_any_size() {
    for size in [1, 2, 3, 5, 50] {
        let records: Vec<u8> =
            full_flight().chunks(size).flat_map(|part| record(22, part)).collect();
        assert_is_full_flight(&read_every_way(&records));
    }
}

#[test]
fn a_warning_before_the_flight_is_noted_and_passed_over() {
    let bytes = [WARNING_UNRECOGNIZED_NAME, &record(22, &full_flight())].concat();
    let flight = read_every_way(&bytes);
    assert_eq!(flight.warnings, [AlertDescription::UNRECOGNIZED_NAME]);
    assert_is_full_flight(&flight);
}

#[test]
fn a_fatal_alert_ends_the_flight() {
    let flight = read_every_way(FATAL_HANDSHAKE_FAILURE);
    assert_eq!(flight.end, Some(FlightEnd::Alert(AlertDescription::HANDSHAKE_FAILURE)));
}

#[test]
fn an_alert_may_be_cut_into_records() {
    let bytes = [record(21, &[2]), record(21, &[40])].concat();
    let flight = read_every_way(&bytes);
    assert_eq!(flight.end, Some(FlightEnd::Alert(AlertDescription::HANDSHAKE_FAILURE)));
}

#[test]
fn what_came_before_a_fatal_alert_is_kept() {
    let hello = record(22, &server_hello(0x0301, 0x002f, &[]));
    let flight = read_every_way(&[&hello, FATAL_HANDSHAKE_FAILURE].concat());
    assert_eq!(flight.server_hello.unwrap().version, ProtocolVersion::TLS1);
    assert_eq!(flight.end, Some(FlightEnd::Alert(AlertDescription::HANDSHAKE_FAILURE)));
}

#[test]
fn tls13_ends_at_its_server_hello() {
    let hello = server_hello(0x0303, 0x1301, &[(43, &[3, 4]), (51, &[0, 0x1d, 0, 1, 9])]);
    let bytes = [record(22, &hello), record(20, &[1]), record(23, &[0; 40])].concat();
    let flight = read_every_way(&bytes);
    assert_eq!(flight.end, Some(FlightEnd::Complete));
    let hello = flight.server_hello.unwrap();
    assert_eq!(hello.version, ProtocolVersion::TLS1_3);
    assert_eq!(hello.group, Some(NamedGroup(0x001d)));
    assert!(!hello.hello_retry);
}

#[test]
fn a_hello_retry_request_is_recognised_by_its_random_and_names_the_group() {
    let random = message::HELLO_RETRY_RANDOM;
    let mut hello = server_hello(0x0303, 0x1302, &[(43, &[3, 4]), (51, &[0x11, 0xec])]);
    hello[6..38].copy_from_slice(&random);
    let flight = read_every_way(&record(22, &hello));
    let hello = flight.server_hello.unwrap();
    assert!(hello.hello_retry);
    assert_eq!(hello.version, ProtocolVersion::TLS1_3);
    assert_eq!(hello.group, Some(NamedGroup(0x11ec)));
    assert_eq!(flight.end, Some(FlightEnd::Complete));
}

#[test]
fn the_size_of_finite_field_parameters_is_known() {
    let key = message(MessageType::SERVER_KEY_EXCHANGE, |w| {
        w.vec16(|prime| prime.bytes(&[&[0, 0x7f][..], &[1; 127]].concat()));
        w.vec16(|generator| generator.u8(2));
        w.vec16(|public| public.bytes(&[5; 128]));
        w.u16(0x0401);
        w.vec16(|_| {});
    });
    let bytes = record(22, &[server_hello(0x0303, DHE_RSA, &[]), key, done()].concat());
    let key = read_every_way(&bytes).key_exchange.unwrap();
    assert_eq!(key.parameters.bits(), Some(1023));
    assert_eq!(key.scheme, Some(SignatureScheme(0x0401)));
}

#[test]
fn tls10_names_neither_schemes_nor_the_signature() {
    let key = message(MessageType::SERVER_KEY_EXCHANGE, |w| {
        w.bytes(&[3, 0, 0x17, 1, 4]);
        w.vec16(|signature| signature.bytes(&[6; 20]));
    });
    let request = message(MessageType::CERTIFICATE_REQUEST, |w| {
        w.vec8(|types| types.u8(1));
        w.vec16(|list| list.vec16(|w| w.bytes(b"CA")));
    });
    let hello = server_hello(0x0301, 0xc013, &[]);
    let flight = read_every_way(&record(22, &[hello, key, request, done()].concat()));
    assert_eq!(flight.end, Some(FlightEnd::Complete));
    assert_eq!(flight.key_exchange.unwrap().scheme, None);
    assert_eq!(flight.certificate_request.unwrap().authorities, [b"CA".to_vec()]);
}

#[test]
fn a_resumed_session_ends_where_encryption_begins() {
    let hello = record(22, &server_hello(0x0303, ECDHE_RSA, &[]));
    let flight = read_every_way(&[hello, record(20, &[1]), record(22, &[0; 40])].concat());
    assert_eq!(flight.end, Some(FlightEnd::Complete));
}

#[test]
fn other_protocols_are_not_tls() {
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"SSH-2.0-x", b"220 mail", &[22, 9, 9]] {
        let flight = read_every_way(bytes);
        assert_eq!(flight.end, Some(FlightEnd::NotTls));
        assert_eq!(flight.first_bytes, bytes);
    }
}

#[test]
fn plain_text_after_a_record_is_a_broken_protocol() {
    let flight = read_every_way(&[WARNING_UNRECOGNIZED_NAME, b"HTTP/1.1"].concat());
    let broken = Malformed::Record(RecordError::ContentType(b'H'));
    assert_eq!(flight.end, Some(FlightEnd::Malformed(broken)));
}

#[test]
fn messages_out_of_place_are_refused() {
    let hello = server_hello(0x0303, ECDHE_RSA, &[]);
    for (messages, kind) in [
        (certificate(&[]), MessageType::CERTIFICATE),
        ([hello.clone(), hello.clone()].concat(), MessageType::SERVER_HELLO),
        ([hello, certificate(&[b"a"]), certificate(&[b"b"])].concat(), MessageType::CERTIFICATE),
    ] {
        let flight = read_every_way(&record(22, &messages));
        assert_eq!(flight.end, Some(FlightEnd::Malformed(Malformed::Message(kind.0))));
    }
}

#[test]
fn a_message_cut_short_within_is_refused() {
    let broken = message(MessageType::SERVER_HELLO, |w| w.bytes(&[3, 3, 0, 0]));
    let flight = read_every_way(&record(22, &broken));
    let error = Malformed::Body(MessageType::SERVER_HELLO.0, DecodeError::Truncated);
    assert_eq!(flight.end, Some(FlightEnd::Malformed(error)));
}

#[test]
fn an_unfinished_flight_has_no_end() {
    let bytes = record(22, &full_flight());
    for length in 0..bytes.len() {
        assert_eq!(read(&bytes[..length]).end, None);
    }
}

#[test]
fn a_message_beyond_reason_is_refused_by_its_header() {
    let flight = read_every_way(&record(22, &[11, 0x7f, 0xff, 0xff]));
    assert_eq!(flight.end, Some(FlightEnd::TooMuch));
}

#[test]
fn floods_are_cut_off() {
    let warnings = WARNING_UNRECOGNIZED_NAME.repeat(MAX_WARNINGS + 1);
    assert_eq!(read(&warnings).end, Some(FlightEnd::TooMuch));
    let empty_records = record(22, &[]).repeat(MAX_FLIGHT / 5 + 1);
    assert_eq!(read(&empty_records).end, Some(FlightEnd::TooMuch));
    let hello_requests = record(22, &[0; 4]).repeat(MAX_FLIGHT / 9 + 1);
    assert_eq!(read(&hello_requests).end, Some(FlightEnd::TooMuch));
}

/// Bytes that look enough like TLS to get past the first checks.
fn almost_tls() -> impl Strategy<Value = Vec<u8>> {
    let message = (0_u8..25, prop::collection::vec(any::<u8>(), 0..80))
        .prop_map(|(kind, body)| message(MessageType(kind), |w| w.bytes(&body)));
    let hello = (any::<u16>(), any::<u16>())
        .prop_map(|(version, suite)| server_hello(version & 0x0303 | 0x0300, suite, &[]));
    let payload = prop::collection::vec(prop_oneof![message, hello], 0..4)
        .prop_map(|messages| messages.concat());
    let part = (20_u8..24, payload).prop_map(|(content, payload)| record(content, &payload));
    prop::collection::vec(part, 0..5).prop_map(|records| records.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_kept_within_bounds(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..600), almost_tls()],
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(bytes.len() + 1);
        let mut reader = FlightReader::new();
        let _ = reader.feed(&bytes[..cut]);
        let _ = reader.feed(&bytes[cut..]);
        prop_assert!(reader.unsplit.len() + reader.handshake.len() <= MAX_FLIGHT);
        let flight = reader.finish();
        prop_assert!(flight.first_bytes.len() <= MAX_FIRST_BYTES);
        prop_assert_eq!(flight, read(&bytes));
    }

    #[test]
    fn a_damaged_flight_never_panics(position in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = record(22, &full_flight());
        let position = position.index(bytes.len());
        bytes[position] = value;
        let _ = read(&bytes);
    }
}
