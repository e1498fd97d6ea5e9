//! One direction of a connection: what comes before TLS, then its records and messages as far as they travel in the clear.

use std::net::SocketAddr;
use std::sync::Arc;

use super::kept::Keeping;
use super::preface::{self, First};
use super::record_layer::{RecordLayer, SeenRecord};
use super::seen_hello::SeenHello;
use super::stream::{Stream, StreamRun};
use crate::certificate::parse::Fingerprint;
use crate::tls::alert::AlertDescription;
use crate::tls::flight::{MESSAGE_HEADER, split_message};
use crate::tls::group::NamedGroup;
use crate::tls::message::{self, MessageType, ServerHello, ServerKeyExchange};
use crate::tls::record::ContentType;

/// Bytes of plain text before TLS that are passed over.
const MAX_PREFACE: u64 = 1024 * 1024;

/// Bytes of plain text that are kept, to tell what it is.
const KEPT_TEXT: usize = 512;

/// Encrypted records of which the sizes are kept.
const MAX_SEALED: usize = 12;

/// Alerts that are kept.
const MAX_ALERTS: usize = 8;

/// When something came, and what its sender had received by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureMoment {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The place behind it in its own direction.
    pub end: u64,
    /// The place in the other direction up to which its sender had received all.
    pub received: u64,
}

/// An encrypted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// Bytes that it carries.
    pub length: usize,
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

/// What a direction showed of TLS.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one message whether it was there")]
pub struct ShownTls {
    /// When its first record ended.
    pub began: Option<i64>,
    /// Its hellos as a client: two where the server asked for another.
    pub hellos: Vec<Arc<SeenHello>>,
    /// The body of the first of them as it came, if it is to be kept.
    pub first_hello: Option<Box<[u8]>>,
    /// Whether a hello came that cannot be read.
    pub hello_unreadable: bool,
    /// Its answers as a server: a request for another hello, then the choice.
    pub answers: Vec<ServerHello>,
    /// When the last of these came.
    pub answered: CaptureMoment,
    /// SHA-256 of its certificates, as far as they travel in the clear.
    pub certificates: Option<Vec<Fingerprint>>,
    /// Whether it asks for a client certificate.
    pub asks_certificate: bool,
    /// The group of its ephemeral key, as a server up to TLS 1.2.
    pub group: Option<NamedGroup>,
    /// Whether it proved to have its certificate's key, as a client.
    pub proved: bool,
    /// The first flight's end, as a server up to TLS 1.2.
    pub done: bool,
    /// Alerts in the clear.
    pub alerts: Vec<PlainAlert>,
    /// Whether keys changed.
    pub changed_keys: bool,
    /// Encrypted handshake messages of TLS 1.2 and older.
    pub finished: u32,
    /// Encrypted alerts of TLS 1.2 and older.
    pub sealed_alerts: u32,
    /// The first records that TLS 1.3 encrypts, or that carry application data, then the first of each flight.
    pub sealed: Vec<SealedRecord>,
    /// All of them.
    pub sealed_count: u64,
    /// Whether some of its messages could not be read.
    pub unread: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The first bytes, which do not tell yet what they are.
    Opening(Vec<u8>),
    /// A hello in the form of SSLv2 of that many bytes.
    Ssl2(Vec<u8>, usize),
    /// Plain text, after which TLS may come: that many bytes so far.
    Plain(u64),
    /// TLS.
    Tls,
    /// No TLS is to be expected any more.
    Foreign,
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub struct Half {
    /// Its bytes in order.
    pub stream: Stream,
    /// What it showed.
    pub shown: ShownTls,
    /// The sequence number of its SYN.
    pub syn: Option<u32>,
    /// Packets of it.
    pub packets: u64,
    /// How it ended.
    pub end: Option<HalfEnd>,
    /// The place in the other direction up to which it received all.
    pub received: u64,
    /// The beginning of its plain text.
    pub text: Vec<u8>,
    /// Whether its plain text is a request of HTTP.
    pub is_http: bool,
    /// The client that a PROXY header names, and whether there was one.
    pub proxied: Option<Option<SocketAddr>>,
    keeps_hello: bool,
    phase: Phase,
    records: RecordLayer,
    handshake: Vec<u8>,
    alert: Vec<u8>,
}

impl Default for Half {
    fn default() -> Self {
        Self {
            stream: Stream::default(),
            shown: ShownTls::default(),
            syn: None,
            packets: 0,
            end: None,
            received: 0,
            text: Vec::new(),
            is_http: false,
            proxied: None,
            keeps_hello: false,
            phase: Phase::Opening(Vec::new()),
            records: RecordLayer::default(),
            handshake: Vec::new(),
            alert: Vec::new(),
        }
    }
}

impl Half {
    /// Before its first byte.
    pub fn new(keeping: Keeping) -> Self {
        Self { keeps_hello: keeping.hellos, ..Self::default() }
    }

