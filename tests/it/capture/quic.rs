//! QUIC: Initial packets written by code, which tshark reads as well.

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::oracle::tshark;
use super::packets::{Frame, Link, plain_pcap};
use super::*;

const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;

const CLIENT_ID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const FIRST_ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 8];
const SERVER_ID: [u8; 5] = [9, 9, 9, 9, 9];

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &Prk, label: &str, length: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let sizes = [0, u8::try_from(length).unwrap(), u8::try_from(label.len()).unwrap()];
    let mut out = vec![0; length];
    let info: [&[u8]; 3] = [&sizes, label.as_bytes(), &[0]];
    secret.expand(&info, Length(length)).unwrap().fill(&mut out).unwrap();
    out
}

/// One Initial packet of the client (0) or the server (1).
struct Initial<'a> {
    version: u32,
    side: usize,
    /// From which the keys follow.
    key_id: &'a [u8],
    target: &'a [u8],
    token: &'a [u8],
    number: u8,
    frames: Vec<u8>,
}

impl Initial<'_> {
    fn write(&self) -> Vec<u8> {
        let salt: [u8; 20] = if self.version == V1 {
            *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
        } else {
            *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
        };
        let secret = Salt::new(HKDF_SHA256, &salt).extract(self.key_id);
        let secret = expand(&secret, ["client in", "server in"][self.side], 32);
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let prefix = if self.version == V1 { "quic" } else { "quicv2" };
        let part = |name: &str, length| expand(&secret, &format!("{prefix} {name}"), length);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &part("key", 16)).unwrap());
        let mask = HeaderProtectionKey::new(&AES_128, &part("hp", 16)).unwrap();
        let mut nonce: [u8; 12] = part("iv", 12).try_into().unwrap();
        nonce[11] ^= self.number;
        let mut header = vec![if self.version == V1 { 0xc1 } else { 0xd1 }];
        header.extend(self.version.to_be_bytes());
        let source: &[u8] = if self.side == 0 { &CLIENT_ID } else { &SERVER_ID };
        for id in [self.target, source] {
            header.push(u8::try_from(id.len()).unwrap());
            header.extend(id);
        }
        header.push(u8::try_from(self.token.len()).unwrap());
        header.extend(self.token);
        let length = u16::try_from(self.frames.len() + 16 + 2).unwrap();
        header.extend((0x4000 | length).to_be_bytes());
        let number_at = header.len();
        header.extend([0, self.number]);
        let mut body = self.frames.clone();
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(&header), &mut body).unwrap();
        let mut packet = [header, body].concat();
        let mask = mask.new_mask(&packet[number_at + 4..number_at + 20]).unwrap();
        packet[0] ^= mask[0] & 0x0f;
        packet[number_at] ^= mask[1];
        packet[number_at + 1] ^= mask[2];
        packet
    }
}

fn crypto(place: usize, bytes: &[u8]) -> Vec<u8> {
    let numbers =
        [place, bytes.len()].map(|it| (0x4000 | u16::try_from(it).unwrap()).to_be_bytes());
    [&[6], numbers[0].as_slice(), &numbers[1], bytes].concat()
}

/// The hello's message, without its record.
fn hello() -> Vec<u8> {
    let client = shakedown::tls::profile::all().iter().find(|it| it.newest().0 == 0x0304).unwrap();
    client.hello(Some("quic.test")).encode().unwrap()[5..].to_vec()
}

