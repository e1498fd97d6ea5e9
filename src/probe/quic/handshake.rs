//! One complete handshake of QUIC over a socket: rustls makes it, `quinn-proto` packs it into datagrams, and this moves them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn_proto::{
    Connection, ConnectionError, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ReadError, StreamId, TransportConfig, VarInt,
};
use rustls::ClientConfig;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::http3;
use crate::capture::packet::UdpDatagram;
use crate::capture::quic::QuicConnections;
use crate::capture::seen_answer::SeenAnswer;
use crate::observation::Cause;
use crate::probe::cause::cause;
use crate::tls::alert::AlertDescription;

/// The most datagrams that are read; a handshake takes fewer than ten.
const MAX_DATAGRAMS: usize = 256;

/// The most bytes of an answer that are waited for.
const MAX_ANSWER: usize = 16 * 1024;

/// The largest datagram that is read, in bytes.
const MAX_DATAGRAM: usize = 65_536;

/// `H3_NO_ERROR` (RFC 9114 section 8.1): the goodbye.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// The first error that stands for an alert of TLS (RFC 9001 section 4.8).
const FIRST_ALERT: u64 = 0x100;

/// What came of a handshake.
#[derive(Debug, Default)]
pub(super) struct QuicHandshake {
    /// Why it failed.
    pub(super) failure: Option<Cause>,
    /// Whether the client had finished it.
    pub(super) finished: bool,
    /// The server's hello, which is read from its Initial packets.
    pub(super) answer: Option<SeenAnswer>,
    /// The selected application protocol.
    pub(super) alpn: Option<Vec<u8>>,
    /// The answer to a request, as HTTP/1 would have it, if there was one.
    pub(super) page: Option<Vec<u8>>,
    /// Whether the server first made the client prove its address (RFC 9000 section 8.1.2).
    pub(super) retried: bool,
}

/// Makes a handshake with the server at the other end of a connected socket. `name` is sent unless the configuration
/// switches SNI off. Then `/` is requested of the host that `asks` returns, if it returns one.
pub(super) async fn shake_hands(
    socket: &UdpSocket,
    (name, config): (&str, Arc<ClientConfig>),
    deadline: Duration,
    asks: impl FnOnce() -> Option<String>,
) -> QuicHandshake {
    let mut seen = QuicHandshake::default();
    let local = |error: String| Some(Cause::Local(error));
    let (here, there) = match socket.local_addr().and_then(|here| Ok((here, socket.peer_addr()?))) {
        Ok(both) => both,
        Err(error) => return QuicHandshake { failure: Some(cause(&error)), ..seen },
    };
    let crypto = match QuicClientConfig::try_from(config) {
        Ok(crypto) => crypto,
        Err(error) => return QuicHandshake { failure: local(error.to_string()), ..seen },
    };
    let mut config = quinn_proto::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    let mut endpoint = Endpoint::new(Arc::new(plain_bits()), None, false, None);
    let (handle, connection) = match endpoint.connect(Instant::now(), config, there, name) {
        Ok(begun) => begun,
        Err(error) => return QuicHandshake { failure: local(error.to_string()), ..seen },
    };
    let mut talk = QuicDialogue {
        socket,
        ends: [here, there],
        endpoint,
        handle,
        connection,
        began: Instant::now(),
        watched: QuicConnections::default(),
        retried: false,
        finished: false,
    };
    let ended = timeout(deadline, talk.run()).await.unwrap_or(Err(Cause::TimedOut));
    if let Some(host) = asks().filter(|_| ended.is_ok()) {
        seen.page = timeout(deadline, talk.ask(&host)).await.ok().flatten();
    }
    talk.part().await;
    seen.failure = ended.err();
    seen.finished = talk.finished;
    seen.retried = talk.retried;
    let data = talk.connection.crypto_session().handshake_data();
    seen.alpn = data.and_then(|data| data.downcast::<HandshakeData>().ok()?.protocol);
    talk.watched.finish(|exchange| seen.answer = exchange.answer);
    seen
}

/// The server is not invited to vary a bit (RFC 9287), by which its packets are known.
fn plain_bits() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.grease_quic_bit(false);
    config
}

/// Without discovery of the path's size, which a handshake does not need.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport.mtu_discovery_config(None).enable_segmentation_offload(false);
    transport
}

/// A connection over a socket.
struct QuicDialogue<'a> {
    socket: &'a UdpSocket,
    /// This side's address, then the server's.
    ends: [SocketAddr; 2],
    endpoint: Endpoint,
    handle: ConnectionHandle,
    connection: Connection,
    began: Instant,
    /// What the datagrams say in the clear.
    watched: QuicConnections,
    retried: bool,
    finished: bool,
}

