//! From a connection to the handshake in it, and how that ended.
//!
//! What was sent in the clear counts as seen. What TLS 1.3 encrypts is inferred from the sizes of records, what their senders had
//! received by then, and who ended the connection; and only where nothing is missing. With the keys of a key log it is seen as well.
//! Where bytes are missing, nothing is
//! concluded from what did not come.

use super::exchange::{
    Breakdown, ClientCertificate, Conclusion, Doubt, Exchange, ExchangeAlert, ExchangeEnd,
    ExchangeTransport, HandshakeStage, Party,
};
use super::half::Half;
use super::opened_outcome::{OpenedOutcome, outcome};
use super::preface;
use super::sealed_sizes::SealedSizes;
use super::seen_answer::SeenAnswer;
use super::seen_hello::final_version;
use super::shown::{PlainAlert, SealedRecord, ShownTls};
use super::talk::Talk;
use crate::tls::alert::AlertDescription;
use crate::tls::extension::ExtensionType;
use crate::tls::version::ProtocolVersion;

/// A side that waits this long for the other did not just leave, in nanoseconds.
pub(super) const PATIENCE: i64 = 1_000_000_000;

/// What a connection was, where it shows no handshake.
#[derive(Clone, Debug)]
pub enum NoHandshake {
    /// Nothing was sent on it.
    Silent,
    /// It began before the capture.
    UnderWay,
    /// A request of plain HTTP, which is a failure where the port turns out to be one for TLS.
    PlainHttp(Box<Exchange>),
    /// Something else than TLS.
    Other,
}

/// A connection, seen from its client.
struct View<'a> {
    talk: &'a Talk,
    side: usize,
    client: &'a Half,
    server: &'a Half,
    whole: bool,
}

/// The handshake on a connection that has ended, or of which no more is known.
pub fn conclude(talk: &Talk) -> Result<Exchange, NoHandshake> {
    let side = talk.client();
    let (client, server) = (&talk.halves[side], &talk.halves[1 - side]);
    let whole = talk.is_whole(side) && talk.is_whole(1 - side);
    let view = View { talk, side, client, server, whole };
    if let Some(none) = view.no_handshake() {
        return Err(none);
    }
    let conclusion = view.conclusion();
    Ok(view.exchange(conclusion))
}

