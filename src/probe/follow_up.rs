//! What follows a handshake: late refusals, nginx's HTTP 400, replies of mail servers, session tickets, and closing the
//! connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::byte_stream::ByteStream;
use super::cause::cause;
use super::starttls::goodbye::Goodbye;
use crate::observation::{Cause, ClientRefusal};

/// The most bytes of an HTTP answer that are read; nginx's error page has a tenth of that.
const MAX_ANSWER: usize = 8 * 1024;

/// The most bytes that are read while closing.
const MAX_REST: usize = 64 * 1024;

/// The longest line of a refusal that is kept.
const MAX_WORDS: usize = 200;

/// Timeout for sending the goodbye.
const GOODBYE: Duration = Duration::from_millis(200);

/// What was seen after a handshake in which the server asked for a certificate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Aftermath {
    /// How the server ended the connection.
    pub(super) failure: Option<Cause>,
    /// The server refuses the client because of its certificate.
    pub(super) refusal: Option<ClientRefusal>,
    /// The server answered a request.
    pub(super) served: bool,
    /// The connection was reset while closing, which may have hidden an alert.
    pub(super) cut_short: bool,
}

/// How long to wait for unsolicited data, and for the answer to a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For tickets, late alerts, greetings and the end of the connection: a few round trips.
    pub(super) event: Duration,
    /// For the answer to a request.
    pub(super) answer: Duration,
}

/// Tests whether a server that asked for a certificate requires one.
///
/// A TLS 1.3 server refuses after the client has finished the handshake, so this reads before any write: a write could
/// turn the alert into a reset. Session tickets prove nothing: OpenSSL sends them, and then nginx's stream module
/// closes the connection. Its mail module refuses in the mail protocol, and its http module answers the first request
/// with 400. `http` is the Host of the request; `None` if the protocol inside TLS is not HTTP. Without `listens` the
/// server says nothing before the request, unless OpenSSL refuses the certificate: then the alert answers the request, or
/// a reset does, which is looked at again.
pub(super) async fn after_request(
    stream: &mut TlsStream<ByteStream>,
    http: Option<&str>,
    (waits, listens): (Waits, bool),
) -> Aftermath {
    if let Some(host) = http.filter(|_| !listens && speaks_http1(stream)) {
        return ask_http(stream, host, waits.answer).await;
    }
    match (unasked(stream, waits.event).await, http) {
        (Some(aftermath), _) => aftermath,
        (None, Some(host)) if speaks_http1(stream) => ask_http(stream, host, waits.answer).await,
        (None, _) => Aftermath::default(),
    }
}

/// What the server does by itself; `None` if it waits for the client.
pub(super) async fn unasked(
    stream: &mut TlsStream<ByteStream>,
    wait: Duration,
) -> Option<Aftermath> {
    Some(match timeout(wait, first_words(stream)).await.ok()? {
        Err(cause) => Aftermath { failure: Some(cause), ..Aftermath::default() },
        // A greeting does not show that the client is accepted: Dovecot only refuses the login.
        Ok(words) => Aftermath { refusal: refusal_in_words(&words), ..Aftermath::default() },
    })
}

/// The first application data, or how the connection ended without any.
async fn first_words(stream: &mut TlsStream<ByteStream>) -> Result<Vec<u8>, Cause> {
    let mut words = vec![0; 1024];
    match stream.read(&mut words).await {
        Ok(0) => Err(Cause::Closed),
        Ok(count) => {
            words.truncate(count);
            Ok(words)
        }
        Err(error) => Err(cause(&error)),
    }
}

/// A refusal of nginx's mail module: `* BYE No required SSL certificate`, `-ERR SSL certificate error`, `421 4.7.1 No
/// required SSL certificate`.
fn refusal_in_words(words: &[u8]) -> Option<ClientRefusal> {
    let text = String::from_utf8_lossy(words);
    let line = text.lines().next()?.trim_end();
    let lower = line.to_ascii_lowercase();
    let refuses =
        ["* bye", "* no", "* bad", "-err", "4", "5"].iter().any(|start| lower.starts_with(start));
    (refuses && lower.contains("certificate"))
        .then(|| ClientRefusal::Words(line.chars().take(MAX_WORDS).collect()))
}

