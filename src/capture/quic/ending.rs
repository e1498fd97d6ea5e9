//! How a handshake of QUIC ended. Nothing but Initial packets can be read: what follows is inferred from which packets came.

use super::talk::QuicTalk;
use crate::capture::exchange::{
    Breakdown, Conclusion, Doubt, Exchange, ExchangeAlert, ExchangeEnd, ExchangeTransport,
    HandshakeStage, Party,
};
use crate::capture::turns::RequestTurns;
use crate::tls::alert::AlertDescription;
use crate::tls::extension::ExtensionType;
use crate::tls::version::ProtocolVersion;

/// A side that waits this long for the other did not just leave, in nanoseconds.
const PATIENCE: i64 = 1_000_000_000;

/// A server repeats what the client does not answer, many times within this.
const SILENCE: i64 = 10_000_000_000;

impl QuicTalk {
    /// The handshake, of which no more is known; it is that late.
    pub(super) fn finish(mut self, clock: i64) -> Exchange {
        for side in &mut self.sides {
            let half = &mut side.half;
            half.shown.unread |= half.stream.held() > 0 || half.held() > 0;
        }
        let conclusion = self.conclusion(clock);
        self.exchange(conclusion)
    }

    fn stage(&self) -> HandshakeStage {
        let [client, server] = &self.sides;
        let (hello, said) = (client.half.shown.clear(), server.half.shown.clear());
        if !hello.has_hello() {
            HandshakeStage::AmidHello
        } else if client.shorts > 0 {
            HandshakeStage::AfterClientKey
        } else if said.answer.is_some() || server.handshakes > 0 {
            HandshakeStage::AfterAnswer
        } else if said.retry.is_some() {
            HandshakeStage::AfterRetry
        } else {
            HandshakeStage::AfterHello
        }
    }

    fn conclusion(&self, clock: i64) -> Conclusion {
        let [client, server] = &self.sides;
        let stage = self.stage();
        let closed = [(Party::Client, client.closed), (Party::Server, server.closed)];
        let mut closed: Vec<_> =
            closed.into_iter().filter_map(|(by, closed)| Some((by, closed?))).collect();
        closed.sort_by_key(|(_, (_, time))| *time);
        if let Some((by, (error, _))) = closed.first().copied() {
            return Conclusion::Failed(match alert(error) {
                Some(description) => Breakdown::Alert { by, description, stage },
                None => Breakdown::QuicClosed { by, error, stage },
            });
        }
        // A side that was refused sends no more than one packet.
        if client.shorts > 1 && server.shorts > 1 && self.answers > 1 {
            return Conclusion::Established;
        }
        let nothing = server.began.is_none() || self.renegotiated && server.initials == 0;
        let waited =
            client.last.zip(client.began).is_some_and(|(last, first)| last - first >= PATIENCE);
        if nothing && self.renegotiated {
            return Conclusion::Failed(Breakdown::NoQuicVersion);
        }
        if nothing && waited && client.half.shown.clear().has_hello() {
            return Conclusion::Failed(Breakdown::Unanswered { acknowledged: false });
        }
        let silent = clock - self.last >= SILENCE;
        let went_on = client.handshakes > 0 && client.shorts == 0 && server.handshakes > 0;
        if silent && went_on && client.last > server.last {
            return Conclusion::Failed(Breakdown::SealedAlert { by: Party::Client, stage });
        }
        let unread = self.sides.iter().any(|side| side.half.shown.unread);
        Conclusion::Unclear(if unread { Doubt::Incomplete } else { Doubt::Unfinished })
    }

    fn exchange(&self, conclusion: Conclusion) -> Exchange {
        let [client, server] = &self.sides;
        let (hello, said) = (client.half.shown.clear(), server.half.shown.clear());
        let answer = said.answer.clone();
        let version = answer.is_some().then_some(ProtocolVersion::TLS1_3);
        Exchange {
            transport: ExchangeTransport::Quic,
            client: self.ends[0],
            server: self.ends[1],
            proxied: None,
            preface: None,
            opened: self.first,
            hello_time: client.half.shown.began(),
            answer_time: server.began,
            hello: hello.hello.clone(),
            // A hello of QUIC cannot be sent again over TCP.
            first_hello: None,
            retry: said.retry.clone(),
            version,
            group: answer.as_ref().and_then(|answer| answer.group),
            chain: Vec::new(),
            client_chain: Vec::new(),
            authorities: None,
            resumed: answer.as_ref().map(|answer| answer.has(ExtensionType::PRE_SHARED_KEY)),
            answer,
            client_certificate: None,
            alerts: self.alerts(conclusion),
            is_opened: false,
            end: self.end(),
            whole: self.sides.iter().all(|side| !side.half.shown.unread),
            packets: None,
            turns: RequestTurns::default(),
            conclusion,
        }
    }

    fn alerts(&self, conclusion: Conclusion) -> Vec<ExchangeAlert> {
        if let Conclusion::Failed(Breakdown::SealedAlert { by, .. }) = conclusion {
            let time = self.sides[0].last.unwrap_or(self.last);
            return vec![ExchangeAlert {
                by,
                fatal: true,
                description: None,
                time,
                inferred: true,
                opened: false,
            }];
        }
        let sides = [Party::Client, Party::Server].into_iter().zip(&self.sides);
        let alert = |(by, side): (Party, &super::talk::QuicSide)| {
            let (error, time) = side.closed?;
            let description = Some(alert(error)?);
            Some(ExchangeAlert {
                by,
                fatal: true,
                description,
                time,
                inferred: false,
                opened: false,
            })
        };
        sides.filter_map(alert).collect()
    }

    fn end(&self) -> Option<ExchangeEnd> {
        let sides = [Party::Client, Party::Server].into_iter().zip(&self.sides);
        let ends = sides.filter_map(|(by, side)| Some((side.closed?.1, by)));
        let (time, by) = ends.min_by_key(|(time, _)| *time)?;
        Some(ExchangeEnd { by, reset: false, time })
    }
}

/// The alert of TLS that an error of QUIC stands for (RFC 9001 section 4.8).
fn alert(error: u64) -> Option<AlertDescription> {
    let [number, 1, 0, 0, 0, 0, 0, 0] = error.to_le_bytes() else { return None };
    Some(AlertDescription(number))
}
