//! What one direction of a connection shows of TLS.

use std::num::NonZero;
use std::sync::Arc;

pub use super::moment::CaptureMoment;
use super::opened::OpenedTls;
use super::record_layer::SeenRecord;
use super::seen_answer::SeenAnswer;
use super::seen_hello::SeenHello;
use crate::certificate::parse::Fingerprint;
use crate::tls::alert::AlertDescription;
use crate::tls::codec::DecodeError;
use crate::tls::group::NamedGroup;
use crate::tls::message::{self, CertificateRequest, MessageType, ServerKeyExchange};
use crate::tls::version::ProtocolVersion;

/// Encrypted records of which the sizes are kept.
const MAX_SEALED: usize = 12;

/// A place in a direction, as it is kept: no handshake goes on after 4 GB.
pub fn place(place: u64) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// An encrypted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// Bytes that it carries.
    pub length: u16,
    /// When it came.
    pub at: CaptureMoment,
}

/// An alert in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainAlert {
    /// Whether it ends the connection.
    pub fatal: bool,
    /// What it says.
    pub description: AlertDescription,
    /// When it came.
    pub at: CaptureMoment,
}

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfEnd {
    /// Whether the connection was broken off.
    pub reset: bool,
    /// Where; negative only where packets contradict each other.
    pub place: i64,
    /// When it came.
    pub at: CaptureMoment,
}

/// The messages of a direction that travel in the clear. Very many connections say the same, which is kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one message whether it was there")]
pub struct ClearTls {
    /// Its first hello as a client.
    pub hello: Option<Arc<SeenHello>>,
    /// How many hellos there were: two where the server asked for another.
    pub hello_count: u8,
    /// Whether a hello came that cannot be read.
    pub hello_unreadable: bool,
    /// Its request for another hello, as a server.
    pub retry: Option<SeenAnswer>,
    /// Its choice, as a server.
    pub answer: Option<SeenAnswer>,
    /// SHA-256 of its certificates.
    pub certificates: Option<Vec<Fingerprint>>,
    /// The certificates themselves, until they are kept elsewhere.
    pub ders: Vec<Vec<u8>>,
    /// Whether it asks for a client certificate.
    pub asks_certificate: bool,
    /// The names of the authorities that it then accepts, each in DER; none means any.
    pub authorities: Option<Arc<[Vec<u8>]>>,
    /// The group of its ephemeral key, as a server up to TLS 1.2.
    pub group: Option<NamedGroup>,
    /// Whether it proved to have its certificate's key, as a client.
    pub proved: bool,
    /// The first flight's end, as a server up to TLS 1.2.
    pub done: bool,
}

static NOTHING: ClearTls = ClearTls {
    hello: None,
    hello_count: 0,
    hello_unreadable: false,
    retry: None,
    answer: None,
    certificates: None,
    ders: Vec::new(),
    asks_certificate: false,
    authorities: None,
    group: None,
    proved: false,
    done: false,
};

impl ClearTls {
    /// Whether a hello came, readable or not.
    pub fn has_hello(&self) -> bool {
        self.hello.is_some() || self.hello_unreadable
    }

    /// Whether it answered a hello.
    pub fn has_answered(&self) -> bool {
        self.retry.is_some() || self.answer.is_some()
    }

    fn take_hello(&mut self, hello: Result<SeenHello, DecodeError>) {
        match hello {
            Ok(hello) => {
                self.hello.get_or_insert_with(|| Arc::new(hello));
                self.hello_count = self.hello_count.saturating_add(1);
            }
            Err(_) => self.hello_unreadable = true,
        }
    }

    /// Takes an answer; whether it can be read.
    fn take_answer(&mut self, body: &[u8]) -> bool {
        let Ok(answer) = SeenAnswer::parse(body) else { return false };
        let known = if answer.hello_retry { &mut self.retry } else { &mut self.answer };
        *known = Some(answer);
        true
    }

    /// Takes a chain; whether it can be read.
    fn take_chain(&mut self, body: &[u8], is_opened: bool) -> bool {
        let chain =
            if is_opened { message::certificates_tls13(body) } else { message::certificates(body) };
        let Ok(chain) = chain else { return false };
        self.certificates = Some(chain.iter().map(|der| Fingerprint::of(der)).collect());
        self.ders = chain;
        true
    }

    /// Takes a wish for a client certificate; whether it can be read.
    fn take_wish(&mut self, body: &[u8], is_opened: bool) -> bool {
        self.asks_certificate = true;
        let version = self.answer.as_ref().map_or(ProtocolVersion::TLS1_2, |it| it.version);
        let authorities = if is_opened {
            message::authorities_tls13(body)
        } else {
            CertificateRequest::parse(body, version).map(|request| request.authorities)
        };
        let is_readable = authorities.is_ok();
        self.authorities = authorities.ok().filter(|names| !names.is_empty()).map(Into::into);
        is_readable
    }

    /// Takes what TLS 1.3 says behind the server's hello; whether it can be read.
    fn take_extensions(&mut self, body: &[u8]) -> bool {
        let Ok(alpn) = message::encrypted_alpn(body) else { return false };
        if let Some(answer) = &mut self.answer {
            answer.alpn = alpn;
        }
        true
    }

