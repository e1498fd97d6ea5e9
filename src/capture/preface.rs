//! What may come before TLS on a connection: a dialogue in plain text, a PROXY header, a request to a proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::tls::codec::ByteReader;

/// The longest PROXY header that is waited for, in bytes.
pub(super) const MAX_PROXY_HEADER: usize = 4096;

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// A record of TLS.
    Tls,
    /// A hello in the form of SSLv2, of that many bytes with its length.
    Ssl2(u16),
    /// A PROXY header of that many bytes, with the client that it names.
    Proxy(usize, Option<SocketAddr>),
    /// A request of HTTP.
    Http,
    /// Something else.
    Other,
    /// Too few to tell.
    Unclear,
}

const PROXY_V1: &[u8] = b"PROXY ";
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const METHODS: [&[u8]; 10] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"OPTIONS ",
    b"DELETE ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
    b"PRI * HTTP",
];

/// What these first bytes are.
pub(super) fn first(bytes: &[u8]) -> First {
    if let Some(hello) = ssl2(bytes) {
        return hello;
    }
    if bytes.starts_with(PROXY_V1) {
        return proxy_v1(bytes);
    }
    if bytes.starts_with(PROXY_V2) {
        return proxy_v2(bytes);
    }
    if METHODS.iter().any(|method| bytes.starts_with(method)) {
        return First::Http;
    }
    if starts_tls(bytes) {
        return First::Tls;
    }
    let begins = |known: &&[u8]| known.starts_with(bytes);
    let waits = METHODS.iter().chain(&[PROXY_V1, PROXY_V2]).any(begins) || may_be_tls(bytes);
    if waits { First::Unclear } else { First::Other }
}

/// Whether a record of a handshake or an alert begins here.
pub(super) fn starts_tls(bytes: &[u8]) -> bool {
    match bytes {
        [22, 3, 0..=4, high, _, kind, ..] => *high <= 0x48 && matches!(kind, 0..=4 | 11..=25),
        [21, 3, 0..=4, 0, 2, 1 | 2, ..] => true,
        _ => false,
    }
}

/// Where a whole header of a hello begins, whose lengths agree.
pub(super) fn find_hello(bytes: &[u8]) -> Option<usize> {
    bytes.windows(11).position(|start| match start {
        [22, 3, 0..=4, record @ .., 3, 0..=3] => {
            let [r1, r2, 1, 0, m1, m2] = record else { return false };
            let [record, message] = [[*r1, *r2], [*m1, *m2]].map(u16::from_be_bytes);
            message.checked_add(4) == Some(record)
        }
        _ => false,
    })
}

/// Whether more bytes could make it the beginning of a record.
fn may_be_tls(bytes: &[u8]) -> bool {
    match bytes {
        [] | [21 | 22] | [21 | 22, 3] => true,
        [21 | 22, 3, 0..=4, ..] => bytes.len() < 6,
        _ => false,
    }
}

fn ssl2(bytes: &[u8]) -> Option<First> {
    let [high, low, 1, 0 | 3, minor, ..] = bytes else { return None };
    let length = u16::from_be_bytes([high & 0x7f, *low]);
    let fits = high & 0x80 != 0 && *minor <= 4 && (9..=4096).contains(&length);
    fits.then_some(First::Ssl2(length + 2))
}

/// `PROXY TCP4 SOURCE TARGET PORT PORT`.
fn proxy_v1(bytes: &[u8]) -> First {
    const MAX: usize = 107;
    let line = bytes.get(..bytes.len().min(MAX)).unwrap_or_default();
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX { First::Unclear } else { First::Other };
    };
    let text = String::from_utf8_lossy(line.get(..end).unwrap_or_default()).into_owned();
    let words: Vec<&str> = text.split(' ').collect();
    let client = match words[..] {
        [_, "TCP4" | "TCP6", source, _, port, _] => {
            let address = source.parse::<IpAddr>().ok().zip(port.parse().ok());
            address.map(|(address, port)| SocketAddr::new(address, port))
        }
        _ => None,
    };
    First::Proxy(end + 2, client)
}

