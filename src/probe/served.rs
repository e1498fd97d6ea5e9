//! A handshake, the client's request, and the event that decides: an answer, an alert, or the end of the connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::byte_stream::ByteStream;
use super::cause::cause;
use super::complete::{Caller, Kit, client_auth, session, settle, untried};
use super::follow_up::{self, Aftermath, Waits};
use super::offer::Offer;
use super::plan::Cell;
use super::starttls::goodbye::Goodbye;
use crate::observation::nginx::{RefusalSubject, Served};
use crate::observation::{Cause, ClientRefusal, Failure, Handshake, Session};
use crate::targets::nginx_client::NginxRequest;
use crate::tls::version::ProtocolVersion;

/// The most bytes of an answer that are read; an error page has a tenth of that.
const MAX_ANSWER: usize = 8 * 1024;

/// Timeout for an answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// Timeout for the rest of an error page.
const REST: Duration = Duration::from_millis(300);

impl Caller<'_> {
    /// One complete handshake of that shape, followed by the request.
    pub(super) async fn act(
        &self,
        cell: &Cell,
        offer: &Offer,
        request: Option<&NginxRequest>,
    ) -> (Handshake, Served) {
        let mut seen = untried(cell);
        let (outcome, served) = match self.kit(cell, offer) {
            Ok(kit) => self.handshake(cell, (offer, &kit), request, &mut seen).await,
            Err(failure) => (Err(failure), Served::NotAsked),
        };
        seen.outcome = outcome;
        (seen, served)
    }

    /// Connects, completes a handshake with this kit, and observes what follows: with a request, the answer.
    pub(super) async fn handshake(
        &self,
        cell: &Cell,
        (offer, kit): (&Offer, &Kit),
        request: Option<&NginxRequest>,
        seen: &mut Handshake,
    ) -> (Result<Session, Failure>, Served) {
        let connection = match self.open().await {
            Ok(connection) => connection,
            Err(failure) => return (Err(failure), Served::NotAsked),
        };
        seen.connect_time = Some(connection.took);
        let started = Instant::now();
        let result = self.shake_hands(connection.stream, cell, Arc::clone(&kit.config)).await;
        seen.handshake_time = Some(started.elapsed());
        let (outcome, mut aftermath, served) = match result {
            Err(failure) => (Err(failure), Aftermath::default(), Served::NotAsked),
            Ok(mut stream) => {
                let session = session(&stream);
                let waits = self.waits(connection.took);
                let (aftermath, served) = match request {
                    Some(request) if follow_up::speaks_http1(&stream) => {
                        let asked = kit.recorder.saw_request();
                        let found =
                            served(&mut stream, request, (cell.version, asked), waits).await;
                        let _ = follow_up::part(&mut stream, Goodbye::Silent, waits.event).await;
                        found
                    }
                    _ => {
                        let aftermath =
                            self.follow_up(&mut stream, cell, &kit.recorder, waits).await;
                        (aftermath, Served::NotAsked)
                    }
                };
                (Ok(session), aftermath, served)
            }
        };
        drop(connection.permits);
        let facts = kit.recorder.take();
        if aftermath.cut_short {
            aftermath.failure = self.look_again(cell, offer).await;
        }
        seen.chain = facts.chain;
        seen.bad_signature = facts.bad_signature;
        seen.unchecked_signature = facts.unchecked_signature;
        seen.signature_scheme = facts.scheme;
        let outcome = settle(outcome, aftermath.failure.clone())
            .map(|session| Session { ocsp_staple: facts.ocsp_staple, ..session });
        seen.client_auth = client_auth(facts.request, &outcome, aftermath);
        (outcome, served)
    }
}

/// What comes of a request, and what that means for the handshake; `asked` is whether the server asked for a certificate.
///
/// A server may end the connection because of the Host or the path (nginx's `return 444`). If they are assumed, an end
/// therefore means something only before the request.
async fn served(
    stream: &mut TlsStream<ByteStream>,
    request: &NginxRequest,
    (version, asked): (ProtocolVersion, bool),
    waits: Waits,
) -> (Aftermath, Served) {
    if request.assumed
        && asked
        && let Some(aftermath) = follow_up::unasked(stream, waits.event).await
    {
        let served = aftermath.failure.clone().map_or(Served::Spoken, Served::Ended);
        return (aftermath, served);
    }
    let served = ask(stream, request, version, waits.answer.min(ANSWER)).await;
    (aftermath(&served, asked, request.assumed), served)
}

/// What an answer means for the handshake: an alert revokes it. So does an end without an answer, if the server asked
/// for a certificate, and the request is known to be nginx's.
fn aftermath(served: &Served, asked: bool, assumed: bool) -> Aftermath {
    let mut aftermath = Aftermath::default();
    match served {
        Served::Ended(cause @ Cause::Alert(_)) => aftermath.failure = Some(cause.clone()),
        Served::Ended(cause @ (Cause::Closed | Cause::Reset)) if asked && !assumed => {
            aftermath.failure = Some(cause.clone());
        }
        Served::Answer { status, subject: RefusalSubject::Certificate } if asked => {
            aftermath.refusal = Some(ClientRefusal::Http(*status));
        }
        Served::Answer { status, .. } => {
            aftermath.served = !(assumed && follow_up::may_refuse(*status));
        }
        _ => {}
    }
    aftermath
}