impl View<'_> {
    fn no_handshake(&self) -> Option<NoHandshake> {
        let (client, server) = (self.client, self.server);
        let begun = |half: &Half| half.shown.clear().has_hello();
        let answered = server.shown.clear().has_answered();
        if begun(client) || answered || self.refuses_http() {
            return None;
        }
        // A hello that is not whole is one, where it is known to be the beginning.
        if client.is_tls() && client.stream.from_start {
            return None;
        }
        let nothing = |half: &Half| half.stream.end() == 0;
        if nothing(client) && nothing(server) {
            return Some(NoHandshake::Silent);
        }
        if client.is_http()
            && client.stream.from_start
            && !client.is_tls()
            && !self.answers_in_http()
        {
            let failed = Conclusion::Failed(Breakdown::PlainHttp);
            return Some(NoHandshake::PlainHttp(Box::new(self.exchange(failed))));
        }
        if client.stream.from_start || server.stream.from_start {
            return Some(NoHandshake::Other);
        }
        Some(NoHandshake::UnderWay)
    }

    fn answers_in_http(&self) -> bool {
        self.server.text().starts_with(b"HTTP/")
    }

    /// Whether the server refuses a request of plain HTTP because it expects TLS.
    fn refuses_http(&self) -> bool {
        let words: [&[u8]; 3] = [
            b"plain HTTP request was sent to HTTPS port",
            b"plain HTTP to an SSL-enabled",
            b"HTTP request to an HTTPS server",
        ];
        let says = |words: &[u8]| self.server.text().windows(words.len()).any(|part| part == words);
        self.client.is_http() && (self.server.is_tls() || words.into_iter().any(says))
    }

    fn answer(&self) -> Option<&SeenAnswer> {
        self.server.shown.clear().answer.as_ref()
    }

    fn retry(&self) -> Option<&SeenAnswer> {
        self.server.shown.clear().retry.as_ref()
    }

    fn version(&self) -> Option<ProtocolVersion> {
        if let Some(answer) = self.answer().or(self.retry()) {
            return Some(answer.version);
        }
        // Only TLS 1.3 sends application data where older versions send encrypted messages of the handshake.
        let hello = self.client.shown.clear().hello.as_deref()?;
        let offers = hello.offers(ProtocolVersion::TLS1_3) && !hello.has_early_data();
        let sealed = self.client.shown.sealed_count > 0 && self.client.shown.finished == 0;
        (offers && sealed && !self.client.shown.unread).then_some(ProtocolVersion::TLS1_3)
    }

    fn is_tls13(&self) -> bool {
        self.version().is_some_and(|version| final_version(version.0) == ProtocolVersion::TLS1_3.0)
    }

    /// How far the handshake came.
    fn stage(&self) -> HandshakeStage {
        let (client, server) = (self.client.shown.clear(), self.server.shown.clear());
        let finished = self.client.shown.opened.as_ref().is_some_and(|it| it.finished.is_some());
        let sent_key = self.client.shown.changed_keys && !self.is_tls13();
        let sent_key = sent_key || client.proved || finished;
        if !client.has_hello() {
            HandshakeStage::AmidHello
        } else if self.answer().is_some() && sent_key {
            HandshakeStage::AfterClientKey
        } else if self.answer().is_some() {
            HandshakeStage::AfterAnswer
        } else if !server.has_answered() {
            HandshakeStage::AfterHello
        } else {
            HandshakeStage::AfterRetry
        }
    }

    fn conclusion(&self) -> Conclusion {
        if self.refuses_http() {
            return Conclusion::Failed(Breakdown::PlainHttp);
        }
        if let Some((by, alert)) = self.telling_alert() {
            let (description, stage) = (alert.description, self.stage());
            return Conclusion::Failed(Breakdown::Alert { by, description, stage });
        }
        match outcome(&self.client.shown, &self.server.shown) {
            Some(OpenedOutcome::Established) => return Conclusion::Established,
            Some(OpenedOutcome::Refused(by, description)) => {
                let stage = self.stage();
                return Conclusion::Failed(Breakdown::Alert { by, description, stage });
            }
            None => {}
        }
        let decided = if self.is_tls13() { self.modern() } else { self.classic() };
        decided.unwrap_or_else(|| self.unfinished())
    }

    /// The alert in the clear that ended the handshake.
    fn telling_alert(&self) -> Option<(Party, PlainAlert)> {
        let of = |half: &Half| half.alerts().to_vec();
        let both = of(self.client).into_iter().map(|alert| (Party::Client, alert));
        let mut both: Vec<_> =
            both.chain(of(self.server).into_iter().map(|alert| (Party::Server, alert))).collect();
        let ends = |alert: &PlainAlert| {
            alert.fatal
                || matches!(
                    alert.description,
                    AlertDescription::CLOSE_NOTIFY | AlertDescription(90)
                )
        };
        both.retain(|(_, alert)| ends(alert));
        // One that says why counts more than a goodbye.
        both.sort_by_key(|(_, alert)| (!alert.fatal, alert.at.time));
        both.first().copied()
    }

    /// TLS 1.2 and older: both sides change keys and finish.
    fn classic(&self) -> Option<Conclusion> {
        let (client, server) = (&self.client.shown, &self.server.shown);
        let finished = |shown: &ShownTls| shown.changed_keys && shown.finished > 0;
        if !(finished(client) && finished(server)) {
            return None;
        }
        let data = client.sealed_count + server.sealed_count > 0;
        let odd = client.sealed_alerts + server.sealed_alerts > 0 && !data;
        // In a resumed session the server finishes first, and may still refuse what the client sends.
        let resumed = server.clear().certificates.is_none();
        let refused = odd && resumed && client.sealed_alerts == 0;
        Some(if refused && self.ended_by() == Some(Party::Server) {
            Conclusion::Unclear(Doubt::Ambiguous)
        } else {
            Conclusion::Established
        })
    }

    /// TLS 1.3: what follows the server's hello is encrypted, and its sizes tell.
    fn modern(&self) -> Option<Conclusion> {
        let sizes = self.sizes();
        let records = self.after_answer();
        let first = *records.first()?;
        let missing = self.client.stream.has_gap || self.client.is_lost();
        if missing {
            return None;
        }
        if sizes.is_alert(first) {
            let stage = HandshakeStage::AfterAnswer;
            return Some(match self.answer() {
                Some(_) => Conclusion::Failed(Breakdown::SealedAlert { by: Party::Client, stage }),
                None => Conclusion::Unclear(Doubt::OneDirection),
            });
        }
        if let Some(refused) = self.refused_amid(&records, sizes) {
            return Some(refused);
        }
        let place = sizes.place_of_finished(&records)?;
        let finished = *records.get(place)?;
        if !sizes.has_certificate(&records) {
            return Some(Conclusion::Established);
        }
        let mut reactions = self.server.shown.sealed.iter();
        let reaction = reactions.find(|it| it.at.received >= finished.at.end)?;
        Some(if !self.is_alert_of_server(*reaction, sizes) {
            Conclusion::Established
        } else if self.client_left_before(*reaction, records.get(place + 1..)?, sizes) {
            // It may as well be a goodbye that answers the client's.
            Conclusion::Unclear(Doubt::Ambiguous)
        } else {
            let stage = HandshakeStage::AfterClientKey;
            Conclusion::Failed(Breakdown::SealedAlert { by: Party::Server, stage })
        })
    }

    /// The server may refuse the client's certificate before it has the rest of the client's flight.
    fn refused_amid(&self, records: &[SealedRecord], sizes: SealedSizes) -> Option<Conclusion> {
        let first = records.first()?;
        let end = sizes.place_of_finished(records).and_then(|place| records.get(place));
        let amid = |it: &&SealedRecord| {
            it.at.received >= first.at.end
                && end.is_none_or(|finished| it.at.received < finished.at.end)
        };
        let mut reactions = self.server.shown.sealed.iter().filter(amid);
        let alert = reactions.find(|it| self.is_alert_of_server(**it, sizes))?;
        let by_client = self.client_left_before(*alert, records, sizes);
        let stage = HandshakeStage::AfterClientKey;
        (!by_client)
            .then_some(Conclusion::Failed(Breakdown::SealedAlert { by: Party::Server, stage }))
    }

    /// Data may have the size of a padded alert; but an alert is the last that a server sends.
    fn is_alert_of_server(&self, record: SealedRecord, sizes: SealedSizes) -> bool {
        let is_last = u64::from(record.at.end) >= self.server.stream.end();
        sizes.is_bare_alert(record)
            || sizes.is_alert(record) && is_last && self.ended_by() == Some(Party::Server)
    }

    /// Whether the server knew that the client was leaving when it sent this.
    fn client_left_before(
        &self,
        reaction: SealedRecord,
        after_finished: &[SealedRecord],
        sizes: SealedSizes,
    ) -> bool {
        let goodbye = after_finished.iter().find(|record| sizes.is_alert(**record));
        let said = goodbye.is_some_and(|record| record.at.end <= reaction.at.received);
        let ended = self.client.end().is_some_and(|end| end.at.end < reaction.at.received);
        said || ended
    }

    /// The client's encrypted records but for early data, which it sends before it has received anything.
    fn after_answer(&self) -> Vec<SealedRecord> {
        let records = &self.client.shown.sealed;
        let hello = self.client.shown.clear().hello.as_ref();
        let early = hello.is_some_and(|hello| hello.has_early_data());
        if !early {
            return records.clone();
        }
        let floor = self.server.shown.answered.max(1);
        let sizes = self.sizes();
        let mut after: Vec<SealedRecord> =
            records.iter().copied().filter(|record| record.at.received >= floor).collect();
        if after.first().is_some_and(|first| sizes.ends_early_data(*first)) {
            after.remove(0);
        }
        after
    }

    fn sizes(&self) -> SealedSizes {
        SealedSizes::of(self.answer().or(self.retry()).map(|answer| answer.cipher_suite.0))
    }

    fn ended_by(&self) -> Option<Party> {
        let side = self.talk.first_to_end()?;
        Some(if side == self.side { Party::Client } else { Party::Server })
    }

    /// Neither an alert nor a finish: what is concluded from what did not come needs all that came.
    fn unfinished(&self) -> Conclusion {
        let one_direction = self.client.packets == 0 || self.server.packets == 0;
        if one_direction {
            return Conclusion::Unclear(Doubt::OneDirection);
        }
        let shown = [&self.client.shown, &self.server.shown];
        if !self.whole || shown.iter().any(|shown| shown.unread) && !self.is_broken() {
            return Conclusion::Unclear(Doubt::Incomplete);
        }
        let stage = self.stage();
        if self.server.is_plain()
            && stage == HandshakeStage::AfterHello
            && !self.server.text().is_empty()
        {
            let http = self.answers_in_http();
            return Conclusion::Failed(Breakdown::NotTls { http });
        }
        let Some(by) = self.ended_by() else {
            return Conclusion::Unclear(Doubt::Unfinished);
        };
        let half = if by == Party::Client { self.client } else { self.server };
        let Some(end) = half.end() else { return Conclusion::Unclear(Doubt::Unfinished) };
        // Only TLS 1.2 and older show that a client went on in the clear.
        let unclear = self.is_tls13()
            && stage >= HandshakeStage::AfterAnswer
            && !self.after_answer().is_empty();
        if unclear {
            return Conclusion::Unclear(Doubt::Ambiguous);
        }
        let sent = self.client.shown.began().unwrap_or(self.talk.first);
        if by == Party::Client
            && stage == HandshakeStage::AfterHello
            && end.at.time - sent >= PATIENCE
        {
            let acknowledged = u64::from(self.server.received) >= self.client.stream.end();
            return Conclusion::Failed(Breakdown::Unanswered { acknowledged });
        }
        Conclusion::Failed(Breakdown::Left { by, stage, reset: end.reset })
    }

    /// Whether a side sent what is no TLS.
    fn is_broken(&self) -> bool {
        self.client.is_broken() || self.server.is_broken()
    }

    fn exchange(&self, conclusion: Conclusion) -> Exchange {
        let (client, server) = (&self.client.shown, &self.server.shown);
        let [one, other] = self.talk.ends;
        let (from, to) = if self.side == 0 { (one, other) } else { (other, one) };
        Exchange {
            transport: ExchangeTransport::Tcp,
            client: from,
            server: to,
            proxied: self.client.proxied(),
            preface: self.preface(),
            opened: self.talk.first,
            hello_time: client.began(),
            answer_time: server.began(),
            hello: client.clear().hello.clone(),
            first_hello: self.client.first_hello().map(Into::into),
            retry: self.retry().cloned(),
            answer: self.answer().cloned(),
            version: self.version(),
            group: self.answer().and_then(|answer| answer.group).or(server.clear().group),
            chain: server.clear().certificates.clone().unwrap_or_default(),
            client_chain: client.clear().certificates.clone().unwrap_or_default(),
            authorities: server.clear().authorities.clone(),
            resumed: self.resumed(),
            client_certificate: self.client_certificate(),
            alerts: self.alerts(conclusion),
            is_opened: [client, server].iter().any(|shown| shown.opened.is_some()),
            end: self.end(),
            whole: self.whole,
            packets: self.talk.kept.as_ref().map(|kept| Box::new(kept.seen_from(self.side))),
            turns: self.client.turns().cloned().unwrap_or_default(),
            conclusion,
        }
    }

    fn preface(&self) -> Option<&'static str> {
        let (client, server) = (self.client.text(), self.server.text());
        if self.client.has_proxy_header() {
            return Some("proxy-protocol");
        }
        let dialogue = self.client.is_tls() && !(client.is_empty() && server.is_empty());
        dialogue.then(|| preface::dialogue(client, server)).filter(|_| !client.is_empty())
    }

    fn resumed(&self) -> Option<bool> {
        let answer = self.answer()?;
        if self.is_tls13() {
            return Some(answer.has(ExtensionType::PRE_SHARED_KEY));
        }
        let server = &self.server.shown;
        if server.clear().certificates.is_some() || server.clear().done {
            return Some(false);
        }
        (server.changed_keys && !server.unread).then_some(true)
    }

    fn client_certificate(&self) -> Option<ClientCertificate> {
        let (client, server) = (self.client.shown.clear(), self.server.shown.clear());
        let is_read = self.server.shown.opened.as_ref().is_some_and(|it| it.finished.is_some());
        if self.is_tls13() && !is_read {
            return self.sealed_client_certificate();
        }
        if self.answer().is_none() || !server.done && !server.asks_certificate && !is_read {
            return None;
        }
        Some(match (&client.certificates, server.asks_certificate) {
            (_, false) => ClientCertificate::None,
            (None, true) => ClientCertificate::Requested,
            (Some(chain), true) if chain.is_empty() => ClientCertificate::Empty,
            (Some(_), true) => ClientCertificate::Sent,
        })
    }

    /// What the sizes of the client's records tell: an empty certificate has a size of its own.
    fn sealed_client_certificate(&self) -> Option<ClientCertificate> {
        let (sizes, records) = (self.sizes(), self.after_answer());
        let place = sizes.place_of_finished(&records)?;
        if self.client.stream.has_gap || self.answer().is_none() {
            return None;
        }
        Some(match (sizes.has_certificate(&records), records.first()) {
            (false, _) => ClientCertificate::None,
            (true, Some(first)) if sizes.has_no_certificate(*first, place) => {
                ClientCertificate::Empty
            }
            (true, _) => ClientCertificate::Sent,
        })
    }

    fn alerts(&self, conclusion: Conclusion) -> Vec<ExchangeAlert> {
        let of = |by: Party, half: &Half| {
            let plain = half.alerts().iter().map(move |alert| ExchangeAlert {
                by,
                fatal: alert.fatal,
                description: Some(alert.description),
                time: alert.at.time,
                inferred: false,
                opened: false,
            });
            let opened = half.shown.opened.iter().flat_map(|opened| &opened.alerts);
            let opened = opened.map(move |alert| ExchangeAlert {
                by,
                fatal: !alert.is_goodbye(),
                description: Some(alert.description),
                time: alert.at.time,
                inferred: false,
                opened: true,
            });
            plain.chain(opened).collect::<Vec<_>>()
        };
        let mut alerts = of(Party::Client, self.client);
        alerts.extend(of(Party::Server, self.server));
        if let Conclusion::Failed(Breakdown::SealedAlert { by, .. }) = conclusion {
            let half = if by == Party::Client { self.client } else { self.server };
            let time = half.shown.sealed.last().map_or(self.talk.last, |record| record.at.time);
            alerts.push(ExchangeAlert {
                by,
                fatal: true,
                description: None,
                time,
                inferred: true,
                opened: false,
            });
        }
        alerts.sort_by_key(|alert| alert.time);
        alerts
    }

    fn end(&self) -> Option<ExchangeEnd> {
        let by = self.ended_by()?;
        let half = if by == Party::Client { self.client } else { self.server };
        half.end().map(|end| ExchangeEnd { by, reset: end.reset, time: end.at.time })
    }
}