/// Ends the protocol inside TLS, ends TLS, and reads until the server has closed the connection or the time is up.
/// Returns an alert that arrives only now: a server may refuse its client after a TLS 1.3 handshake that looked
/// complete. Also returns a reset, because our goodbye can turn an alert into one.
///
/// Without a close_notify, OpenSSL drops the session, and resumption would look unsupported. Tickets arrive while
/// reading.
pub(super) async fn part(
    stream: &mut TlsStream<ByteStream>,
    goodbye: Goodbye,
    wait: Duration,
) -> Option<Cause> {
    // A peer that has already gone needs no goodbye, and may have sent the reason.
    if let Ok(Err(error)) = timeout(wait, goodbye.say(stream)).await
        && let alert @ Cause::Alert(_) = cause(&error)
    {
        return Some(alert);
    }
    let _ = timeout(GOODBYE, stream.shutdown()).await;
    timeout(wait, late_alert(stream)).await.ok().flatten()
}

/// The alert that a server sends after a handshake, before it receives anything else.
pub(super) async fn alert_unasked(
    stream: &mut TlsStream<ByteStream>,
    wait: Duration,
) -> Option<Cause> {
    let ended = timeout(wait, first_words(stream)).await.ok()?.err()?;
    Some(ended).filter(|cause| matches!(cause, Cause::Alert(_)))
}

/// Reads to the end. Only an alert matters, or a reset that may have hidden one: a connection that we are closing may
/// end in any other way.
async fn late_alert(stream: &mut TlsStream<ByteStream>) -> Option<Cause> {
    let mut rest = vec![0; 4096];
    let mut read = 0;
    while read < MAX_REST {
        match stream.read(&mut rest).await {
            Ok(0) => return None,
            Ok(count) => read += count,
            Err(error) => {
                return Some(cause(&error))
                    .filter(|cause| matches!(cause, Cause::Alert(_) | Cause::Reset));
            }
        }
    }
    None
}

pub(super) fn speaks_http1(stream: &TlsStream<ByteStream>) -> bool {
    stream.get_ref().1.alpn_protocol().is_none_or(|name| name == b"http/1.1")
}

async fn ask_http(stream: &mut TlsStream<ByteStream>, host: &str, wait: Duration) -> Aftermath {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: shakedown\r\nConnection: close\r\n\r\n"
    );
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        stream.take(MAX_ANSWER as u64).read_to_end(&mut answer).await
    };
    let ended = timeout(wait, exchange).await;
    // Closing after a request proves nothing, as the server may use another protocol. An alert does.
    let alert = match ended {
        Ok(Err(error)) => Some(cause(&error)).filter(|cause| matches!(cause, Cause::Alert(_))),
        Ok(Ok(_)) | Err(_) => None,
    };
    of_answer(&answer).unwrap_or(Aftermath { failure: alert, ..Aftermath::default() })
}

/// What an HTTP/1 answer shows; `None` if it is none.
pub(super) fn of_answer(answer: &[u8]) -> Option<Aftermath> {
    let status = http_status(answer)?;
    Some(if refuses(status, answer) {
        Aftermath { refusal: Some(ClientRefusal::Http(status)), ..Aftermath::default() }
    } else {
        Aftermath { served: !may_refuse(status), ..Aftermath::default() }
    })
}

/// The status of an HTTP/1 answer.
fn http_status(answer: &[u8]) -> Option<u16> {
    let start = String::from_utf8_lossy(answer.get(..16.min(answer.len()))?).to_ascii_lowercase();
    start.strip_prefix("http/1.")?.get(2..5)?.parse().ok()
}

/// Whether an HTTP answer refuses the client for its certificate: the bodies of nginx's 400 pages ("No required SSL
/// certificate was sent", "The SSL certificate error") and of other servers' 403 pages say so.
fn refuses(status: u16, answer: &[u8]) -> bool {
    may_refuse(status)
        && String::from_utf8_lossy(answer).to_ascii_lowercase().contains("certificate")
}

/// Whether servers use this status for a missing certificate.
pub(super) fn may_refuse(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 421 | 495 | 496)
}

#[cfg(test)]
mod tests {
    use super::{http_status, refusal_in_words, refuses};
    use crate::observation::ClientRefusal;

    #[track_caller]
    fn check(answer: &str, expected: Option<u16>) {
        let answer = answer.as_bytes();
        let refused = http_status(answer).filter(|status| refuses(*status, answer));
        assert_eq!(refused, expected, "{answer:?}");
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

    #[test]
    fn mail_servers_refuse_in_their_own_words() {
        for line in [
            "* BYE No required SSL certificate",
            "-ERR SSL certificate error",
            "421 4.7.1 No required SSL certificate",
        ] {
            let refusal = refusal_in_words(format!("{line}\r\n").as_bytes());
            assert_eq!(refusal, Some(ClientRefusal::Words(line.to_owned())));
        }
        for line in ["* OK IMAP4 ready", "220 certificate.test ESMTP", "+OK", "421 too many", ""] {
            assert_eq!(refusal_in_words(line.as_bytes()), None, "{line}");
        }
    }
}
