//! Hellos of DTLS (RFC 6347, RFC 9147): which client wants what from whom. What follows them is not read.

use std::net::SocketAddr;

use super::packet::UdpDatagram;
use super::seen_hello::SeenHello;
use crate::tls::codec::{ByteReader, DecodeError};

/// Pairs of client and server that are told apart.
const MAX_PAIRS: usize = 256;

/// Types of record and message.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// A client's hello, and how often it was sent.
#[derive(Clone, Debug)]
pub struct DtlsHello {
    /// Who sent it.
    pub client: SocketAddr,
    /// To whom.
    pub server: SocketAddr,
    /// When it first came, in nanoseconds since 1970.
    pub first: i64,
    /// What it offers; `None` where it comes in fragments.
    pub hello: Option<SeenHello>,
    /// Hellos between these two: clients repeat them, with a cookie or because no answer came.
    pub count: u64,
}

/// The hellos so far.
#[derive(Clone, Debug, Default)]
pub struct DtlsHellos {
    /// One for each pair of client and server.
    pub pairs: Vec<DtlsHello>,
    /// All of them.
    pub count: u64,
}

impl DtlsHellos {
    /// Takes a datagram; whether it holds a hello.
    pub(super) fn take(&mut self, datagram: &UdpDatagram<'_>) -> bool {
        let Some(hello) = hello(datagram.payload) else { return false };
        self.count += 1;
        let (client, server) = (datagram.source, datagram.target);
        let mut pairs = self.pairs.iter_mut();
        if let Some(known) = pairs.find(|it| it.client == client && it.server == server) {
            known.count += 1;
        } else if self.pairs.len() < MAX_PAIRS {
            let hello = hello.ok();
            self.pairs.push(DtlsHello { client, server, first: datagram.time, hello, count: 1 });
        }
        true
    }
}

/// The hello in a datagram, if it begins with one; an error where only a part of it is there.
fn hello(datagram: &[u8]) -> Option<Result<SeenHello, DecodeError>> {
    let is_hello = matches!(
        datagram,
        [HANDSHAKE, 0xfe, 0xff | 0xfd, 0, 0, _, _, _, _, _, _, _, _, CLIENT_HELLO, ..]
    );
    is_hello.then(|| read(datagram))
}

fn read(datagram: &[u8]) -> Result<SeenHello, DecodeError> {
    let mut record = ByteReader::new(datagram);
    let [_, major, minor, ..] = record.array::<11>()?;
    let mut message = ByteReader::new(record.vec16()?);
    let _kind = message.u8()?;
    let length = message.u24()?;
    let (_number, begin, part) = (message.u16()?, message.u24()?, message.u24()?);
    if (begin, part) != (0, length) {
        return Err(DecodeError::Truncated);
    }
    let body = message.take(usize::try_from(part).map_err(|_| DecodeError::Truncated)?)?;
    let hello = SeenHello::parse(&without_cookie(body)?)?;
    Ok(SeenHello { record_version: u16::from_be_bytes([major, minor]), ..hello })
}

/// The body as TLS has it: DTLS puts a cookie behind the session's id.
fn without_cookie(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut reader = ByteReader::new(body);
    let _start = reader.take(34)?;
    let _session = reader.vec8()?;
    let before = body.len() - reader.rest().len();
    let _cookie = reader.vec8()?;
    Ok([body.get(..before).unwrap_or_default(), reader.rest()].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_datagram_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let start = [HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 90, CLIENT_HELLO];
            let _ = hello(&[start.as_slice(), &bytes].concat());
            let _ = hello(&bytes);
        }
    }
}
