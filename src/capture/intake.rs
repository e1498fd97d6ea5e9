//! Whole captures: frames in, handshakes out, with a count of everything that was seen and left out.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;

use super::blame::{KnownServer, blame};
use super::client_kinds::ClientKinds;
use super::conclusion::{NoHandshake, conclude};
use super::connections::{ConnectionCounts, Connections};
use super::dtls::DtlsHellos;
use super::exchange::{Conclusion, Exchange};
use super::failing::FailingConnections;
use super::filter::CaptureFilter;
use super::frames::{CaptureBlock, CapturedFrame, Frames, FramesError};
use super::kept::Keeping;
use super::kept_clients::KeptClients;
use super::keylog::KeyLog;
use super::learnt::Learnt;
use super::legs::AskingClient;
use super::packet::{Dissector, FrameCounts, Transport};
use super::quic::QuicConnections;
use super::seen_certificates::SeenCertificates;
use super::talk::Talk;
use super::tally::RunningTally;

/// Handshakes of each kind that are kept; the others are counted.
pub const MAX_KEPT: usize = 10_000;

/// Requests of plain HTTP that wait to be told apart, and servers that are known to speak TLS.
const MAX_WAITING: usize = 10_000;

/// Handshakes by how they ended, and connections without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Those that succeeded.
    pub established: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those of which the capture does not tell.
    pub unclear: u64,
    /// Those that are counted above and not kept.
    pub not_kept: u64,
    /// Connections on which nothing was sent.
    pub silent: u64,
    /// Connections that began before the capture.
    pub under_way: u64,
    /// Connections that carry something else than TLS.
    pub other: u64,
    /// First packets of QUIC that cannot be read.
    pub quic_initials: u64,
    /// Handshakes that were not asked for.
    pub filtered: u64,
    /// Handshakes of which encrypted records were opened.
    pub opened: u64,
}

impl ExchangeCounts {
    /// All handshakes.
    pub fn handshakes(&self) -> u64 {
        self.established + self.failed + self.unclear
    }
}

/// What to read for.
#[derive(Clone, Debug, Default)]
pub struct IntakeSettings {
    /// Whether to keep only the handshakes that did not succeed.
    pub only_failing: bool,
    /// What else to keep.
    pub keeping: Keeping,
    /// Which handshakes are asked for; what servers accept is learnt from all.
    pub filter: CaptureFilter,
    /// What is to know of each handshake at once.
    pub tally: Option<RunningTally>,
    /// Keys with which encrypted records are opened; captures may bring more.
    pub keys: KeyLog,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub struct CaptureIntake {
    settings: IntakeSettings,
    /// Handshakes, in the order in which they were concluded.
    pub kept: Vec<Exchange>,
    /// How many there are.
    pub counts: ExchangeCounts,
    /// What servers accept.
    pub learnt: Learnt,
    /// Handshakes by the client that made them.
    pub clients: ClientKinds,
    /// Clients that made requests, if these are to be kept.
    pub asking: Vec<AskingClient>,
    /// Clients whose hellos are kept, if they are to be.
    pub kept_clients: KeptClients,
    /// Connections of which the handshake failed, with their packets, if these are to be kept.
    pub failing: FailingConnections,
    /// When the first and the last frame came, in nanoseconds since 1970.
    pub span: Option<(i64, i64)>,
    kept_by_kind: [usize; 3],
    /// Requests of plain HTTP that got no answer of HTTP: failures, where their server turns out to speak TLS.
    plain_http: Vec<Exchange>,
    tls_servers: BTreeSet<SocketAddr>,
    /// Hellos of DTLS.
    pub dtls: DtlsHellos,
    dissector: Dissector,
    connections: Connections,
    quic: QuicConnections,
}

impl CaptureIntake {
    /// Before the first capture.
    pub fn new(mut settings: IntakeSettings) -> Self {
        let mut connections = Connections::new(settings.keeping);
        connections.keys = std::mem::take(&mut settings.keys);
        Self { settings, connections, ..Self::default() }
    }