fn answer() -> Vec<u8> {
    let extensions =
        [[0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32].as_slice(), &[9; 32]].concat();
    let length = [0, u8::try_from(extensions.len()).unwrap()];
    let body = [&[3, 3], [5; 32].as_slice(), &[0, 0x13, 1, 0], &length, &extensions].concat();
    [&[2, 0, 0, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

fn of_client(version: u32, id: &[u8], token: &[u8], number: u8, mut frames: Vec<u8>) -> Vec<u8> {
    frames.resize(frames.len().max(1170), 0);
    Initial { version, side: 0, key_id: id, target: id, token, number, frames }.write()
}

fn of_server(version: u32, key_id: &[u8], number: u8, frames: Vec<u8>) -> Vec<u8> {
    let target = &CLIENT_ID;
    Initial { version, side: 1, key_id, target, token: &[], number, frames }.write()
}

/// A packet with a long header that cannot be opened: of the handshake (2), or a Retry (3).
fn long(kind: u8, target: &[u8], source: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc0 | kind << 4, 0, 0, 0, 1, u8::try_from(target.len()).unwrap()];
    packet.extend(target);
    packet.push(u8::try_from(source.len()).unwrap());
    packet.extend(source);
    packet.extend(rest);
    packet
}

fn handshake(target: &[u8]) -> Vec<u8> {
    long(2, target, &CLIENT_ID, &[&[40], [7_u8; 40].as_slice()].concat())
}

fn short() -> Vec<u8> {
    [&[0x41], [7_u8; 60].as_slice()].concat()
}

/// A capture of these datagrams, a tenth of a second apart.
pub(super) fn udp_capture(datagrams: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let frame = |(time, (side, payload)): (u64, &(usize, Vec<u8>))| {
        let [from, to] = if *side == 0 { [7, 1] } else { [1, 7] };
        let ports: [[u8; 2]; 2] =
            if *side == 0 { [[156, 64], [1, 187]] } else { [[1, 187], [156, 64]] };
        let length = |more: usize| u16::try_from(payload.len() + more).unwrap().to_be_bytes();
        let mut bytes =
            [[0x45, 0].as_slice(), &length(28), &[0, 0, 0x40, 0, 64, 17, 0, 0]].concat();
        bytes.extend([192, 0, 2, from, 192, 0, 2, to]);
        bytes.extend([ports.concat(), length(8).to_vec(), vec![0, 0], payload.clone()].concat());
        Frame::new(time * 100_000, bytes)
    };
    let frames: Vec<Frame> = (0..).zip(datagrams).map(frame).collect();
    plain_pcap(&frames, Link::Raw)
}

#[track_caller]
fn only(datagrams: &[(usize, Vec<u8>)]) -> Value {
    let (report, _) = report(&udp_capture(datagrams), &[]);
    let handshakes = report["handshakes"].as_array().unwrap();
    assert_eq!(handshakes.len(), 1, "{report:#}");
    assert_eq!(handshakes[0]["transport"], "quic");
    handshakes[0].clone()
}

/// A handshake that succeeds: the hello in two packets, the second part first in each.
fn success(version: u32) -> Vec<(usize, Vec<u8>)> {
    let hello = hello();
    let (one, two) = hello.split_at(hello.len() / 2);
    let (a, b) = one.split_at(40);
    let first = [crypto(40, b), vec![1, 0, 0], crypto(0, a)].concat();
    let second = crypto(one.len(), two);
    let answer = [vec![2, 0, 0, 0, 0], crypto(0, &answer())].concat();
    let flight = [of_server(version, &FIRST_ID, 0, answer), handshake(&CLIENT_ID)].concat();
    let mut all = vec![
        (0, of_client(version, &FIRST_ID, &[], 0, first)),
        (0, of_client(version, &FIRST_ID, &[], 1, second)),
        (1, flight),
        (0, [handshake(&SERVER_ID), short()].concat()),
    ];
    all.extend([(1, short()), (0, short()), (1, short()), (0, short())]);
    all
}

#[test]
fn a_hello_over_quic_is_read_in_both_versions() {
    for version in [V1, V2] {
        let seen = only(&success(version));
        assert_eq!(seen["result"], "established", "{seen:#}");
        assert_eq!(seen["hello"]["server_name"], "quic.test");
        assert!(seen["hello"]["ja4"].as_str().unwrap().starts_with("q13d"), "{seen:#}");
        assert_eq!(
            (&seen["cipher_suite"], &seen["version"]),
            (&"TLS_AES_128_GCM_SHA256".into(), &"TLSv1.3".into())
        );
        assert_eq!(seen["group"], "X25519");
    }
    // Packets that come in another order, or twice, change nothing.
    let mut packets = success(V1);
    packets.swap(0, 1);
    packets.insert(1, packets[1].clone());
    assert_eq!(only(&packets)["hello"]["server_name"], "quic.test");
}

#[test]
fn tshark_reads_the_same_hello_and_answer() {
    let hello = hello();
    let (one, two) = hello.split_at(hello.len() / 2);
    let file = udp_capture(&[
        (0, of_client(V1, &FIRST_ID, &[], 0, crypto(0, one))),
        (0, of_client(V1, &FIRST_ID, &[], 1, crypto(one.len(), two))),
        (1, of_server(V1, &FIRST_ID, 0, crypto(0, &answer()))),
    ]);
    let (report, _) = report(&file, &[]);
    let seen = &report["handshakes"][0];
    let fields = ["tls.handshake.extensions_server_name", "tls.handshake.ciphersuite"];
    let hellos = tshark(&file, "quic && tls.handshake.type == 1", &fields);
    let found = hellos.values().next().expect("tshark finds no hello");
    assert_eq!(seen["hello"]["server_name"], found[0].as_str());
    let suites = seen["hello"]["cipher_suites"].as_array().unwrap().len();
    let signals = found[1]
        .split(',')
        .filter(|it| *it == "0x00ff" || it.ends_with('a') && it[2..4] == it[4..6])
        .count();
    assert_eq!(suites, found[1].split(',').count() - signals);
    let answers = tshark(&file, "quic && tls.handshake.type == 2", &fields);
    assert_eq!(answers.values().next().unwrap()[1], "0x1301");
    assert_eq!(seen["cipher_suite"], "TLS_AES_128_GCM_SHA256");
}

#[test]
fn tshark_reads_the_same_hello_in_any_frames() {
    let hello = hello();
    let (a, rest) = hello.split_at(50);
    let (b, c) = rest.split_at(40);
    let (ping, acknowledged) = (vec![1, 0, 0], vec![2, 0, 0, 0, 0]);
    let [first, second, third] = [crypto(0, a), crypto(50, b), crypto(90, c)];
    let longer = crypto(0, &hello[..70]);
    let packets = |parts: &[&[Vec<u8>]]| {
        let numbered = (0..).zip(parts);
        let packets = numbered
            .map(|(number, frames)| (0, of_client(V1, &FIRST_ID, &[], number, frames.concat())));
        packets.collect::<Vec<_>>()
    };
    for sent in [
        packets(&[&[first.clone(), ping.clone(), second.clone(), third.clone()]]),
        packets(&[&[third.clone(), ping.clone(), second.clone(), first.clone()]]),
        packets(&[&[second.clone(), first.clone()], &[acknowledged, third.clone()]]),
        packets(&[&[longer, ping, second, third]]),
    ] {
        let file = udp_capture(&sent);
        let (report, _) = report(&file, &[]);
        let fields = ["tls.handshake.extensions_server_name", "tls.handshake.extension.type"];
        let theirs = tshark(&file, "quic && tls.handshake.type == 1", &fields);
        let cells = theirs.values().next().expect("tshark finds no hello");
        let seen = &report["handshakes"][0]["hello"];
        assert_eq!(seen["server_name"], cells[0].as_str());
        let own: Vec<String> =
            seen["extensions"].as_array().unwrap().iter().map(ToString::to_string).collect();
        let grease = |kind: &&str| {
            let kind: u16 = kind.parse().unwrap();
            kind & 0x0f0f != 0x0a0a || kind >> 8 != kind & 0xff
        };
        let theirs: Vec<&str> = cells[1].split(',').filter(grease).collect();
        assert_eq!(own, theirs);
    }
}

#[test]
fn a_connection_that_is_closed_with_an_alert_failed() {
    let hello = of_client(V1, &FIRST_ID, &[], 0, crypto(0, &hello()[..]));
    let close = of_server(V1, &FIRST_ID, 0, vec![0x1c, 0x41, 0x28, 6, 2, b'n', b'o', 0, 0]);
    let seen = only(&[(0, hello.clone()), (1, close)]);
    assert_eq!((&seen["result"], &seen["alerts"][0]["number"]), (&"failed".into(), &40.into()));
    assert_eq!(
        (&seen["alerts"][0]["by"], &seen["failure"]["by"]),
        (&"server".into(), &"server".into())
    );
    let close = of_server(V1, &FIRST_ID, 0, vec![0x1c, 2, 0, 0]);
    let seen = only(&[(0, hello.clone()), (1, close)]);
    assert!(
        seen["failure"]["evidence"][0].as_str().unwrap().contains("error 2 of QUIC"),
        "{seen:#}"
    );
    let seen = only(&[(0, hello.clone())]);
    assert_eq!(seen["doubt"], "unfinished", "{seen:#}");
    let again: Vec<(usize, Vec<u8>)> = (0..15).map(|_| (0, hello.clone())).collect();
    let seen = only(&again);
    assert!(
        seen["failure"]["evidence"][0].as_str().unwrap().contains("never answered"),
        "{seen:#}"
    );
    let other =
        [[0x80, 0, 0, 0, 0, 8].as_slice(), &CLIENT_ID, &[8], &FIRST_ID, &[0x1a, 0x1a, 0x1a, 0x1a]]
            .concat();
    let seen = only(&[(0, hello), (1, other)]);
    assert!(
        seen["failure"]["evidence"][0].as_str().unwrap().contains("other versions"),
        "{seen:#}"
    );
}

#[test]
fn a_retry_changes_the_keys_and_not_the_handshake() {
    let retry = long(3, &CLIENT_ID, &SERVER_ID, &[6; 30]);
    let mut packets = vec![(0, of_client(V1, &FIRST_ID, &[], 0, crypto(0, &hello()))), (1, retry)];
    packets.push((0, of_client(V1, &SERVER_ID, &[6; 14], 1, crypto(0, &hello()))));
    let close = vec![0x1c, 0x41, 0x70, 6, 0];
    packets.push((1, of_server(V1, &SERVER_ID, 0, [close, vec![0; 10]].concat())));
    let seen = only(&packets);
    assert_eq!((&seen["result"], &seen["alerts"][0]["number"]), (&"failed".into(), &112.into()));
}

#[test]
fn what_is_no_quic_or_of_another_version_is_no_handshake() {
    let mut first = of_client(V1, &FIRST_ID, &[], 0, crypto(0, &hello()));
    first[200] ^= 1;
    let (damaged, status) = report(&udp_capture(&[(0, first.clone())]), &[]);
    assert_eq!((&damaged["traffic"]["quic_initials"], status), (&1.into(), 3), "{damaged:#}");
    first[1..5].copy_from_slice(&[0x1a, 0x2a, 0x3a, 0x4a]);
    let (unknown, status) = report(&udp_capture(&[(0, first), (0, short())]), &[]);
    assert_eq!((&unknown["traffic"]["quic_initials"], status), (&1.into(), 3), "{unknown:#}");
}
