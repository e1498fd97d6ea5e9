//! What happens after a handshake: session tickets, late refusals, nginx's HTTP 400, and the goodbye.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::poll_fn;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::cause::cause;
use crate::observation::Cause;
use crate::tls::version::ProtocolVersion;

/// Bytes of an HTTP answer that are looked at; nginx's error page is a tenth of it.
const MAX_ANSWER: usize = 8 * 1024;

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// What was learnt after a handshake in which the server asked for a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Aftermath {
    /// The server ended the connection, and how.
    pub(super) failure: Option<Cause>,
    /// The server answered a request with this HTTP status because of the certificate.
    pub(super) http_refusal: Option<u16>,
}

/// Finds out whether a server that asked for a certificate insists on one.
///
/// A TLS 1.3 server refuses after its peer's handshake is over, so the read comes before any write: a write could turn
/// the alert into a bare reset. nginx completes the handshake, and answers the first request with 400 (or, in its
/// stream module, closes). `http` is the Host to ask for; `None` where the protocol behind TLS is not HTTP.
pub(super) async fn after_request(
    stream: &mut TlsStream<TcpStream>,
    http: Option<&str>,
    wait: Duration,
) -> Aftermath {
    match timeout(wait, first_event(stream)).await {
        Ok(Event::Ended(cause)) => {
            return Aftermath { failure: Some(cause), http_refusal: None };
        }
        Ok(Event::Data) => return Aftermath::default(),
        Ok(Event::Ticket) | Err(_) => {}
    }
    match http {
        Some(host) if speaks_http1(stream) => ask_http(stream, host, wait).await,
        _ => Aftermath::default(),
    }
}

/// Waits for a TLS 1.3 session ticket, which a server sends when it likes.
pub(super) async fn await_ticket(stream: &mut TlsStream<TcpStream>, wait: Duration) {
    // Whatever else happens, an end of the connection included, the second connection will show.
    let _ = timeout(wait, first_event(stream)).await;
}

/// Says goodbye. Without a close_notify OpenSSL forgets the session, and resumption would look unsupported.
pub(super) async fn close(stream: &mut TlsStream<TcpStream>) {
    // A peer that is gone already needs no goodbye.
    let _ = timeout(GOODBYE, stream.shutdown()).await;
}

/// The first thing that happens on an established connection.
enum Event {
    /// A session ticket, or several.
    Ticket,
    /// Application data.
    Data,
    /// The connection ended.
    Ended(Cause),
}

async fn first_event(stream: &mut TlsStream<TcpStream>) -> Event {
    poll_fn(|cx| poll_event(stream, cx)).await
}

fn poll_event(stream: &mut TlsStream<TcpStream>, cx: &mut Context<'_>) -> Poll<Event> {
    let mut space = [0; 1];
    let mut buffer = ReadBuf::new(&mut space);
    match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
        Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
            Poll::Ready(Event::Ended(Cause::Closed))
        }
        Poll::Ready(Ok(())) => Poll::Ready(Event::Data),
        Poll::Ready(Err(error)) => Poll::Ready(Event::Ended(cause(&error))),
        Poll::Pending if has_ticket(stream) => Poll::Ready(Event::Ticket),
        Poll::Pending => Poll::Pending,
    }
}

fn has_ticket(stream: &TlsStream<TcpStream>) -> bool {
    let connection = stream.get_ref().1;
    connection.protocol_version().map(u16::from) == Some(ProtocolVersion::TLS1_3.0)
        && connection.tls13_tickets_received() > 0
}

fn speaks_http1(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol().is_none_or(|name| name == b"http/1.1")
}

async fn ask_http(stream: &mut TlsStream<TcpStream>, host: &str, wait: Duration) -> Aftermath {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shakedown\r\nConnection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        stream.take(MAX_ANSWER as u64).read_to_end(&mut answer).await
    };
    match timeout(wait, exchange).await {
        // Closing in answer to a request says nothing: the peer may speak another protocol. An alert does.
        Ok(Err(error)) => match cause(&error) {
            alert @ Cause::Alert(_) => Aftermath { failure: Some(alert), http_refusal: None },
            _ => Aftermath { failure: None, http_refusal: refusal(&answer) },
        },
        Ok(Ok(_)) | Err(_) => Aftermath { failure: None, http_refusal: refusal(&answer) },
    }
}

/// The status of an HTTP answer that refuses the client for its certificate: nginx's 400 pages ("No required SSL
/// certificate was sent", "The SSL certificate error") and the 403 of other servers say so in the body.
fn refusal(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let status: u16 = text.strip_prefix("http/1.")?.get(2..5)?.parse().ok()?;
    let refuses = matches!(status, 400 | 401 | 403 | 495 | 496) && text.contains("certificate");
    refuses.then_some(status)
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[track_caller]
    fn check(answer: &str, expected: Option<u16>) {
        assert_eq!(refusal(answer.as_bytes()), expected, "{answer:?}");
    }

    #[test]
    fn an_answer_that_names_the_certificate_is_a_refusal() {
        check(
            "HTTP/1.1 400 Bad Request\r\n\r\n<title>400 No required SSL certificate was sent</title>",
            Some(400),
        );
        check(
            "HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The SSL certificate error</title>",
            Some(400),
        );
        check("HTTP/1.1 403 Forbidden\r\n\r\na client certificate is required", Some(403));
    }

    #[test]
    fn any_other_answer_is_not() {
        check("HTTP/1.1 200 OK\r\n\r\nbuy a certificate", None);
        check("HTTP/1.1 400 Bad Request\r\n\r\nmissing Host", None);
        check("* OK IMAP4 ready", None);
        check("HTTP/1.", None);
        check("", None);
    }
}