    fn take_key(&mut self, body: &[u8]) {
        let answer = self.answer.as_ref().or(self.retry.as_ref());
        let key = answer.and_then(|answer| {
            ServerKeyExchange::parse(body, answer.version, answer.cipher_suite).ok()
        });
        self.group = key.and_then(|key| key.parameters.group());
    }
}

/// What a direction showed of TLS. Very many may be kept at once.
#[derive(Clone, Debug, Default)]
pub struct ShownTls {
    /// When its first record ended; an optional number that cannot be zero takes half as much.
    began: Option<NonZero<i64>>,
    clear: Option<Arc<ClearTls>>,
    /// The first records that TLS 1.3 encrypts, or that carry application data, then the first of each flight. Of a server only
    /// the latter.
    pub sealed: Vec<SealedRecord>,
    /// All of them.
    pub sealed_count: u32,
    /// The place behind the last answer.
    pub answered: u32,
    /// Encrypted handshake messages of TLS 1.2 and older.
    pub finished: u16,
    /// Encrypted alerts of TLS 1.2 and older.
    pub sealed_alerts: u16,
    /// Whether keys changed.
    pub changed_keys: bool,
    /// Whether some of its messages could not be read.
    pub unread: bool,
    /// What was opened with the keys of a key log.
    pub opened: Option<Box<OpenedTls>>,
}

/// The version that stands for records that were opened: no record on the wire has it.
pub(super) const OPENED: u16 = 0x0304;

impl ShownTls {
    /// When its first record ended, in nanoseconds since 1970.
    pub fn began(&self) -> Option<i64> {
        self.began.map(NonZero::get)
    }

    /// A record ended.
    pub(super) fn begin(&mut self, time: i64) {
        self.began = self.began.or(NonZero::new(time.max(1)));
    }

    /// Its messages in the clear.
    pub fn clear(&self) -> &ClearTls {
        self.clear.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to be kept once for all that say the same; `None` where that is done.
    pub fn unshared(&mut self) -> Option<&mut Arc<ClearTls>> {
        self.clear.as_mut().filter(|clear| Arc::strong_count(clear) == 1)
    }

    fn clear_mut(&mut self) -> &mut ClearTls {
        Arc::make_mut(self.clear.get_or_insert_default())
    }

    /// Takes a hello in the form of SSLv2.
    pub(super) fn ssl2(&mut self, message: &[u8]) {
        self.clear_mut().take_hello(SeenHello::parse_ssl2(message));
    }

    /// Takes a record that is encrypted.
    pub(super) fn seal(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        self.sealed_count = self.sealed_count.saturating_add(1);
        // A flight may have very many records; the first of the next one tells how it was taken.
        let next = self.sealed.last().is_none_or(|last| last.at.received < at.received);
        let all = !self.clear().has_answered() && self.sealed.len() < MAX_SEALED;
        if all || next && self.sealed.len() < 2 * MAX_SEALED {
            if self.sealed.is_empty() {
                self.sealed.reserve_exact(1);
            }
            self.sealed.push(SealedRecord { length: record.length, at });
        }
    }

    /// Takes a message in the clear.
    pub(super) fn message(
        &mut self,
        kind: MessageType,
        body: &[u8],
        record_version: u16,
        at: CaptureMoment,
    ) {
        let clear = self.clear();
        let readable = match kind {
            MessageType::CLIENT_HELLO if clear.hello_count < 2 => {
                let hello = SeenHello::parse(body);
                // Only QUIC has no records.
                let is_quic = record_version == 0;
                let hello = hello.map(|hello| SeenHello { record_version, is_quic, ..hello });
                self.clear_mut().take_hello(hello);
                true
            }
            MessageType::SERVER_HELLO if clear.answer.is_none() => {
                let readable = self.clear_mut().take_answer(body);
                if readable {
                    self.answered = at.end;
                }
                readable
            }
            MessageType::CERTIFICATE => self.clear_mut().take_chain(body, record_version == OPENED),
            MessageType::ENCRYPTED_EXTENSIONS if record_version == OPENED => {
                self.clear_mut().take_extensions(body)
            }
            MessageType::SERVER_KEY_EXCHANGE => {
                self.clear_mut().take_key(body);
                true
            }
            MessageType::CERTIFICATE_REQUEST => {
                self.clear_mut().take_wish(body, record_version == OPENED)
            }
            MessageType::SERVER_HELLO_DONE => {
                self.clear_mut().done = true;
                true
            }
            MessageType::CERTIFICATE_VERIFY => {
                self.clear_mut().proved = true;
                true
            }
            _ => true,
        };
        if record_version == OPENED {
            self.opened_message(kind, at);
        }
        self.unread |= !readable;
    }

    fn opened_message(&mut self, kind: MessageType, at: CaptureMoment) {
        let opened = self.opened.get_or_insert_default();
        match kind {
            MessageType::FINISHED => {
                opened.finished.get_or_insert(at);
            }
            MessageType::NEW_SESSION_TICKET => {
                opened.tickets = opened.tickets.saturating_add(1);
                opened.last_sent = Some(at);
            }
            MessageType::KEY_UPDATE => opened.updates = opened.updates.saturating_add(1),
            _ => {}
        }
    }
}
