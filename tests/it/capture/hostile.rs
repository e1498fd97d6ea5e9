//! A capture with the text of strangers wherever they can write.

use rustls_pki_types::CertificateDer;

use super::packets::{Link, all_packets, frames, plain_pcap};
use super::recorder::{Event, Happened};
use crate::zoo::beasts::{record, records, server_hello_with};

/// Connections whose names, protocols, dialogues and certificates are these.
pub(crate) fn capture(chain: &[CertificateDer<'_>], text: &[u8]) -> Vec<u8> {
    let hello = hello(text);
    // A protocol's name is short.
    let short = &text[..text.len().min(200)];
    let protocol =
        [&[0, u8::try_from(short.len() + 1).unwrap(), u8::try_from(short.len()).unwrap()], short];
    let certificates: Vec<u8> = chain.iter().flat_map(|der| three(der)).collect();
    let answer =
        [server_hello_with(&hello, 16, &protocol.concat()), records(11, &three(&certificates))];
    let refusal = record(21, &[2, 48]);
    let handshake = [(true, hello), (false, answer.concat()), (true, refusal)];
    let tunnel = [
        (true, [b"CONNECT ", text, b":443 HTTP/1.1\r\nUser-Agent: ", text, b"\r\n\r\n"].concat()),
        (false, [b"HTTP/1.1 200 ", text, b"\r\n\r\n"].concat()),
    ];
    let mail = [
        (false, [b"220 ", text, b"\r\n"].concat()),
        (true, [b"EHLO ", text, b"\r\n"].concat()),
        (false, b"250 STARTTLS\r\n".to_vec()),
        (true, b"STARTTLS\r\n".to_vec()),
        (false, [b"220 ", text, b"\r\n"].concat()),
    ];
    let connections: Vec<Vec<Happened>> = [&[][..], &tunnel, &mail]
        .iter()
        .map(|before| connection(&[before, &handshake[..]].concat()))
        .collect();
    plain_pcap(&frames(&all_packets(&connections), Link::Ethernet, false), Link::Ethernet)
}

fn connection(said: &[(bool, Vec<u8>)]) -> Vec<Happened> {
    let steps = (1..).zip(said).map(|(number, (by_client, bytes))| Happened {
        by_client: *by_client,
        event: Event::Data(bytes.clone()),
        time: number * 1000,
    });
    let end = |by_client| Happened { by_client, event: Event::Fin, time: 100_000 };
    steps.chain([end(true), end(false)]).collect()
}

/// A hello of TLS 1.2 with this text as its name and its protocol.
fn hello(text: &[u8]) -> Vec<u8> {
    let name = two(&two_behind(0, text));
    let short = &text[..text.len().min(200)];
    let protocol = two(&[&[u8::try_from(short.len()).unwrap()][..], short].concat());
    let extensions =
        [[&[0, 0][..], &two(&name)].concat(), [&[0, 16][..], &two(&protocol)].concat()];
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0], &two(&extensions.concat())];
    records(1, &body.concat())
}

fn two_behind(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &two(body)].concat()
}

/// A body behind its length.
fn two(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn three(body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = body.len().to_be_bytes();
    [&[a, b, c][..], body].concat()
}
