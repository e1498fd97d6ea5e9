//! One direction of a connection: what comes before TLS, then its records and messages as far as they travel in the clear.

use std::net::SocketAddr;

use super::kept::Keeping;
use super::keylog::{Agreement, ClientRandom, Opener};
use super::preface::{self, First};
use super::record_layer::{RecordLayer, SeenRecord};
use super::shown::{CaptureMoment, HalfEnd, OPENED, PlainAlert, ShownTls};
use super::stream::{Stream, StreamRun};
use super::turns::RequestTurns;
use crate::tls::alert::AlertDescription;
use crate::tls::flight::{MESSAGE_HEADER, split_message};
use crate::tls::message::MessageType;
use crate::tls::record::ContentType;

/// Bytes of plain text before TLS that are passed over.
const MAX_PREFACE: u64 = 1024 * 1024;

/// Bytes of plain text that are kept, to tell what it is.
const KEPT_TEXT: usize = 512;

/// Alerts that are kept.
const MAX_ALERTS: usize = 8;

/// How far a direction is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The first bytes, which do not tell yet what they are.
    #[default]
    Opening,
    /// A hello in the form of SSLv2 of that many bytes.
    Ssl2(u16),
    /// Plain text, after which TLS may come.
    Plain,
    /// TLS.
    Tls,
    /// No TLS is to be expected any more.
    Foreign,
}

/// What most directions of most connections do not have, or not for long.
#[derive(Debug, Default)]
struct HalfRarities {
    end: Option<HalfEnd>,
    alerts: Vec<PlainAlert>,
    text: Vec<u8>,
    /// Bytes of plain text so far.
    passed: u64,
    is_http: bool,
    has_proxy_header: bool,
    proxied: Option<SocketAddr>,
    first_hello: Option<Box<[u8]>>,
    /// The random of a client's first hello, until keys were looked for.
    client_random: Option<ClientRandom>,
    /// What opens its encrypted records.
    opener: Option<Opener>,
    turns: RequestTurns,
}

/// What has begun and is not whole.
#[derive(Clone, Debug, Default)]
struct UnreadRest {
    /// First bytes that do not tell yet what they are, or a hello in the form of SSLv2.
    opening: Vec<u8>,
    handshake: Vec<u8>,
    alert: Vec<u8>,
}

/// One direction of a connection. Very many may be kept at once.
#[derive(Debug, Default)]
pub struct Half {
    /// Its bytes in order.
    pub stream: Stream,
    /// What it showed.
    pub shown: ShownTls,
    /// The sequence number of its SYN.
    pub syn: Option<u32>,
    /// Packets of it.
    pub packets: u32,
    /// The place in the other direction up to which it received all.
    pub received: u32,
    keeping: Keeping,
    phase: Phase,
    records: RecordLayer,
    rest: Option<Box<UnreadRest>>,
    rarities: Option<Box<HalfRarities>>,
}

impl Half {
    /// Before its first byte.
    pub fn new(keeping: Keeping) -> Self {
        Self { keeping, ..Self::default() }
    }

    /// Takes the next run of the stream.
    pub fn feed(&mut self, span: StreamRun<'_>, at: CaptureMoment) {
        match (self.phase, span) {
            (Phase::Opening, StreamRun::Bytes(bytes)) => self.opening(bytes, at),
            (Phase::Ssl2(length), StreamRun::Bytes(bytes)) => self.ssl2(length, bytes, at),
            (Phase::Plain, StreamRun::Bytes(bytes)) => self.plain(bytes, at),
            (Phase::Plain, StreamRun::Missing(count)) => self.rare().passed += count,
            (Phase::Opening, StreamRun::Missing(count)) => self.cut_opening(count, at),
            (Phase::Ssl2(_), StreamRun::Missing(_)) => {
                self.shown.unread = true;
                self.phase = Phase::Foreign;
            }
            (Phase::Tls, span) => self.tls(span, at),
            (Phase::Foreign, _) => {}
        }
    }

    /// Whether TLS has begun on it.
    pub fn is_tls(&self) -> bool {
        matches!(self.phase, Phase::Tls | Phase::Ssl2(_))
    }

    /// Whether it began with something else than TLS.
    pub fn is_plain(&self) -> bool {
        matches!(self.phase, Phase::Plain | Phase::Foreign)
    }

    /// Whether what came after the beginning is no TLS.
    pub fn is_broken(&self) -> bool {
        self.records.broken
    }

    /// Whether records can no longer be told apart.
    pub fn is_lost(&self) -> bool {
        self.records.lost
    }