    /// Reads a capture to its end; how many frames it holds, and what kept it from being read on.
    pub fn read<R: Read>(&mut self, source: R) -> (u64, Option<FramesError>) {
        let mut frames = match Frames::new(source) {
            Ok(frames) => frames,
            Err(error) => return (0, Some(error)),
        };
        let end = loop {
            let mut time = None;
            let read = frames.next_block(|block| match block {
                CaptureBlock::Frame(frame) => {
                    time = Some(frame.time);
                    self.frame(frame);
                }
                CaptureBlock::Secrets(text) => self.connections.keys.add(text),
            });
            if let Some(time) = time {
                let (first, last) = self.span.unwrap_or((time, time));
                self.span = Some((first.min(time), last.max(time)));
            }
            match read {
                Ok(true) => {}
                Ok(false) => break None,
                Err(error) => break Some(error),
            }
        };
        let mut connections = std::mem::take(&mut self.connections);
        connections.finish(|talk| self.talk(&talk));
        self.connections = connections;
        let mut ended = Vec::new();
        self.quic.finish(|exchange| ended.push(exchange));
        self.exchanges(ended);
        self.counts.quic_initials = self.quic.unread;
        (frames.count(), end)
    }

    fn frame(&mut self, frame: CapturedFrame<'_>) {
        let (connections, quic, dtls) = (&mut self.connections, &mut self.quic, &mut self.dtls);
        let (mut ended, mut quic_ended) = (Vec::new(), Vec::new());
        self.dissector.frame(frame, |packet| match packet {
            Transport::Tcp(segment) => connections.segment(&segment, |talk| ended.push(talk)),
            Transport::Udp(datagram) if dtls.take(&datagram) => {}
            Transport::Udp(datagram) => quic.datagram(&datagram, |it| quic_ended.push(it)),
        });
        for talk in &ended {
            self.talk(talk);
        }
        self.exchanges(quic_ended);
    }

    fn exchanges(&mut self, exchanges: Vec<Exchange>) {
        for exchange in exchanges {
            self.exchange(exchange);
        }
    }

    /// Frames by what became of them.
    pub fn frames(&self) -> FrameCounts {
        self.dissector.counts
    }

    /// Fragmented packets that never came together.
    pub fn fragments_given_up(&self) -> u64 {
        self.dissector.fragments_given_up()
    }

    /// Connections by what became of them.
    pub fn connections(&self) -> ConnectionCounts {
        self.connections.counts
    }

    /// The keys that are known.
    pub fn keys(&self) -> &KeyLog {
        &self.connections.keys
    }

    /// The certificates that were seen.
    pub fn certificates(&self) -> &SeenCertificates {
        &self.connections.certificates
    }

    /// There are no more captures to come.
    pub fn finish(&mut self) {
        for exchange in std::mem::take(&mut self.plain_http) {
            if self.tls_servers.contains(&exchange.server) {
                self.exchange(exchange);
            } else {
                self.counts.other += 1;
            }
        }
    }

    fn talk(&mut self, talk: &Talk) {
        match conclude(talk) {
            Ok(exchange) => {
                let answered = exchange.answer.is_some() || exchange.retry.is_some();
                if answered && self.tls_servers.len() < MAX_WAITING {
                    self.tls_servers.insert(exchange.server);
                }
                self.exchange(exchange);
            }
            Err(NoHandshake::PlainHttp(exchange)) if self.plain_http.len() < MAX_WAITING => {
                self.plain_http.push(*exchange);
            }
            Err(NoHandshake::Silent) => self.counts.silent += 1,
            Err(NoHandshake::UnderWay) => self.counts.under_way += 1,
            Err(NoHandshake::Other | NoHandshake::PlainHttp(_)) => self.counts.other += 1,
        }
    }

    fn exchange(&mut self, mut exchange: Exchange) {
        self.learnt.add(&exchange);
        if !self.settings.filter.lets_through(&exchange) {
            self.counts.filtered += 1;
            return;
        }
        self.note(&mut exchange);
        self.ask(&mut exchange);
        let counts = &mut self.counts;
        let (count, kind) = match exchange.conclusion {
            Conclusion::Established => (&mut counts.established, 0),
            Conclusion::Failed(_) => (&mut counts.failed, 1),
            Conclusion::Unclear(_) => (&mut counts.unclear, 2),
        };
        *count += 1;
        counts.opened += u64::from(exchange.is_opened);
        if self.settings.only_failing && exchange.conclusion == Conclusion::Established {
            return;
        }
        if self.kept_by_kind[kind] < MAX_KEPT {
            self.kept_by_kind[kind] += 1;
            self.kept.push(exchange);
        } else {
            counts.not_kept += 1;
        }
    }

