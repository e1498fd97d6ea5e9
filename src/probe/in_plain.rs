//! nginx's connection to an upstream without TLS: what it sends, and whether the port expects TLS.

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::complete::Caller;
use super::plain::classify;
use super::served::{ANSWER, read, refusal_subject, status};
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::{NoAnswer, Served};
use crate::observation::{Cause, Failure};
use crate::targets::nginx_client::{NginxClient, NginxRequest, SettingChange};
use crate::tls::alert::AlertDescription;

/// The HTTP/2 preface and empty settings (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Sends what nginx sends. If that is not served, also sends a hello.
pub(super) async fn attempt(caller: &Caller<'_>, client: &NginxClient) -> (NoAnswer, Served) {
    let served = match &client.request {
        None => Served::NotAsked,
        Some(request) => match speak(caller, client.module, request).await {
            Ok(served) => served,
            Err(failure) => return (NoAnswer::Failed(failure), Served::NotAsked),
        },
    };
    if matches!(served, Served::Answer { .. } | Served::Spoken) {
        return (NoAnswer::Plain(None), served);
    }
    let hello = match client.with(&SettingChange::Tls(String::new())).hello() {
        Err(_) => None,
        Ok(hello) => match caller.exchange(&hello).await {
            Ok(answer) => Some(answer.outcome),
            Err(failure) => Some(Err(failure)),
        },
    };
    (NoAnswer::Plain(hello), served)
}

async fn speak(
    caller: &Caller<'_>,
    module: ProxyModule,
    request: &NginxRequest,
) -> Result<Served, Failure> {
    let mut connection = caller.open().await?;
    let wait = caller.waits(connection.took).answer.min(ANSWER);
    let words = match module {
        ProxyModule::Grpc => HTTP2.to_vec(),
        ProxyModule::Uwsgi => uwsgi(request),
        ProxyModule::Proxy | ProxyModule::Stream => request.bytes(),
    };
    let exchange = async {
        // The answer matters, even if not everything could be sent.
        let _ = connection.stream.write_all(&words).await;
        read(&mut connection.stream, |answer| decides(module, answer)).await
    };
    let Ok((answer, ended)) = timeout(wait, exchange).await else { return Ok(Served::Silent) };
    Ok(meaning(module, &answer, ended))
}

/// Whether the data received so far shows the protocol.
fn decides(module: ProxyModule, answer: &[u8]) -> bool {
    alert(answer).is_some() || (module == ProxyModule::Grpc && answer.len() >= 9)
}

fn meaning(module: ProxyModule, answer: &[u8], ended: Option<Cause>) -> Served {
    const SETTINGS: u8 = 4;
    if let Some(alert) = alert(answer) {
        return Served::Ended(Cause::Alert(alert));
    }
    match (module, status(answer)) {
        (ProxyModule::Grpc, _) if answer.get(3) == Some(&SETTINGS) => Served::Spoken,
        (ProxyModule::Proxy | ProxyModule::Uwsgi, Some(status)) => {
            Served::Answer { status, subject: refusal_subject(status, answer) }
        }
        _ if answer.is_empty() => Served::Ended(ended.unwrap_or(Cause::Closed)),
        _ => Served::Ended(Cause::NotTls(classify(answer))),
    }
}

/// The alert that a TLS server sends if it receives something other than a hello.
fn alert(answer: &[u8]) -> Option<AlertDescription> {
    match answer {
        [21, 3, _, 0, 2, _, description, ..] => Some(AlertDescription(*description)),
        _ => None,
    }
}

/// The request of `uwsgi_pass`.
fn uwsgi(request: &NginxRequest) -> Vec<u8> {
    let variables = [
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", &*request.path),
        ("PATH_INFO", &*request.path),
        ("QUERY_STRING", ""),
        ("CONTENT_LENGTH", ""),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_HOST", &*request.host),
    ];
    let mut body = Vec::new();
    for text in variables.iter().flat_map(|(name, value)| [name, value]) {
        // Both are far shorter than 64 kB: an argument of a directive has at most 4 kB.
        body.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
        body.extend(text.as_bytes());
    }
    let [low, high] = u16::try_from(body.len()).unwrap_or(0).to_le_bytes();
    [vec![0, low, high, 0], body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::PlainProtocol;
    use crate::observation::nginx::RefusalSubject;

    #[test]
    fn what_comes_back_tells_what_is_spoken() {
        let http = |answer: &[u8]| meaning(ProxyModule::Proxy, answer, None);
        let ended = Served::Ended(Cause::Alert(AlertDescription(80)));
        assert_eq!(http(b"\x15\x03\x03\0\x02\x02\x50"), ended);
        let text =
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        assert_eq!(http(text), Served::Answer { status: 400, subject: RefusalSubject::PlainText });
        let page = Served::Answer { status: 200, subject: RefusalSubject::None };
        assert_eq!(http(b"HTTP/1.1 200 OK\r\n\r\n"), page);
        assert_eq!(
            meaning(ProxyModule::Proxy, b"", Some(Cause::Reset)),
            Served::Ended(Cause::Reset)
        );
        let grpc = |answer: &[u8]| meaning(ProxyModule::Grpc, answer, None);
        assert_eq!(grpc(b"\0\0\0\x04\0\0\0\0\0"), Served::Spoken);
        let line = PlainProtocol::Http("HTTP/1.1 400 Bad Request".to_owned());
        let http1 = Served::Ended(Cause::NotTls(line));
        assert_eq!(grpc(b"HTTP/1.1 400 Bad Request\r\n"), http1);
    }

    #[test]
    fn a_request_in_uwsgi_says_its_size() {
        let request = NginxRequest::get("a.test", "/");
        let bytes = uwsgi(&request);
        assert_eq!(usize::from(u16::from_le_bytes([bytes[1], bytes[2]])), bytes.len() - 4);
        assert_eq!(&bytes[4..20], b"\x0e\0REQUEST_METHOD");
    }
}
