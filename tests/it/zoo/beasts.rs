//! Answers that no TLS server gives.

use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::support::script::first_record;
use crate::support::server::scripted;

/// How a beast answers; it is given the hello's record.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Once, and hangs up.
    Once(fn(&[u8]) -> Vec<u8>),
    /// Every record of the client.
    Each(fn(&[u8]) -> Vec<u8>),
    /// Again and again.
    Endless(fn(&[u8]) -> Vec<u8>),
    /// Once, and then again and again.
    Then(fn(&[u8]) -> Vec<u8>, fn() -> Vec<u8>),
}

use Answer::{Each, Endless, Once, Then};

/// Every beast by its name.
pub(super) const BEASTS: &[(&str, Answer)] = &[
    ("SSLv2", Once(|_| [&[0x80, 0x2e, 4, 0, 1, 0, 2], &[0; 41][..]].concat())),
    (
        "DTLS",
        Once(|_| [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 2], &[0; 15][..]].concat()),
    ),
    ("HTTP/2", Once(|_| vec![0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100])),
    ("a record of an unknown type", Once(|_| record(99, &[0; 40]))),
    ("data before the handshake", Once(|_| record(23, &[0; 40]))),
    ("a heartbeat", Once(|_| record(24, &[1, 0x40, 0, 0]))),
    ("half a header", Once(|_| vec![22, 3, 3])),
    ("half an alert", Once(|_| record(21, &[2]))),
    ("an alert of an unknown level", Once(|_| record(21, &[9, 40]))),
    ("a close before the handshake", Once(|_| record(21, &[1, 0]))),
    ("the largest record", Once(|_| record(22, &[0xff; 1 << 14]))),
    ("a record past the limit", Once(|_| record(22, &[2; (1 << 14) + 2049]))),
    ("a record of the largest length", Endless(|_| record(22, &[0xff; 0xffff]))),
    ("empty records", Endless(|_| record(22, &[]).repeat(500))),
    ("empty data", Endless(|_| record(23, &[]).repeat(500))),
    ("changes of the cipher", Endless(|_| record(20, &[1]).repeat(500))),
    ("requests for a hello", Endless(|_| record(22, &[0; 4]).repeat(500))),
    ("empty messages", Endless(|_| record(22, &[11, 0, 0, 0].repeat(100)))),
    (
        "a message of 16 MB",
        Then(|_| record(22, &[2, 0xff, 0xff, 0xff]), || record(22, &[0; 1 << 14])),
    ),
    (
        "a chain of 16 MB",
        Then(
            |hello| [older(hello), record(22, &[11, 0xff, 0xff, 0xff])].concat(),
            || record(22, &[0; 1 << 14]),
        ),
    ),
    ("a chain of 10 000 certificates", Once(|hello| [older(hello), chain(10_000, 5)].concat())),
    ("a chain without a certificate", Once(|hello| [older(hello), chain(0, 0)].concat())),
    ("a certificate of 100 kB", Once(|hello| [older(hello), chain(1, 100_000)].concat())),
    ("hellos", Endless(|hello| older(hello).repeat(50))),
    (
        "a suite that was not offered",
        Once(|hello| server_hello(hello, &Choice { suite: 0x0004, ..OLDER })),
    ),
    (
        "a suite of another version",
        Once(|hello| server_hello(hello, &Choice { suite: 0x1301, ..OLDER })),
    ),
    (
        "a version that does not exist",
        Once(|hello| server_hello(hello, &Choice { version: 0x0399, ..OLDER })),
    ),
    ("a draft of TLS 1.3", Once(|hello| server_hello(hello, &Choice { version: 0x7f17, ..OLDER }))),
    ("compression", Once(|hello| server_hello(hello, &Choice { compression: 1, ..OLDER }))),
    (
        "an extension that was not offered",
        Once(|hello| server_hello(hello, &Choice { extensions: &[(0xfafa, &[0; 4])], ..OLDER })),
    ),
    (
        "a protocol that was not offered",
        Once(|hello| {
            server_hello(hello, &Choice { extensions: &[(16, b"\0\x05\x04evil")], ..OLDER })
        }),
    ),
    (
        "an extension twice",
        Once(|hello| server_hello(hello, &Choice { extensions: &[(23, &[]), (23, &[])], ..OLDER })),
    ),
    (
        "an extension longer than its message",
        Once(|hello| {
            let mut answer = server_hello(hello, &Choice { extensions: &[(16, &[0; 8])], ..OLDER });
            let at = answer.len() - 10;
            answer[at..at + 2].fill(0xff);
            answer
        }),
    ),
    (
        "a version of TLS 1.3 that was not offered",
        Once(|hello| server_hello(hello, &Choice { extensions: &[(43, &[3, 9])], ..NEWER })),
    ),
    (
        "a group that was not offered",
        Once(|hello| {
            server_hello(
                hello,
                &Choice { extensions: &[(43, &[3, 4]), (51, &[0x42, 0x42, 0, 1, 0])], ..NEWER },
            )
        }),
    ),
    (
        "an empty key",
        Once(|hello| {
            server_hello(
                hello,
                &Choice { extensions: &[(43, &[3, 4]), (51, &[0, 29, 0, 0])], ..NEWER },
            )
        }),
    ),
    (
        "a key of zeros",
        Once(|hello| {
            server_hello(hello, &Choice { extensions: &[(43, &[3, 4]), (51, ZERO_KEY)], ..NEWER })
        }),
    ),
    (
        "retries",
        Each(|hello| {
            server_hello(hello, &Choice { extensions: &[(43, &[3, 4]), (51, &[0, 24])], ..RETRY })
        }),
    ),
    (
        "a retry with a group that was not offered",
        Each(|hello| {
            server_hello(
                hello,
                &Choice { extensions: &[(43, &[3, 4]), (51, &[0x42, 0x42])], ..RETRY },
            )
        }),
    ),
    (
        "a retry with the group that was sent",
        Each(|hello| {
            server_hello(hello, &Choice { extensions: &[(43, &[3, 4]), (51, &[0, 29])], ..RETRY })
        }),
    ),
    (
        "a retry that changes nothing",
        Each(|hello| server_hello(hello, &Choice { extensions: &[(43, &[3, 4])], ..RETRY })),
    ),
    (
        "retries with a large cookie",
        Each(|hello| {
            server_hello(hello, &Choice { extensions: &[(43, &[3, 4]), (44, &COOKIE)], ..RETRY })
        }),
    ),
    ("a retry of TLS 1.2", Each(|hello| server_hello(hello, &Choice { extensions: &[], ..RETRY }))),
    (
        "a retry without end",
        Then(
            |hello| {
                server_hello(
                    hello,
                    &Choice { extensions: &[(43, &[3, 4]), (51, &[0, 24])], ..RETRY },
                )
            },
            || record(20, &[1]).repeat(500),
        ),
    ),
];

