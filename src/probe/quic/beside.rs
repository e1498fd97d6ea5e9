//! What TCP answers where a QUIC socket is: the same handshake, and whether the answer to a request leads clients to HTTP/3.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::observation::{Cause, Failure, Handshake, Observed, Stage};
use crate::probe::byte_stream::ByteStream;
use crate::probe::cause::cause;
use crate::probe::complete::{Caller, client_auth, session, untried};
use crate::probe::follow_up::{self, Aftermath};
use crate::probe::offer::Offer;
use crate::probe::plan::Cell;
use crate::probe::served::status;
use crate::probe::starttls::goodbye::Goodbye;

/// The longest head of an answer that is read, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The longest value that is kept, in bytes.
const MAX_VALUE: usize = 200;

/// The handshake over TCP, and the Alt-Svc header of the answer to `GET /`.
pub(super) async fn ask(caller: &Caller<'_>, cell: &Cell) -> (Handshake, Observed<String>) {
    let mut seen = untried(cell);
    let kit = match caller.kit(cell, &Offer::default()) {
        Ok(kit) => kit,
        Err(failure) => {
            seen.outcome = Err(failure);
            return (seen, Observed::NotTried);
        }
    };
    let connection = match caller.open().await {
        Ok(connection) => connection,
        Err(failure) => {
            seen.outcome = Err(failure);
            return (seen, Observed::NotTried);
        }
    };
    seen.connect_time = Some(connection.took);
    let waits = caller.waits(connection.took);
    let shaken = caller.shake_hands(connection.stream, cell, Arc::clone(&kit.config)).await;
    let mut advertised = Observed::NotTried;
    seen.outcome = match shaken {
        Err(failure) => Err(failure),
        Ok(mut stream) => {
            let session = session(&stream);
            if follow_up::speaks_http1(&stream) {
                let host = cell.sni.clone().unwrap_or_else(|| caller.address().ip().to_string());
                advertised = timeout(waits.answer, alternative(&mut stream, &host))
                    .await
                    .unwrap_or_else(|_| failed(Cause::TimedOut));
            }
            let _ = follow_up::part(&mut stream, Goodbye::Silent, waits.event).await;
            Ok(session)
        }
    };
    drop(connection.permits);
    let facts = kit.recorder.take();
    seen.chain = facts.chain;
    seen.client_auth = client_auth(facts.request, &seen.outcome, Aftermath::default());
    (seen, advertised)
}

async fn alternative(stream: &mut TlsStream<ByteStream>, host: &str) -> Observed<String> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shakedown\r\nConnection: close\r\n\r\n"
    );
    let mut head = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut buffer = vec![0; 4096];
        while head.len() < MAX_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    match exchange.await {
        Err(error) if head.is_empty() => failed(cause(&error)),
        _ => in_head(&head),
    }
}

fn failed(cause: Cause) -> Observed<String> {
    Observed::Failed(Failure { stage: Stage::PostHandshake, cause })
}

/// The header in the head of an answer. Only where the request was served does it say anything that there is none: nginx adds
/// headers to no other answers, unless told so (`always`).
fn in_head(head: &[u8]) -> Observed<String> {
    let text = String::from_utf8_lossy(head);
    let lines = text.lines().skip(1).take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("alt-svc").then(|| value.trim())
    });
    match (values.next(), status(head)) {
        (Some(value), _) => Observed::Seen(value.chars().take(MAX_VALUE).collect()),
        (None, Some(200..=399)) => Observed::Absent,
        (None, _) => Observed::NotTried,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_served_request_shows_that_a_header_is_missing() {
        let of = |text: &str| in_head(text.as_bytes());
        let header = "HTTP/1.1 404 Not Found\r\nALT-SVC: h3=\":443\"\r\n\r\n";
        assert_eq!(of(header), Observed::Seen("h3=\":443\"".to_owned()));
        assert_eq!(of("HTTP/1.1 204 No Content\r\n\r\nAlt-Svc: x"), Observed::Absent);
        assert_eq!(of("HTTP/1.1 404 Not Found\r\n\r\n"), Observed::NotTried);
        assert_eq!(of("nonsense"), Observed::NotTried);
    }
}
