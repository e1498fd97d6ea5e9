//! The raw engine: sends our own `ClientHello` and reads the unencrypted part of the answer.
//!
//! It needs no cryptography, so it works with servers that the complete engine does not support. It opens no socket.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::cause::cause;
use super::plain::classify;
use crate::observation::{Cause, Failure, RawChoice, Stage};
use crate::tls::flight::{Flight, FlightEnd, FlightReader, FlightStep};
use crate::tls::hello::ClientHello;

/// How long to wait for the rest of a plain-text greeting.
const GREETING_REST: Duration = Duration::from_millis(200);

/// The server's answer to one hello.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The server's selection, or why there is none.
    pub outcome: Result<RawChoice, Failure>,
    /// Everything that was read, even after a failure.
    pub flight: Flight,
}

/// Sends the hello over a fresh connection and reads the server's flight until it ends or the deadline passes.
pub async fn exchange<S>(stream: &mut S, hello: &ClientHello, deadline: Instant) -> RawAnswer
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut reader = FlightReader::new();
    let stopped = match timeout_at(deadline, converse(stream, hello, &mut reader)).await {
        Ok(Ok(())) => None,
        Ok(Err(cause)) => Some(cause),
        Err(_) => Some(Cause::TimedOut),
    };
    let flight = reader.finish();
    let outcome = choice(&flight, stopped);
    RawAnswer {
        outcome: outcome.map_err(|cause| Failure { stage: Stage::Handshake, cause }),
        flight,
    }
}

