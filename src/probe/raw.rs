//! The raw engine: our own hello, and how the server's flight begins. No cryptography, so it sees what the complete
//! engine cannot speak.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::plain;
use crate::observation::{Cause, Failure, RawChoice, Stage};
use crate::tls::flight::{Answer, Flight, ServerHello};
use crate::tls::hello::ClientHello;

/// Sends a hello and reads until the answer can be told, within `deadline`.
pub async fn exchange<S>(
    stream: &mut S,
    hello: &ClientHello,
    deadline: Duration,
) -> Result<RawChoice, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let talk = async {
        stream.write_all(&hello.record()).await.map_err(|error| ended(&error))?;
        stream.flush().await.map_err(|error| ended(&error))?;
        answer(stream).await
    };
    let outcome = timeout(deadline, talk).await.unwrap_or(Err(Cause::TimedOut));
    outcome.map_err(|cause| Failure { stage: Stage::Handshake, cause })
}

async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<RawChoice, Cause> {
    let mut flight = Flight::default();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return Err(Cause::Closed),
            Ok(count) => flight.feed(&buffer[..count]),
            Err(error) => return Err(ended(&error)),
        }
        match flight.answer() {
            Some(Answer::Hello(hello)) => {
                let ServerHello { version, cipher_suite, group, .. } = hello;
                return Ok(RawChoice { version, cipher_suite, group });
            }
            Some(Answer::Alert(alert)) => return Err(Cause::Alert(alert)),
            Some(Answer::NotTls) => return Err(Cause::NotTls(plain::classify(flight.bytes()))),
            Some(Answer::Broken(what)) => return Err(Cause::ProtocolError(what.to_owned())),
            None if flight.is_full() => return Err(Cause::TooMuchData),
            None => {}
        }
    }
}

fn ended(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Cause::Closed,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => Cause::Reset,
        _ => Cause::Local(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::PlainProtocol;
    use crate::tls::alert::AlertDescription;
    use crate::tls::version::ProtocolVersion;

    async fn exchange_with(answer: &[u8]) -> Result<RawChoice, Cause> {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let hello = ClientHello::probe(ProtocolVersion::TLS1_2);
        exchange(&mut ours, &hello, Duration::from_secs(5)).await.map_err(|failure| failure.cause)
    }

    #[tokio::test]
    async fn every_kind_of_answer_has_its_cause() {
        assert_eq!(exchange_with(b"").await, Err(Cause::Closed));
        assert_eq!(
            exchange_with(&[21, 3, 3, 0, 2, 2, 40]).await,
            Err(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE))
        );
        assert_eq!(
            exchange_with(b"SSH-2.0-x\r\n").await,
            Err(Cause::NotTls(PlainProtocol::Ssh("SSH-2.0-x".to_owned())))
        );
    }

    #[tokio::test]
    async fn a_flood_is_cut_off() {
        let mut flood = vec![22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff];
        flood.resize(5 + 0x4000, 0);
        let next: Vec<u8> = [22, 3, 3, 0x40, 0].into_iter().chain([0; 0x4000]).collect();
        let flood = [flood, next.repeat(20)].concat();
        assert_eq!(exchange_with(&flood).await, Err(Cause::TooMuchData));
    }
}
