//! Handshakes of rustls with itself, as bytes and as packets.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use super::PUBLIC;

/// What was sent in turn: by the client or not, and the bytes.
type Dialogue = Vec<(bool, Vec<u8>)>;

fn dialogue(version: &'static SupportedProtocolVersion) -> Dialogue {
    let (mut client, mut server) = ends(version).expect("valid settings");
    let mut said = Dialogue::new();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory can be written");
        }
        take(&mut bytes, true, &mut said, |bytes| server.read_tls(bytes));
        server.process_new_packets().expect("a valid hello");
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory can be written");
        }
        take(&mut bytes, false, &mut said, |bytes| client.read_tls(bytes));
        client.process_new_packets().expect("a valid flight");
    }
    let _ = client.writer().write(b"GET / HTTP/1.0\r\n\r\n");
    let _ = server.reader().read(&mut []);
    let mut bytes = Vec::new();
    let _ = client.write_tls(&mut bytes);
    said.push((true, bytes));
    said
}

fn take(
    bytes: &mut Vec<u8>,
    by_client: bool,
    said: &mut Dialogue,
    mut read: impl FnMut(&mut dyn Read) -> std::io::Result<usize>,
) {
    if bytes.is_empty() {
        return;
    }
    said.push((by_client, bytes.clone()));
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        read(&mut rest).expect("memory can be read");
    }
}

fn ends(
    version: &'static SupportedProtocolVersion,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(PUBLIC.root.clone())?;
    // The certificates are of another day, so the clock is theirs.
    let time = Arc::new(Then);
    let client = ClientConfig::builder_with_details(Arc::clone(&provider), time)
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .with_no_client_auth()
        .with_single_cert(PUBLIC.chain.clone(), PUBLIC.key.clone_key())?;
    let name = ServerName::try_from("a.test").expect("a name");
    Ok((ClientConnection::new(Arc::new(client), name)?, ServerConnection::new(Arc::new(server))?))
}

/// The time of the certificates.
#[derive(Debug)]
struct Then;

impl rustls::time_provider::TimeProvider for Then {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(super::NOW.unix_timestamp()).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// What the server sends, and what the client sends first, behind the size of the pieces; and a fatal alert.
pub(in super::super) fn flights() -> Vec<Vec<u8>> {
    let mut seeds = vec![b"\x09\x15\x03\x03\x00\x02\x02\x28".to_vec()];
    for version in [&TLS12, &TLS13] {
        let said = dialogue(version);
        for by_client in [false, true] {
            let sent = said.iter().filter(|(client, _)| *client == by_client);
            let sent: Vec<u8> = sent.flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            seeds.extend([0xff, 0x11].map(|size| [&[size], sent.as_slice()].concat()));
        }
    }
    seeds
}

/// The dialogues in packets: pcap of Ethernet, and of raw IP.
pub(in super::super) fn captures() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for version in [&TLS12, &TLS13] {
        let said = dialogue(version);
        seeds.extend([1, 101].map(|link| pcap(link, &said)));
    }
    seeds
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN_ACK: u8 = 17;

fn pcap(link: u32, said: &Dialogue) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, link]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect::<Vec<u8>>();
    let mut next = [1000_u32, 2000];
    let mut number = 0_u32;
    let mut packet = |next: [u32; 2], by_client: bool, flags: u8, payload: &[u8]| {
        number += 1;
        let frame = frame(link, next, by_client, flags, payload);
        let length = u32::try_from(frame.len()).unwrap_or(0);
        for word in [1_781_524_800, number * 100, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    };
    packet([999, 0], true, SYN, &[]);
    packet([1000, 1999], false, SYN | ACK, &[]);
    packet(next, true, ACK, &[]);
    for (by_client, bytes) in said {
        for part in bytes.chunks(1400) {
            packet(next, *by_client, ACK | 8, part);
            let own = usize::from(!by_client);
            next[own] = next[own].wrapping_add(u32::try_from(part.len()).unwrap_or(0));
            packet(next, !by_client, ACK, &[]);
        }
    }
    packet(next, true, FIN_ACK, &[]);
    next[0] += 1;
    packet(next, false, FIN_ACK, &[]);
    file
}

fn frame(link: u32, next: [u32; 2], by_client: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
    let (ports, own) = if by_client { ([40_000_u16, 443], 0) } else { ([443, 40_000], 1) };
    let mut tcp: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
    tcp.extend(next[own].to_be_bytes());
    tcp.extend(next[1 - own].to_be_bytes());
    tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(payload);
    let addresses: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];
    let length = u16::try_from(tcp.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
    let mut ip = vec![0x45, 0, length[0], length[1], 0, 1, 0x40, 0, 64, 6, 0, 0];
    ip.extend(addresses[own]);
    ip.extend(addresses[1 - own]);
    let ethernet: &[u8] = if link == 1 { &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0] } else { &[] };
    [ethernet, &ip, &tcp].concat()
}