    /// Takes the next run of the stream.
    pub fn feed(&mut self, span: StreamRun<'_>, at: CaptureMoment) {
        match (&mut self.phase, span) {
            (Phase::Opening(_), StreamRun::Bytes(bytes)) => self.opening(bytes, at),
            (Phase::Ssl2(_, _), StreamRun::Bytes(bytes)) => self.ssl2(bytes, at),
            (Phase::Plain(_), StreamRun::Bytes(bytes)) => self.plain(bytes, at),
            (Phase::Plain(passed), StreamRun::Missing(count)) => *passed += count,
            (Phase::Opening(start), StreamRun::Missing(count)) => {
                let start = std::mem::take(start);
                self.cut_opening(&start, count, at);
            }
            (Phase::Ssl2(..), StreamRun::Missing(_)) => {
                self.shown.unread = true;
                self.phase = Phase::Foreign;
            }
            (Phase::Tls, span) => self.tls(span, at),
            (Phase::Foreign, _) => {}
        }
    }

    /// Whether TLS has begun on it.
    pub fn is_tls(&self) -> bool {
        matches!(self.phase, Phase::Tls | Phase::Ssl2(..))
    }

    /// Whether it began with something else than TLS.
    pub fn is_plain(&self) -> bool {
        matches!(self.phase, Phase::Plain(_) | Phase::Foreign)
    }

    /// Whether what came after the beginning is no TLS.
    pub fn is_broken(&self) -> bool {
        self.records.broken
    }

    /// Whether records can no longer be told apart.
    pub fn is_lost(&self) -> bool {
        self.records.lost
    }

    /// Whether it encrypted something after it had received something encrypted.
    pub fn answers(&self, peer: &Self) -> bool {
        let (first, last) = (peer.shown.sealed.first(), self.shown.sealed.last());
        first.zip(last).is_some_and(|(first, last)| last.at.received >= first.at.end)
    }

    /// Lets go of what is only needed to read on.
    pub fn release(&mut self) {
        self.stream.flush(|_, _| {});
        (self.handshake, self.alert) = (Vec::new(), Vec::new());
        self.records = RecordLayer::default();
        self.phase = Phase::Foreign;
    }

    fn opening(&mut self, bytes: &[u8], at: CaptureMoment) {
        let Phase::Opening(start) = &mut self.phase else { return };
        start.extend_from_slice(bytes);
        let start = std::mem::take(start);
        match preface::first(&start) {
            First::Unclear if start.len() < preface::MAX_PROXY_HEADER => {
                self.phase = Phase::Opening(start);
            }
            First::Tls => self.begin_tls(&start, at),
            First::Ssl2(length) => {
                self.phase = Phase::Ssl2(Vec::new(), length);
                self.ssl2(&start, at);
            }
            First::Proxy(length, client) if self.proxied.is_none() => {
                self.proxied = Some(client);
                self.phase = Phase::Opening(Vec::new());
                if let Some(rest) = start.get(length..).filter(|rest| !rest.is_empty()) {
                    self.opening(rest, at);
                }
            }
            first => {
                self.is_http = first == First::Http;
                self.phase = Phase::Plain(0);
                self.plain(&start, at);
            }
        }
    }

    /// The first packet was cut: what was kept of it may still tell that it is TLS.
    fn cut_opening(&mut self, start: &[u8], count: u64, at: CaptureMoment) {
        if preface::starts_tls(start) {
            self.begin_tls(start, at);
            self.tls(StreamRun::Missing(count), at);
        } else {
            self.shown.unread = true;
            self.phase = Phase::Plain(count);
        }
    }

    fn begin_tls(&mut self, bytes: &[u8], at: CaptureMoment) {
        self.phase = Phase::Tls;
        self.tls(StreamRun::Bytes(bytes), at);
    }

    /// After a dialogue, TLS begins with a segment of its own.
    fn plain(&mut self, bytes: &[u8], at: CaptureMoment) {
        let Phase::Plain(passed) = &mut self.phase else { return };
        if *passed > 0 && preface::starts_tls(bytes) {
            self.begin_tls(bytes, at);
            return;
        }
        *passed += bytes.len() as u64;
        let overlong = *passed > MAX_PREFACE;
        let room = KEPT_TEXT.saturating_sub(self.text.len());
        self.text.extend(bytes.iter().take(room));
        // A client of MySQL does not wait for an answer before its hello, so that one packet may hold both.
        let hello = preface::find_hello(bytes).filter(|_| !self.is_http);
        if let Some(hello) = hello.and_then(|at| bytes.get(at..)) {
            self.begin_tls(hello, at);
        } else if overlong {
            self.phase = Phase::Foreign;
        }
    }

    fn ssl2(&mut self, bytes: &[u8], at: CaptureMoment) {
        let Phase::Ssl2(message, length) = &mut self.phase else { return };
        let length = *length;
        message.extend_from_slice(bytes);
        if message.len() < length {
            return;
        }
        let (whole, rest) = message.split_at(length);
        match SeenHello::parse_ssl2(whole.get(2..).unwrap_or_default()) {
            Ok(hello) => self.shown.hellos.push(Arc::new(hello)),
            Err(_) => self.shown.hello_unreadable = true,
        }
        self.shown.began.get_or_insert(at.time);
        let rest = rest.to_vec();
        self.phase = Phase::Tls;
        if !rest.is_empty() {
            self.tls(StreamRun::Bytes(&rest), at);
        }
    }