fn proxy_v2(bytes: &[u8]) -> First {
    let mut reader = ByteReader::new(bytes);
    let Ok(head) = reader.take(12).and_then(|_| reader.array::<2>()) else { return First::Unclear };
    let Ok(length) = reader.u16() else { return First::Unclear };
    let whole = 16 + usize::from(length);
    if whole > MAX_PROXY_HEADER {
        return First::Other;
    }
    if bytes.len() < whole {
        return First::Unclear;
    }
    First::Proxy(whole, addresses(reader, head[1] >> 4))
}

fn addresses(mut reader: ByteReader<'_>, family: u8) -> Option<SocketAddr> {
    let (source, rest) = match family {
        1 => (IpAddr::from(reader.array::<4>().ok()?), 4),
        2 => (IpAddr::from(Ipv6Addr::from(reader.array::<16>().ok()?)), 16),
        _ => return None,
    };
    let _target = reader.take(rest).ok()?;
    Some(SocketAddr::new(source, reader.u16().ok()?))
}

/// Which dialogue comes before TLS, by what client and server say first.
pub(super) fn dialogue(client: &[u8], server: &[u8]) -> &'static str {
    let says = |text: &[u8], words: &[u8]| {
        text.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words))
    };
    match (client, server) {
        ([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f, ..], _) => "postgres",
        (_, [_, _, _, 0, 9 | 10, ..]) => "mysql",
        ([0x30, ..], _) if says(client, b"1.3.6.1.4.1.1466.20037") => "ldap",
        _ if client.starts_with(b"CONNECT ") => "http-connect",
        _ if says(client, b"<stream:stream") => "xmpp",
        _ if server.starts_with(b"+OK") => "pop3",
        _ if server.starts_with(b"* OK") || server.starts_with(b"* PREAUTH") => "imap",
        _ if says(client, b"AUTH TLS") || says(client, b"AUTH SSL") => "ftp",
        _ if server.starts_with(b"220") => "smtp",
        _ if server.starts_with(b"20") => "nntp",
        _ if says(server, b"\"STARTTLS\"") => "sieve",
        _ => "plain-text",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_bytes_are_told_apart() {
        assert_eq!(first(&[22, 3, 1, 2, 0, 1, 0]), First::Tls);
        assert_eq!(first(&[22, 3, 1]), First::Unclear);
        assert_eq!(first(b"GET / HTTP/1.1\r\n"), First::Http);
        assert_eq!(first(b"GE"), First::Unclear);
        assert_eq!(first(b"EHLO a\r\n"), First::Other);
        assert_eq!(first(&[0x80, 46, 1, 0, 2, 0, 21]), First::Ssl2(48));
    }

    #[test]
    fn a_hello_behind_other_bytes_is_found() {
        let hello = [22, 3, 1, 0, 44, 1, 0, 0, 40, 3, 3, 7, 7];
        assert_eq!(find_hello(&[[32, 0, 0, 1].as_slice(), &hello].concat()), Some(4));
        assert_eq!(find_hello(&[22, 3, 1, 0, 44, 1, 0, 0, 41, 3, 3]), None);
        assert_eq!(find_hello(&hello[..10]), None);
    }

    #[test]
    fn a_proxy_header_names_the_client() {
        let client = "192.0.2.7:4711".parse().ok();
        let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n";
        assert_eq!(
            first(&[header.as_slice(), &[22, 3]].concat()),
            First::Proxy(header.len(), client)
        );
        assert_eq!(first(&header[..20]), First::Unclear);
        let v2 = [PROXY_V2, &[0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 1, 0xbb]];
        assert_eq!(first(&v2.concat()), First::Proxy(28, client));
        assert_eq!(first(b"PROXY UNKNOWN\r\n"), First::Proxy(15, None));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200), prefix in 0_usize..3) {
            let prefix = [b"".as_slice(), PROXY_V1, PROXY_V2][prefix];
            let bytes = [prefix, &bytes].concat();
            let _ = first(&bytes);
            let _ = (dialogue(&bytes, &bytes), find_hello(&bytes));
        }
    }
}