    /// How it ended.
    pub fn end(&self) -> Option<HalfEnd> {
        self.rarities.as_ref().and_then(|rare| rare.end)
    }

    /// Alerts in the clear.
    pub fn alerts(&self) -> &[PlainAlert] {
        self.rarities.as_ref().map_or(&[], |rare| &rare.alerts)
    }

    /// The beginning of its plain text.
    pub fn text(&self) -> &[u8] {
        self.rarities.as_ref().map_or(&[], |rare| &rare.text)
    }

    /// Whether its plain text is a request of HTTP.
    pub fn is_http(&self) -> bool {
        self.rarities.as_ref().is_some_and(|rare| rare.is_http)
    }

    /// Whether a PROXY header came first.
    pub fn has_proxy_header(&self) -> bool {
        self.rarities.as_ref().is_some_and(|rare| rare.has_proxy_header)
    }

    /// The client that a PROXY header names.
    pub fn proxied(&self) -> Option<SocketAddr> {
        self.rarities.as_ref().and_then(|rare| rare.proxied)
    }

    /// The body of its first hello as it came, if it is to be kept.
    pub fn first_hello(&self) -> Option<&[u8]> {
        self.rarities.as_ref().and_then(|rare| rare.first_hello.as_deref())
    }

    /// The requests that it makes as a client, if they are kept.
    pub fn turns(&self) -> Option<&RequestTurns> {
        self.rarities.as_ref().map(|rare| &rare.turns)
    }

    /// It said something as a client, or it was answered.
    pub fn turn(&mut self, was_answered: bool, time: i64) {
        if !self.keeping.turns {
            return;
        }
        let turns = &mut self.rare().turns;
        if was_answered {
            turns.answer(time);
        } else {
            turns.ask(time);
        }
    }

    /// What opens its encrypted records.
    pub fn opener(&self) -> Option<&Opener> {
        self.rarities.as_ref().and_then(|rare| rare.opener.as_ref())
    }

    /// The random of its first hello as a client, once.
    pub fn take_client_random(&mut self) -> Option<ClientRandom> {
        self.rarities.as_mut().and_then(|rare| rare.client_random.take())
    }

    /// From here on its encrypted records are opened with these keys.
    pub fn give(&mut self, opener: Opener) {
        self.rare().opener = Some(opener);
        self.records.opens_data = true;
    }

    /// Whether it encrypted something after it had received something encrypted.
    pub fn answers(&self, peer: &Self) -> bool {
        let (first, last) = (peer.shown.sealed.first(), self.shown.sealed.last());
        first.zip(last).is_some_and(|(first, last)| last.at.received >= first.at.end)
    }