    fn tls(&mut self, span: StreamRun<'_>, at: CaptureMoment) {
        let mut records = std::mem::take(&mut self.records);
        records.feed(span, |record| self.record(record, at));
        self.shown.unread |= records.lost;
        self.records = records;
    }

    fn record(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        self.shown.began.get_or_insert(at.time);
        let sealed = SealedRecord { length: record.length, at };
        match record.content {
            ContentType::CHANGE_CIPHER_SPEC => self.shown.changed_keys = true,
            ContentType::HANDSHAKE if self.is_sealed(record) => self.shown.finished += 1,
            ContentType::HANDSHAKE => self.messages(record, at),
            // Two bytes are too few for anything encrypted.
            ContentType::ALERT if record.length > 2 => {
                self.shown.sealed_alerts = self.shown.sealed_alerts.saturating_add(1);
            }
            ContentType::ALERT => self.alert(record, at),
            ContentType::APPLICATION_DATA => {
                self.shown.sealed_count += 1;
                let kept = &mut self.shown.sealed;
                // A flight may have very many records; the first of the next one tells how it was taken.
                let next = kept.last().is_some_and(|last| last.at.received < at.received);
                if kept.len() < MAX_SEALED || next && kept.len() < 2 * MAX_SEALED {
                    kept.push(sealed);
                }
            }
            _ => {}
        }
    }

    /// Keys changed, and it is no second hello of TLS 1.3, which a changed key of show may precede.
    fn is_sealed(&self, record: SeenRecord<'_>) -> bool {
        let second_hello = match record.body {
            Some([1 | 2, 0, high, low, ..]) => {
                usize::from(u16::from_be_bytes([*high, *low])) + 4 == record.length
            }
            _ => false,
        };
        self.shown.changed_keys && !second_hello
    }

    fn alert(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        let Some(body) = record.body else {
            self.shown.unread = true;
            return;
        };
        self.alert.extend_from_slice(body);
        let [level, description, ..] = self.alert[..] else { return };
        self.alert.clear();
        if self.shown.alerts.len() < MAX_ALERTS {
            let description = AlertDescription(description);
            let fatal = level != 1;
            self.shown.alerts.push(PlainAlert { fatal, description, at });
        }
    }

    fn messages(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        let Some(body) = record.body else {
            self.shown.unread = true;
            self.handshake.clear();
            return;
        };
        self.handshake.extend_from_slice(body);
        let mut bytes = std::mem::take(&mut self.handshake);
        let mut read = 0;
        loop {
            match split_message(bytes.get(read..).unwrap_or_default()) {
                Ok(Some((kind, body))) => {
                    self.message(kind, body, record.version, at);
                    read += MESSAGE_HEADER + body.len();
                }
                Ok(None) => break,
                Err(_) => {
                    self.shown.unread = true;
                    return;
                }
            }
        }
        // Very many connections may be open, and nearly all of them wait for nothing.
        self.handshake = if read == bytes.len() {
            Vec::new()
        } else {
            bytes.drain(..read);
            bytes
        };
    }

    fn message(&mut self, kind: MessageType, body: &[u8], record_version: u16, at: CaptureMoment) {
        let shown = &mut self.shown;
        match kind {
            MessageType::CLIENT_HELLO if shown.hellos.len() < 2 => match SeenHello::parse(body) {
                Ok(hello) => {
                    if self.keeps_hello && shown.hellos.is_empty() {
                        shown.first_hello = Some(body.into());
                    }
                    // There is rarely a second one, and very many connections may be open.
                    shown.hellos.reserve_exact(1);
                    shown.hellos.push(Arc::new(SeenHello { record_version, ..hello }));
                }
                Err(_) => shown.hello_unreadable = true,
            },
            MessageType::SERVER_HELLO if shown.answers.len() < 2 => {
                match ServerHello::parse(body) {
                    Ok(answer) => {
                        shown.answers.reserve_exact(1);
                        shown.answers.push(answer);
                        shown.answered = at;
                    }
                    Err(_) => shown.unread = true,
                }
            }
            MessageType::CERTIFICATE => match message::certificates(body) {
                Ok(chain) => {
                    let chain = chain.iter().map(|der| Fingerprint::of(der));
                    shown.certificates = Some(chain.collect());
                }
                Err(_) => shown.unread = true,
            },
            MessageType::SERVER_KEY_EXCHANGE => {
                let answer = shown.answers.last();
                let key = answer.and_then(|answer| ServerKeyExchange::parse(body, answer).ok());
                shown.group = key.and_then(|key| key.parameters.group());
            }
            MessageType::CERTIFICATE_REQUEST => shown.asks_certificate = true,
            MessageType::SERVER_HELLO_DONE => shown.done = true,
            MessageType::CERTIFICATE_VERIFY => shown.proved = true,
            _ => {}
        }
    }
}