/// Sends and reads; an error is the reason why reading stopped before the flight ended.
async fn converse<S>(
    stream: &mut S,
    hello: &ClientHello,
    reader: &mut FlightReader,
) -> Result<(), Cause>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let bytes = hello.encode().map_err(|error| Cause::Local(error.to_string()))?;
    let sent = send(stream, &bytes).await;
    // A server may close the connection before it receives our hello and send the reason, so read even if sending
    // failed.
    let read = read_flight(stream, reader).await;
    if reader.flight().end == Some(FlightEnd::NotTls) {
        // If this fails, the greeting is just shorter.
        let _ = timeout(GREETING_REST, read_first_line(stream, reader)).await;
    }
    match (read, sent) {
        (Err(Cause::Closed), Err(error)) => Err(cause(&error)),
        (read, _) => read,
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn read_flight<S>(stream: &mut S, reader: &mut FlightReader) -> Result<(), Cause>
where
    S: AsyncRead + Unpin,
{
    while read_some(stream, reader).await? == FlightStep::NeedMore {}
    Ok(())
}

/// Reads until the first line of plain text is complete.
async fn read_first_line<S>(stream: &mut S, reader: &mut FlightReader) -> Result<(), Cause>
where
    S: AsyncRead + Unpin,
{
    const ENOUGH: usize = 256;
    loop {
        let text = &reader.flight().first_bytes;
        if text.len() >= ENOUGH || text.contains(&b'\n') {
            return Ok(());
        }
        let _ = read_some(stream, reader).await?;
    }
}

async fn read_some<S>(stream: &mut S, reader: &mut FlightReader) -> Result<FlightStep, Cause>
where
    S: AsyncRead + Unpin,
{
    // On the heap: a scan keeps many of these at once, and its future stays small.
    let mut buffer = vec![0; 4096];
    match stream.read(&mut buffer).await {
        Ok(0) => Err(Cause::Closed),
        Ok(count) => Ok(reader.feed(buffer.get(..count).unwrap_or_default())),
        Err(error) => Err(cause(&error)),
    }
}

/// The selection in the flight, or, if it is incomplete, what stopped it.
fn choice(flight: &Flight, stopped: Option<Cause>) -> Result<RawChoice, Cause> {
    match (&flight.end, &flight.server_hello) {
        (Some(FlightEnd::Complete), Some(hello)) => Ok(RawChoice {
            version: hello.version,
            cipher_suite: hello.cipher_suite,
            group: flight.group(),
            scheme: flight.key_exchange.as_ref().and_then(|key| key.scheme),
        }),
        (Some(FlightEnd::Alert(alert)), _) => Err(Cause::Alert(*alert)),
        (Some(FlightEnd::NotTls), _) => Err(Cause::NotTls(classify(&flight.first_bytes))),
        (Some(FlightEnd::TooMuch), _) => Err(Cause::TooMuchData),
        (Some(FlightEnd::Malformed(malformed)), _) => {
            Err(Cause::ProtocolError(malformed.to_string()))
        }
        (Some(FlightEnd::Complete) | None, _) => {
            Err(interrupted(flight, stopped.unwrap_or(Cause::Closed)))
        }
    }
}

/// If a server sends an alert and closes the connection, the alert is fatal, whatever its level.
fn interrupted(flight: &Flight, stopped: Cause) -> Cause {
    match (&stopped, flight.warnings.last()) {
        (Cause::Closed | Cause::Reset, Some(alert)) if flight.server_hello.is_none() => {
            Cause::Alert(*alert)
        }
        _ => stopped,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::observation::PlainProtocol;
    use crate::tls::alert::AlertDescription;
    use crate::tls::suite::CipherSuite;
    use crate::tls::version::ProtocolVersion;

    /// ServerHello of TLS 1.0 with AES128-SHA, an empty Certificate, and the end.
    const LEGACY_FLIGHT: &[u8] = b"\x16\x03\x01\x00\x35\
        \x02\x00\x00\x26\x03\x01\
        ................................\x00\x00\x2f\x00\
        \x0b\x00\x00\x03\x00\x00\x00\
        \x0e\x00\x00\x00";
    const ALERT_70: &[u8] = &[21, 3, 1, 0, 2, 2, 70];

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn hello() -> ClientHello {
        ClientHello::probe(ProtocolVersion::TLS1)
    }

    /// Runs a server that reads the hello, sends `reply` in pieces of `size` bytes, and closes the connection.
    async fn ask(reply: &[u8], size: usize) -> RawAnswer {
        let (mut client, mut server) = duplex(size);
        let serve = async move {
            read_hello(&mut server).await;
            server.write_all(reply).await.ok();
        };
        let talk = async move {
            let answer = exchange(&mut client, &hello(), soon()).await;
            // The server may still be writing.
            drop(client);
            answer
        };
        tokio::join!(talk, serve).0
    }

    async fn read_hello(server: &mut DuplexStream) {
        let mut sent = vec![0; hello().encode().unwrap().len()];
        server.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, hello().encode().unwrap());
    }

    #[track_caller]
    fn assert_fails(answer: &RawAnswer, cause: Cause) {
        assert_eq!(answer.outcome, Err(Failure { stage: Stage::Handshake, cause }));
    }

    #[tokio::test]
    async fn a_server_that_chooses_is_understood_in_pieces_of_any_size() {
        for size in [1, 2, 7, 64, 4096] {
            let answer = ask(LEGACY_FLIGHT, size).await;
            let expected = RawChoice {
                version: ProtocolVersion::TLS1,
                cipher_suite: CipherSuite(0x002f),
                group: None,
                scheme: None,
            };
            assert_eq!(answer.outcome, Ok(expected));
            assert_eq!(answer.flight.certificates, Some(Vec::new()));
        }
    }

    #[tokio::test]
    async fn an_alert_is_the_reason() {
        assert_fails(&ask(ALERT_70, 4096).await, Cause::Alert(AlertDescription::PROTOCOL_VERSION));
    }

    #[tokio::test]
    async fn a_warning_before_hanging_up_is_the_reason() {
        let warning = [21, 3, 1, 0, 2, 1, 112];
        let answer = ask(&warning, 4096).await;
        assert_fails(&answer, Cause::Alert(AlertDescription::UNRECOGNIZED_NAME));
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_closed() {
        assert_fails(&ask(b"", 4096).await, Cause::Closed);
    }

    #[tokio::test]
    async fn a_flight_cut_short_keeps_what_was_read() {
        let answer = ask(&LEGACY_FLIGHT[..LEGACY_FLIGHT.len() - 1], 4096).await;
        assert_fails(&answer, Cause::Closed);
    }

    #[tokio::test]
    async fn plain_text_is_named_in_pieces_of_any_size() {
        for size in [1, 5, 4096] {
            let answer = ask(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n", size).await;
            let status = PlainProtocol::Http("HTTP/1.1 400 Bad Request".into());
            assert_fails(&answer, Cause::NotTls(status));
        }
    }

    #[tokio::test]
    async fn a_greeting_is_read_even_where_the_hello_cannot_be_sent() {
        let (mut client, mut server) = duplex(64);
        server.write_all(b"421 too many connections\r\n").await.unwrap();
        drop(server);
        let answer = exchange(&mut client, &hello(), soon()).await;
        let greeting = PlainProtocol::Greeting("421 too many connections".into());
        assert_fails(&answer, Cause::NotTls(greeting));
    }

    #[tokio::test]
    async fn a_connection_that_accepts_no_hello_is_reset() {
        let (mut client, server) = duplex(64);
        drop(server);
        assert_fails(&exchange(&mut client, &hello(), soon()).await, Cause::Reset);
    }

    #[tokio::test]
    async fn silence_ends_at_the_deadline() {
        let (mut client, _server) = duplex(4096);
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_fails(&exchange(&mut client, &hello(), deadline).await, Cause::TimedOut);
    }

    #[tokio::test]
    async fn a_greeting_without_a_line_end_does_not_wait_for_the_deadline() {
        let (mut client, mut server) = duplex(4096);
        server.write_all(b"\x4a\0\0\0\x0a8.0.36\0").await.unwrap();
        let answer = exchange(&mut client, &hello(), soon()).await;
        assert_fails(&answer, Cause::NotTls(PlainProtocol::Greeting("MySQL 8.0.36".into())));
    }

    #[tokio::test]
    async fn a_flood_is_cut_off() {
        let flood = [22, 3, 1, 0, 4, 0, 0, 0, 0].repeat(40_000);
        assert_fails(&ask(&flood, 4096).await, Cause::TooMuchData);
    }

    #[tokio::test]
    async fn a_broken_protocol_says_how() {
        let answer = ask(&[22, 3, 1, 0, 4, 11, 0, 0, 0], 4096).await;
        assert_fails(&answer, Cause::ProtocolError("handshake message 11 out of place".into()));
    }
}
