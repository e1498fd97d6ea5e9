//! The reader of a server's first flight: records to handshake messages to a `ServerHello`, or what came instead.
//!
//! It is fed bytes as they arrive and never looks at more than [`MAX_FLIGHT`] of them.

use super::alert::AlertDescription;
use super::codec::Reader;
use super::group::NamedGroup;
use super::suite::CipherSuite;
use super::version::ProtocolVersion;

/// Bytes of a flight that are kept; a chain of a dozen certificates fits several times.
pub const MAX_FLIGHT: usize = 256 * 1024;

/// Warning alerts that are passed over before the peer counts as talking nonsense.
const MAX_WARNINGS: usize = 16;

/// The random of a `ServerHello` that is a HelloRetryRequest (RFC 8446 section 4.1.3).
const HELLO_RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a `ServerHello` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version chosen, supported_versions included.
    pub version: ProtocolVersion,
    /// The suite chosen.
    pub cipher_suite: CipherSuite,
    /// Whether it asks for another hello.
    pub hello_retry: bool,
    /// The group of the key share, where it has one.
    pub group: Option<NamedGroup>,
}

/// How a flight begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The server chose.
    Hello(ServerHello),
    /// The server refused.
    Alert(AlertDescription),
    /// What came is not TLS.
    NotTls,
    /// What came is TLS, and nonsense; what is wrong with it.
    Broken(&'static str),
}

/// Collects a flight until its beginning can be understood.
#[derive(Debug, Default)]
pub struct Flight {
    bytes: Vec<u8>,
}

impl Flight {
    /// Adds what arrived. Bytes beyond [`MAX_FLIGHT`] are dropped; [`Flight::is_full`] says so.
    pub fn feed(&mut self, bytes: &[u8]) {
        let room = MAX_FLIGHT - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
    }

    /// Whether no more bytes are taken.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= MAX_FLIGHT
    }

    /// What arrived so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How the flight begins, `None` where more bytes are needed to tell.
    pub fn answer(&self) -> Option<Answer> {
        let mut records = Reader::new(&self.bytes);
        let mut messages = Vec::new();
        let mut warnings = 0;
        while !records.is_empty() {
            match record(&mut records) {
                Err(Unfinished::NotTls) => return Some(Answer::NotTls),
                Err(Unfinished::NeedMore) => return None,
                Ok((Content::Alert, body)) => match alert(body) {
                    Some(answer) => return Some(answer),
                    None => warnings += 1,
                },
                Ok((Content::Handshake, body)) => messages.extend_from_slice(body),
            }
            if warnings > MAX_WARNINGS {
                return Some(Answer::Broken("nothing but warning alerts"));
            }
            if let Some(answer) = server_hello(&messages) {
                return Some(answer);
            }
        }
        None
    }
}

/// The record types that can begin a flight.
enum Content {
    Alert,
    Handshake,
}

/// Why a record cannot be had.
enum Unfinished {
    NeedMore,
    NotTls,
}

fn record<'a>(records: &mut Reader<'a>) -> Result<(Content, &'a [u8]), Unfinished> {
    let mut ahead = *records;
    let content = match ahead.u8() {
        Some(21) => Content::Alert,
        Some(22) => Content::Handshake,
        _ => return Err(Unfinished::NotTls),
    };
    match ahead.u8() {
        Some(3) => {}
        Some(_) => return Err(Unfinished::NotTls),
        None => return Err(Unfinished::NeedMore),
    }
    let body = ahead.u8().and_then(|_| ahead.vector(2)).ok_or(Unfinished::NeedMore)?;
    *records = ahead;
    Ok((content, body))
}

/// `None` for a warning, which the peer may follow with its flight.
fn alert(body: &[u8]) -> Option<Answer> {
    match *body {
        [1, description] if description != 0 => None,
        [1 | 2, description] => Some(Answer::Alert(AlertDescription(description))),
        _ => Some(Answer::Broken("a malformed alert")),
    }
}

fn server_hello(messages: &[u8]) -> Option<Answer> {
    let mut reader = Reader::new(messages);
    let kind = reader.u8()?;
    if kind != 2 {
        return Some(Answer::Broken("the first handshake message is no ServerHello"));
    }
    let body = reader.vector(3)?;
    Some(parse(body).map_or(Answer::Broken("a malformed ServerHello"), Answer::Hello))
}