/// A key share of X25519.
const ZERO_KEY: &[u8] = &{
    let mut key = [0; 36];
    (key[1], key[3]) = (29, 32);
    key
};

/// A cookie, with its length.
const COOKIE: [u8; 8002] = {
    let mut cookie = [7; 8002];
    (cookie[0], cookie[1]) = (0x1f, 0x40);
    cookie
};

/// What a `ServerHello` says.
struct Choice {
    version: u16,
    random: [u8; 32],
    suite: u16,
    compression: u8,
    extensions: &'static [(u16, &'static [u8])],
}

const OLDER: Choice =
    Choice { version: 0x0303, random: [7; 32], suite: 0xc02f, compression: 0, extensions: &[] };

const NEWER: Choice = Choice { suite: 0x1301, ..OLDER };

/// A `HelloRetryRequest` (RFC 8446 section 4.1.3).
const RETRY: Choice = Choice {
    random: [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ],
    ..NEWER
};

/// A `ServerHello` of TLS 1.2.
fn older(hello: &[u8]) -> Vec<u8> {
    server_hello(hello, &OLDER)
}

fn server_hello(hello: &[u8], choice: &Choice) -> Vec<u8> {
    let extensions: Vec<u8> =
        choice.extensions.iter().flat_map(|(number, body)| extension(*number, body)).collect();
    hello_of(hello, choice, &extensions)
}

/// A `ServerHello` of TLS 1.2 with one extension.
pub(crate) fn server_hello_with(hello: &[u8], number: u16, body: &[u8]) -> Vec<u8> {
    hello_of(hello, &OLDER, &extension(number, body))
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &with_length(body)].concat()
}

fn hello_of(hello: &[u8], choice: &Choice, extensions: &[u8]) -> Vec<u8> {
    // The client's session id, which TLS 1.3 sends back.
    let session = hello.get(43).and_then(|length| hello.get(43..44 + usize::from(*length)));
    let body = [
        &choice.version.to_be_bytes()[..],
        &choice.random,
        session.unwrap_or(&[0]),
        &choice.suite.to_be_bytes(),
        &[choice.compression],
        &with_length(extensions),
    ];
    records(2, &body.concat())
}

/// A chain of certificates of this size each.
fn chain(count: usize, size: usize) -> Vec<u8> {
    let certificate = [&[0x30, 3, 2, 1, 0][..], &vec![0; size.saturating_sub(5)]].concat();
    let one = [&three(certificate.len())[..], &certificate].concat();
    let all = one.repeat(count);
    records(11, &[&three(all.len())[..], &all].concat())
}

fn three(length: usize) -> [u8; 3] {
    let [.., a, b, c] = length.to_be_bytes();
    [a, b, c]
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

/// A handshake message in as many records as it needs.
pub(crate) fn records(kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind][..], &three(body.len()), body].concat();
    message.chunks(1 << 14).flat_map(|part| record(22, part)).collect()
}

pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &with_length(body)].concat()
}

/// A server that answers so.
pub(super) fn start(answer: Answer) -> SocketAddr {
    scripted(move |mut stream| {
        let Ok(hello) = first_record(&mut stream) else { return };
        match answer {
            Once(say) => {
                let _ = stream.write_all(&say(&hello));
                // What the client still sends is read, so that no reset hides the answer.
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
            Each(say) => {
                let mut hello = hello;
                // A client may change its cipher in between.
                while stream.write_all(&say(&hello)).is_ok() {
                    let next = std::iter::from_fn(|| first_record(&mut stream).ok());
                    match { next }.find(|record| record[0] == 22) {
                        Some(next) => hello = next,
                        None => return,
                    }
                }
            }
            Endless(say) => {
                let words = say(&hello);
                while stream.write_all(&words).is_ok() {}
            }
            Then(say, go_on) => {
                let words = go_on();
                let _ = stream.write_all(&say(&hello));
                while stream.write_all(&words).is_ok() {}
            }
        }
    })
}