    /// Bytes that are kept to read on.
    pub fn held(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| {
            rest.opening.capacity() + rest.handshake.capacity() + rest.alert.capacity()
        });
        let waiting = self.opener().map_or(0, Opener::held);
        self.stream.held() + self.records.held() + rest + waiting
    }

    /// It ended here.
    pub fn end_at(&mut self, end: HalfEnd) {
        self.rare().end.get_or_insert(end);
    }

    /// Lets go of what is only needed to read on.
    pub fn release(&mut self) {
        self.stream.flush(|_, _| {});
        self.rest = None;
        self.records = RecordLayer::default();
        if let Some(rare) = &mut self.rarities {
            rare.opener = None;
        }
        self.phase = Phase::Foreign;
    }

    fn rare(&mut self) -> &mut HalfRarities {
        self.rarities.get_or_insert_default()
    }

    /// What had begun, which is to be read now.
    fn take_opening(&mut self) -> Vec<u8> {
        self.rest.take().map(|rest| rest.opening).unwrap_or_default()
    }

    fn opening(&mut self, bytes: &[u8], at: CaptureMoment) {
        if self.rest.is_none() {
            self.open(bytes, at);
            return;
        }
        let mut start = self.take_opening();
        start.extend_from_slice(bytes);
        self.open(&start, at);
    }

    fn open(&mut self, start: &[u8], at: CaptureMoment) {
        match preface::first(start) {
            First::Unclear if start.len() < preface::MAX_PROXY_HEADER => {
                self.rest.get_or_insert_default().opening = start.to_vec();
            }
            First::Tls => self.begin_tls(start, at),
            First::Ssl2(length) => {
                self.phase = Phase::Ssl2(length);
                self.ssl2(length, start, at);
            }
            First::Proxy(length, client) if !self.has_proxy_header() => {
                let rare = self.rare();
                (rare.has_proxy_header, rare.proxied) = (true, client);
                if let Some(rest) = start.get(length..).filter(|rest| !rest.is_empty()) {
                    self.open(rest, at);
                }
            }
            first => {
                self.rare().is_http = first == First::Http;
                self.phase = Phase::Plain;
                self.plain(start, at);
            }
        }
    }

    /// The first packet was cut: what was kept of it may still tell that it is TLS.
    fn cut_opening(&mut self, count: u64, at: CaptureMoment) {
        let start = self.take_opening();
        if preface::starts_tls(&start) {
            self.begin_tls(&start, at);
            self.tls(StreamRun::Missing(count), at);
        } else {
            self.shown.unread = true;
            self.phase = Phase::Plain;
            self.rare().passed = count;
        }
    }

    fn begin_tls(&mut self, bytes: &[u8], at: CaptureMoment) {
        self.phase = Phase::Tls;
        self.tls(StreamRun::Bytes(bytes), at);
    }

    /// After a dialogue, TLS begins with a segment of its own.
    fn plain(&mut self, bytes: &[u8], at: CaptureMoment) {
        let rare = self.rare();
        if rare.passed > 0 && preface::starts_tls(bytes) {
            self.begin_tls(bytes, at);
            return;
        }
        rare.passed += bytes.len() as u64;
        let overlong = rare.passed > MAX_PREFACE;
        let room = KEPT_TEXT.saturating_sub(rare.text.len());
        rare.text.extend(bytes.iter().take(room));
        // A client of MySQL does not wait for an answer before its hello, so that one packet may hold both.
        let hello = preface::find_hello(bytes).filter(|_| !rare.is_http);
        if let Some(hello) = hello.and_then(|at| bytes.get(at..)) {
            self.begin_tls(hello, at);
        } else if overlong {
            self.phase = Phase::Foreign;
        }
    }

    fn ssl2(&mut self, length: u16, bytes: &[u8], at: CaptureMoment) {
        let mut message = self.take_opening();
        message.extend_from_slice(bytes);
        let Some((whole, rest)) = message.split_at_checked(length.into()) else {
            self.rest.get_or_insert_default().opening = message;
            return;
        };
        self.shown.ssl2(whole.get(2..).unwrap_or_default());
        self.shown.begin(at.time);
        self.phase = Phase::Tls;
        if !rest.is_empty() {
            self.tls(StreamRun::Bytes(rest), at);
        }
    }

    fn tls(&mut self, span: StreamRun<'_>, at: CaptureMoment) {
        let mut records = std::mem::take(&mut self.records);
        records.feed(span, |record| self.record(record, at));
        records.opens_data = self.opener().is_some_and(Opener::wants_more);
        self.shown.unread |= records.lost;
        self.records = records;
    }

    fn record(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        let shown = &mut self.shown;
        shown.begin(at.time);
        match record.content {
            ContentType::CHANGE_CIPHER_SPEC => shown.changed_keys = true,
            ContentType::HANDSHAKE if is_sealed(record, shown.changed_keys) => {
                shown.finished = shown.finished.saturating_add(1);
                self.unseal(record, at);
            }
            ContentType::HANDSHAKE => self.part(record.body, record.version, at),
            // Two bytes are too few for anything encrypted.
            ContentType::ALERT if record.length > 2 => {
                shown.sealed_alerts = shown.sealed_alerts.saturating_add(1);
                self.unseal(record, at);
            }
            ContentType::ALERT => self.alert(record, at),
            ContentType::APPLICATION_DATA => {
                shown.seal(record, at);
                self.unseal(record, at);
            }
            _ => {}
        }
    }

    fn alert(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        let Some(body) = record.body else {
            self.shown.unread = true;
            return;
        };
        let rest = self.rest.get_or_insert_default();
        rest.alert.extend_from_slice(body);
        let [level, description, ..] = rest.alert[..] else { return };
        rest.alert = Vec::new();
        self.tidy();
        let alerts = &mut self.rare().alerts;
        if alerts.len() < MAX_ALERTS {
            let description = AlertDescription(description);
            alerts.push(PlainAlert { fatal: level != 1, description, at });
        }
    }

    /// Takes the next run of a handshake that travels without records, as in QUIC.
    pub fn bare(&mut self, span: StreamRun<'_>, at: CaptureMoment) {
        self.shown.begin(at.time);
        match span {
            StreamRun::Bytes(bytes) => self.part(Some(bytes), 0, at),
            StreamRun::Missing(_) => self.part(None, 0, at),
        }
    }

    /// Takes the next part of the handshake, if it was captured.
    fn part(&mut self, body: Option<&[u8]>, version: u16, at: CaptureMoment) {
        let begun = self.rest.as_mut().map(|rest| std::mem::take(&mut rest.handshake));
        let Some(body) = body else {
            self.shown.unread = true;
            self.tidy();
            return;
        };
        let left = match begun.filter(|begun| !begun.is_empty()) {
            None => self.messages(body, version, at).to_vec(),
            Some(mut bytes) => {
                bytes.extend_from_slice(body);
                self.messages(&bytes, version, at).to_vec()
            }
        };
        if !left.is_empty() {
            self.rest.get_or_insert_default().handshake = left;
        }
        self.tidy();
    }

    /// Takes the whole messages; the beginning of the next one is what is left.
    fn messages<'a>(&mut self, mut bytes: &'a [u8], version: u16, at: CaptureMoment) -> &'a [u8] {
        loop {
            match split_message(bytes) {
                Ok(Some((kind, body))) => {
                    let had_hello = self.shown.clear().hello.is_some();
                    self.shown.message(kind, body, version, at);
                    if !had_hello && self.shown.clear().hello.is_some() {
                        self.keep_hello(body);
                    }
                    if kind == MessageType::SERVER_HELLO {
                        self.agree_with(body);
                    }
                    bytes = bytes.get(MESSAGE_HEADER + body.len()..).unwrap_or_default();
                }
                Ok(None) => return bytes,
                Err(_) => {
                    self.shown.unread = true;
                    return &[];
                }
            }
        }
    }

    fn keep_hello(&mut self, body: &[u8]) {
        if self.keeping.hellos {
            self.rare().first_hello = Some(body.into());
        }
        if self.keeping.randoms {
            self.rare().client_random = random(body);
        }
    }

    /// The server's hello tells which keys follow.
    fn agree_with(&mut self, hello: &[u8]) {
        let answer = self.shown.clear().answer.as_ref();
        let agreed = answer.map(|answer| (answer.version, answer.cipher_suite));
        if let Some(((version, suite), random)) = agreed.zip(random(hello)) {
            self.agree(Agreement { version, suite, random });
        }
    }

    /// Takes what client and server agreed on, and opens what waited for it.
    pub fn agree(&mut self, agreement: Agreement) {
        let opener = self.rarities.as_mut().and_then(|rare| rare.opener.as_mut());
        let Some(opener) = opener else { return };
        for waiting in opener.agree(agreement) {
            self.unseal(waiting.record(), waiting.at);
        }
    }

    /// Opens an encrypted record, if there are keys for it.
    fn unseal(&mut self, record: SeenRecord<'_>, at: CaptureMoment) {
        let opener = self.rarities.as_mut().and_then(|rare| rare.opener.as_mut());
        let Some((content, body)) = opener.and_then(|opener| opener.open(record, at)) else {
            return;
        };
        let opened = self.shown.opened.get_or_insert_default();
        let (had_finished, updates) = (opened.finished.is_some(), opened.updates);
        match content {
            ContentType::ALERT => opened.alert(&body, at),
            ContentType::APPLICATION_DATA => opened.last_sent = Some(at),
            // What TLS 1.2 encrypts of a handshake is its end.
            ContentType::HANDSHAKE if record.content == ContentType::HANDSHAKE => {
                opened.finished.get_or_insert(at);
                return;
            }
            ContentType::HANDSHAKE => self.part(Some(&body), OPENED, at),
            _ => {}
        }
        let opened = self.shown.opened.get_or_insert_default();
        let (has_finished, updated) = (opened.finished.is_some(), opened.updates > updates);
        let opener = self.rarities.as_mut().and_then(|rare| rare.opener.as_mut());
        let Some(opener) = opener else { return };
        if has_finished && !had_finished {
            opener.finish();
        }
        if updated {
            opener.update();
        }
    }

    /// Very many connections may be open, and nearly all of them wait for nothing.
    fn tidy(&mut self) {
        let empty = |rest: &UnreadRest| {
            rest.opening.is_empty() && rest.handshake.is_empty() && rest.alert.is_empty()
        };
        if self.rest.as_deref().is_some_and(empty) {
            self.rest = None;
        }
    }
}

/// The random in the body of a hello of either side.
fn random(hello: &[u8]) -> Option<[u8; 32]> {
    hello.get(2..)?.first_chunk().copied()
}

/// Keys changed, and it is no second hello of TLS 1.3, which a changed key of show may precede.
fn is_sealed(record: SeenRecord<'_>, changed_keys: bool) -> bool {
    let second_hello = match record.body {
        Some([1 | 2, 0, high, low, ..]) => {
            usize::from(u16::from_be_bytes([*high, *low])) + 4 == usize::from(record.length)
        }
        _ => false,
    };
    changed_keys && !second_hello
}