fn parse(body: &[u8]) -> Option<ServerHello> {
    let mut reader = Reader::new(body);
    let legacy_version = ProtocolVersion(reader.u16()?);
    let random = reader.take(32)?;
    reader.vector(1)?;
    let cipher_suite = CipherSuite(reader.u16()?);
    reader.u8()?;
    let mut hello = ServerHello {
        version: legacy_version,
        cipher_suite,
        hello_retry: random == HELLO_RETRY,
        group: None,
    };
    if !reader.is_empty() {
        let mut extensions = Reader::new(reader.vector(2)?);
        while !extensions.is_empty() {
            let number = extensions.u16()?;
            extension(&mut hello, number, extensions.vector(2)?)?;
        }
    }
    Some(hello)
}

fn extension(hello: &mut ServerHello, number: u16, body: &[u8]) -> Option<()> {
    match number {
        43 => hello.version = ProtocolVersion(Reader::new(body).u16()?),
        51 => hello.group = Some(NamedGroup(Reader::new(body).u16()?)),
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::tls::codec::Writer;

    fn tls_record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(kind);
        out.u16(0x0303);
        out.vector(2, |out| out.bytes(body));
        out.into_bytes()
    }

    fn hello_message(random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(2);
        out.vector(3, |out| {
            out.u16(0x0303);
            out.bytes(&random);
            out.vector(1, |_| {});
            out.u16(0x1301);
            out.u8(0);
            out.vector(2, |out| out.bytes(extensions));
        });
        out.into_bytes()
    }

    fn retry() -> (Vec<u8>, ServerHello) {
        let message = hello_message(HELLO_RETRY, &[0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 0x1d]);
        let hello = ServerHello {
            version: ProtocolVersion::TLS1_3,
            cipher_suite: CipherSuite(0x1301),
            hello_retry: true,
            group: Some(NamedGroup(0x1d)),
        };
        (message, hello)
    }

    fn answer(bytes: &[u8]) -> Option<Answer> {
        let mut flight = Flight::default();
        flight.feed(bytes);
        flight.answer()
    }

    #[test]
    fn a_hello_is_read_however_it_is_cut() {
        let (message, hello) = retry();
        let whole = tls_record(22, &message);
        for cut in 0..whole.len() {
            let mut flight = Flight::default();
            flight.feed(&whole[..cut]);
            assert_eq!(flight.answer(), None, "cut at {cut}");
            flight.feed(&whole[cut..]);
            assert_eq!(flight.answer(), Some(Answer::Hello(hello)));
        }
        for cut in 1..message.len() {
            let (first, second) = message.split_at(cut);
            assert_eq!(
                answer(&[tls_record(22, first), tls_record(22, second)].concat()),
                Some(Answer::Hello(hello))
            );
        }
    }

    #[test]
    fn warnings_before_the_hello_are_passed_over() {
        let (message, hello) = retry();
        assert_eq!(
            answer(&[tls_record(21, &[1, 112]), tls_record(22, &message)].concat()),
            Some(Answer::Hello(hello))
        );
        assert_eq!(
            answer(&tls_record(21, &[1, 112]).repeat(100)),
            Some(Answer::Broken("nothing but warning alerts"))
        );
    }

    #[test]
    fn a_fatal_alert_is_the_answer() {
        assert_eq!(
            answer(&tls_record(21, &[2, 70])),
            Some(Answer::Alert(AlertDescription::PROTOCOL_VERSION))
        );
    }

    #[test]
    fn what_is_not_tls_is_told_by_its_first_bytes() {
        assert_eq!(answer(b"HTTP/1.1 400 Bad Request"), Some(Answer::NotTls));
        assert_eq!(answer(b"\x16HTTP"), Some(Answer::NotTls));
        assert_eq!(answer(b""), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..600), record_type in 20u8..24) {
            let mut flight = Flight::default();
            flight.feed(&bytes);
            let _ = flight.answer();
            let mut flight = Flight::default();
            flight.feed(&tls_record(record_type, &bytes));
            let _ = flight.answer();
        }
    }
}
