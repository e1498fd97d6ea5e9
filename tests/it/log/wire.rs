//! Raw bytes: hellos, alerts and answers that normal peers do not send.

use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::support::server::scripted;

/// A record with one alert.
pub(super) fn alert(number: u8) -> [u8; 7] {
    [0x15, 3, 3, 0, 2, 2, number]
}

/// A hello of this version with these suites and extensions.
pub(crate) fn hello(version: u16, suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend(u16::try_from(2 * suites.len()).unwrap().to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    record(&message(1, &body))
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

pub(super) fn record(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x16, 3, 1], length.as_slice(), payload].concat()
}

/// Groups and signature algorithms that any server accepts.
pub(super) const USUAL: &[u8] =
    &[0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1, 0, 11, 0, 2, 1, 0];

/// The first flight of a TLS 1.2 server, without secure renegotiation.
pub(super) fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([9; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    record(&message(2, &body))
}

/// An upstream that answers the first hello with these bytes.
pub(super) fn answers(bytes: Vec<u8>) -> SocketAddr {
    scripted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut [0; 4096]);
    })
}