async fn ask(
    stream: &mut TlsStream<ByteStream>,
    request: &NginxRequest,
    version: ProtocolVersion,
    wait: Duration,
) -> Served {
    let exchange = async {
        // The answer matters, even if not everything could be sent.
        let _ = stream.write_all(&request.bytes()).await;
        let _ = stream.flush().await;
        if version < ProtocolVersion::TLS1_3 && renegotiates(stream).await {
            return Served::Renegotiates;
        }
        answer(stream).await
    };
    timeout(wait, exchange).await.unwrap_or(Served::Silent)
}

/// Whether the server answers a request by asking for another handshake: after the first one, a TLS 1.2 record with a
/// handshake message is a HelloRequest.
async fn renegotiates(stream: &TlsStream<ByteStream>) -> bool {
    const HANDSHAKE: u8 = 22;
    let mut first = [0];
    matches!(stream.get_ref().0.peek(&mut first).await, Ok(1)) && first == [HANDSHAKE]
}

/// Reads an answer until it is conclusive.
async fn answer(stream: &mut TlsStream<ByteStream>) -> Served {
    let (answer, ended) = read(stream, |_| false).await;
    match (status(&answer), ended) {
        (Some(status), _) => Served::Answer { status, subject: refusal_subject(status, &answer) },
        (None, Some(ended)) if answer.is_empty() => Served::Ended(ended),
        (None, _) => Served::Silent,
    }
}

/// Reads until the answer is conclusive or the connection ends. `enough` detects other conclusive data than a status.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    enough: impl Fn(&[u8]) -> bool,
) -> (Vec<u8>, Option<Cause>) {
    let mut answer = Vec::new();
    let ended = loop {
        let mut buffer = vec![0; 2048];
        let read = stream.read(&mut buffer);
        let read = match status(&answer) {
            Some(status) if !(400..500).contains(&status) => break None,
            // The page contains the reason for a refusal.
            Some(_) => match timeout(REST, read).await {
                Ok(read) => read,
                Err(_) => break None,
            },
            None => read.await,
        };
        match read {
            Ok(0) => break Some(Cause::Closed),
            Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) => break Some(cause(&error)),
        }
        if answer.len() > MAX_ANSWER || enough(&answer) {
            break None;
        }
    };
    (answer, ended)
}

/// The status of an HTTP answer, after its status line is complete.
pub(super) fn status(answer: &[u8]) -> Option<u16> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(answer.get(..end)?).ok()?;
    line.strip_prefix("HTTP/")?.split(' ').nth(1)?.trim().parse().ok()
}

/// Messages of servers that expect TLS: nginx, Go, Apache, Tomcat.
const PLAIN_TEXT: [&str; 4] = [
    "plain http request was sent to https port",
    "http request to an https server",
    "speaking plain http to an ssl",
    "host and port requires tls",
];

/// The reason that a refusal gives.
pub(super) fn refusal_subject(status: u16, answer: &[u8]) -> RefusalSubject {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match status {
        421 => RefusalSubject::Name,
        400..=499 if says(&PLAIN_TEXT) => RefusalSubject::PlainText,
        400 | 401 | 403 | 495 | 496 if says(&["post-handshake authentication"]) => {
            RefusalSubject::PostHandshakeAuthentication
        }
        400 | 403
            if says(&[
                "server name indication",
                "(sni)",
                "invalid sni",
                "host does not match sni",
            ]) =>
        {
            RefusalSubject::Name
        }
        400 | 401 | 403 | 495 | 496 if says(&["certificate"]) => RefusalSubject::Certificate,
        _ => RefusalSubject::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_once_its_line_is_whole() {
        assert_eq!(status(b"HTTP/1.1 421 Misdirected Request\r\n"), Some(421));
        assert_eq!(status(b"HTTP/1.0 200\n"), Some(200));
        assert_eq!(status(b"HTTP/1.1 421 Misdir"), None);
        assert_eq!(status(b"* OK IMAP4 ready\r\n"), None);
    }

    #[test]
    fn a_refusal_says_what_it_is_about() {
        let of = |status, text: &str| refusal_subject(status, text.as_bytes());
        assert_eq!(of(421, ""), RefusalSubject::Name);
        assert_eq!(of(400, "<h2>Invalid SNI</h2>"), RefusalSubject::Name);
        assert_eq!(of(400, "No required SSL certificate was sent"), RefusalSubject::Certificate);
        let apache = "Reason: Cannot perform Post-Handshake Authentication.<br />";
        assert_eq!(of(403, apache), RefusalSubject::PostHandshakeAuthentication);
        assert_eq!(of(403, "forbidden"), RefusalSubject::None);
        assert_eq!(of(200, "buy a certificate"), RefusalSubject::None);
        let go = "Client sent an HTTP request to an HTTPS server.";
        assert_eq!(of(400, go), RefusalSubject::PlainText);
    }
}