impl QuicDialogue<'_> {
    /// Exchanges datagrams until the server has confirmed the handshake, or it has failed. In TLS 1.3 a client finishes first,
    /// and the server may still refuse its certificate.
    async fn run(&mut self) -> Result<(), Cause> {
        for _ in 0..MAX_DATAGRAMS {
            self.send().await?;
            if self.is_confirmed()? {
                return Ok(());
            }
            self.receive().await?;
        }
        Err(Cause::TooMuchData)
    }

    /// Requests `/`; the answer as far as it came, as HTTP/1 would have it.
    async fn ask(&mut self, host: &str) -> Option<Vec<u8>> {
        let control = self.connection.streams().open(Dir::Uni)?;
        self.connection.send_stream(control).write(&http3::CONTROL).ok()?;
        let id = self.connection.streams().open(Dir::Bi)?;
        let mut stream = self.connection.send_stream(id);
        stream.write(&http3::get(host)).ok()?;
        stream.finish().ok()?;
        let mut answer = Vec::new();
        for _ in 0..MAX_DATAGRAMS {
            self.send().await.ok()?;
            let goes_on = self.is_confirmed().is_ok();
            if self.read(id, &mut answer) || !goes_on || self.receive().await.is_err() {
                break;
            }
        }
        http3::answer(&answer)
    }

    /// Adds what has arrived on a stream; whether that was all.
    fn read(&mut self, id: StreamId, answer: &mut Vec<u8>) -> bool {
        let mut stream = self.connection.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else { return true };
        let ended = loop {
            match chunks.next(MAX_DATAGRAM) {
                Ok(Some(chunk)) => answer.extend_from_slice(&chunk.bytes),
                Ok(None) | Err(ReadError::Reset(_)) => break true,
                Err(ReadError::Blocked) => break answer.len() > MAX_ANSWER,
            }
        };
        // What is due is sent with the next datagrams.
        let _ = chunks.finalize();
        ended
    }

    /// Waits for a datagram, or until a timer is up.
    async fn receive(&mut self) -> Result<(), Cause> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let socket = self.socket;
        let wake = self.connection.poll_timeout();
        let received = socket.recv(&mut buffer);
        let received = match wake {
            Some(wake) => tokio::time::timeout_at(wake.into(), received).await.ok(),
            None => Some(received.await),
        };
        match received {
            None => self.connection.handle_timeout(Instant::now()),
            Some(Ok(count)) => self.take(buffer.get(..count).unwrap_or_default()),
            Some(Err(error)) => return Err(cause(&error)),
        }
        Ok(())
    }

    /// Sends what is due.
    async fn send(&mut self) -> Result<(), Cause> {
        let mut datagram = Vec::new();
        while self.connection.poll_transmit(Instant::now(), 1, &mut datagram).is_some() {
            self.socket.send(&datagram).await.map_err(|error| cause(&error))?;
            self.watch(&datagram, true);
            datagram.clear();
        }
        Ok(())
    }

    fn take(&mut self, datagram: &[u8]) {
        self.watch(datagram, false);
        self.retried |= is_retry(datagram);
        let (now, there) = (Instant::now(), self.ends[1]);
        let mut answer = Vec::new();
        let event =
            self.endpoint.handle(now, there, None, None, BytesMut::from(datagram), &mut answer);
        if let Some(DatagramEvent::ConnectionEvent(_, event)) = event {
            self.connection.handle_event(event);
        }
    }

    /// Whether the server has the whole handshake and accepts it.
    fn is_confirmed(&mut self) -> Result<bool, Cause> {
        while let Some(event) = self.connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(self.handle, event) {
                self.connection.handle_event(event);
            }
        }
        while let Some(event) = self.connection.poll() {
            match event {
                Event::Connected => self.finished = true,
                Event::ConnectionLost { reason } => return Err(loss(reason)),
                _ => {}
            }
        }
        Ok(self.connection.stats().frame_rx.handshake_done > 0)
    }

    /// Says goodbye, as far as the connection still stands.
    async fn part(&mut self) {
        self.connection.close(Instant::now(), NO_ERROR, Bytes::new());
        // The server notices the end by itself.
        let _ = self.send().await;
    }

    fn watch(&mut self, datagram: &[u8], sent: bool) {
        let [here, there] = self.ends;
        let (source, target) = if sent { (here, there) } else { (there, here) };
        let time = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let datagram = UdpDatagram { time, source, target, payload: datagram };
        self.watched.datagram(&datagram, |_| {});
    }
}

/// Whether a datagram is a Retry packet of version 1 (RFC 9000 section 17.2.5).
fn is_retry(datagram: &[u8]) -> bool {
    matches!(datagram, [0xf0..=0xff, 0, 0, 0, 1, ..])
}

fn loss(reason: ConnectionError) -> Cause {
    match reason {
        ConnectionError::VersionMismatch => Cause::Incompatible(
            "it speaks no version of QUIC that is offered (version 1)".to_owned(),
        ),
        ConnectionError::ConnectionClosed(close) => match alert(close.error_code.into()) {
            Some(alert) => Cause::Alert(alert),
            None => Cause::ProtocolError(format!("the server closed the connection: {close}")),
        },
        ConnectionError::ApplicationClosed(_) => Cause::Closed,
        ConnectionError::Reset => Cause::Reset,
        ConnectionError::TimedOut => Cause::TimedOut,
        ConnectionError::TransportError(error) => Cause::ProtocolError(error.to_string()),
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            Cause::Local(reason.to_string())
        }
    }
}

/// The alert that an error of QUIC stands for.
fn alert(error: u64) -> Option<AlertDescription> {
    u8::try_from(error.checked_sub(FIRST_ALERT)?).ok().map(AlertDescription)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_quic_are_alerts_from_256_to_511() {
        let of = |error| alert(error).map(|alert| alert.0);
        assert_eq!(
            (of(0xff), of(0x100), of(0x178), of(0x1ff)),
            (None, Some(0), Some(120), Some(255))
        );
        assert_eq!(of(0x200), None);
    }

    #[test]
    fn a_retry_packet_is_told_from_others() {
        assert!(is_retry(&[0xf0, 0, 0, 0, 1, 0]));
        assert!(!is_retry(&[0xc0, 0, 0, 0, 1, 0]));
        assert!(!is_retry(&[0xf0, 0, 0, 0, 0, 0]));
    }
}