    /// Takes a client's requests, of which a failing connection of nginx may be a part.
    fn ask(&mut self, exchange: &mut Exchange) {
        let turns = std::mem::take(&mut exchange.turns);
        let is_asking = exchange.conclusion == Conclusion::Established && !turns.all().is_empty();
        if is_asking && self.asking.len() < MAX_KEPT {
            let server_name = exchange.server_name();
            let (client, server) = (exchange.client, exchange.server);
            self.asking.push(AskingClient { client, server, server_name, turns });
        }
    }

    /// Takes from a handshake what is counted or kept elsewhere.
    fn note(&mut self, exchange: &mut Exchange) {
        self.clients.add(exchange);
        if self.settings.keeping.hellos {
            self.kept_clients.add(exchange);
            exchange.first_hello = None;
        }
        let (packets, tally) = (exchange.packets.take(), &self.settings.tally);
        let Conclusion::Failed(breakdown) = exchange.conclusion else {
            if let Some(tally) = tally {
                tally.add(exchange.conclusion, None);
            }
            return;
        };
        if packets.is_none() && tally.is_none() {
            return;
        }
        let known =
            KnownServer { accepted: self.learnt.of(exchange.server), ..KnownServer::default() };
        let why = blame(exchange, breakdown, known);
        if let Some(tally) = tally {
            tally.add(exchange.conclusion, Some(why.class));
        }
        if let Some(packets) = packets {
            let cause = why.causes.first().map_or("", |(cause, _)| cause.id);
            let text = format!("{}: {cause}", why.class);
            self.failing.add(exchange, &packets, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A pcap file of raw IP with these packets.
    fn file(packets: &[Vec<u8>]) -> Vec<u8> {
        let head: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x0004_0000, 101];
        let mut out: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        for packet in packets {
            let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
            out.extend([[0; 4], [0; 4], length, length].concat());
            out.extend(packet);
        }
        out
    }

    /// A packet from one of two ends to the other, with anything in it.
    fn packet() -> impl Strategy<Value = Vec<u8>> {
        let numbers = (any::<bool>(), 0_u32..400, 0_u32..400, any::<u8>());
        let starts: [&[u8]; 5] = [
            &[],
            &[22, 3, 1, 0, 40, 1, 0, 0, 36, 3, 3],
            &[21, 3, 3, 0, 2, 2, 40],
            &[23, 3, 3, 0, 19],
            b"PROXY TCP4 ",
        ];
        let start = prop::sample::select(starts.to_vec());
        let parts = (numbers, start, prop::collection::vec(any::<u8>(), 0..80));
        parts.prop_map(|((forth, sequence, acknowledged, flags), start, rest)| {
            let (from, to) = if forth { (1, 2) } else { (2, 1) };
            let length = u8::try_from(40 + start.len() + rest.len()).unwrap();
            let mut bytes = vec![0x45, 0, 0, length, 0, 0, 0, 0, 64, 6, 0, 0];
            bytes.extend([10, 0, 0, from, 10, 0, 0, to, 1, from, 1, to]);
            bytes.extend(sequence.to_be_bytes());
            bytes.extend(acknowledged.to_be_bytes());
            bytes.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
            bytes.extend(start);
            bytes.extend(rest);
            bytes
        })
    }

    proptest! {
        #[test]
        fn no_packets_break_it(packets in prop::collection::vec(packet(), 0..60)) {
            let mut intake = CaptureIntake::default();
            let (frames, error) = intake.read(&*file(&packets));
            prop_assert_eq!((frames, error), (packets.len() as u64, None));
            intake.finish();
            prop_assert_eq!(intake.kept.len() as u64, intake.counts.handshakes());
        }

        #[test]
        fn no_file_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0_usize..3) {
            let mut section = vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0];
            section.extend([255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0]);
            let start = [Vec::new(), file(&[]), section][start].clone();
            let _ = CaptureIntake::default().read(&*[start, bytes].concat());
        }

        #[test]
        fn no_damage_breaks_it(packets in prop::collection::vec(packet(), 1..20), at: prop::sample::Index, byte: u8) {
            let mut file = file(&packets);
            let at = at.index(file.len());
            file[at] = byte;
            let _ = CaptureIntake::default().read(&*file);
        }
    }
}
