//! One handshake of a capture, as the document has it.

use super::document::{
    CapturedAlert, CapturedHandshake, EndView, FailureView, HandshakeResult, HelloView, ServedBy,
    WaitingClient,
};
use super::kinds::{directives, evidence, is_inferred, renamed};
use super::utc;
use crate::capture::blame::Blame;
use crate::capture::configured::ServingBlock;
use crate::capture::exchange::{Breakdown, Conclusion, Exchange, ExchangeAlert, Party};
use crate::capture::placeholders::Placeholders;
use crate::capture::seen_hello::{SeenHello, meant, version_name};
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;

/// The handshake, what serves it, and why it failed.
pub(super) fn view(
    exchange: &Exchange,
    block: Option<&ServingBlock<'_>>,
    blame: Option<&Blame>,
    waiting: &[WaitingClient],
    placeholders: &Placeholders,
) -> CapturedHandshake {
    let answer = exchange.answer.as_ref();
    let alpn = answer.and_then(|answer| answer.alpn.as_deref());
    let (result, doubt) = match exchange.conclusion {
        Conclusion::Established => (HandshakeResult::Established, None),
        Conclusion::Failed(_) => (HandshakeResult::Failed, None),
        Conclusion::Unclear(doubt) => (HandshakeResult::Unclear, Some(doubt)),
    };
    CapturedHandshake {
        transport: exchange.transport,
        time: utc(exchange.opened),
        client: exchange.client.to_string(),
        proxied_client: exchange.proxied.map(|client| client.to_string()),
        server: exchange.server.to_string(),
        served_by: block.map(|block| served_by(block, placeholders)),
        preface: exchange.preface,
        hello: exchange.hello.as_deref().map(hello),
        retried: exchange.retry.is_some(),
        version: exchange.version.map(version_name),
        cipher_suite: answer.map(|answer| answer.cipher_suite.to_string()),
        group: exchange.group.map(|group| group.to_string()),
        alpn: alpn.map(text),
        chain: exchange.chain.iter().map(ToString::to_string).collect(),
        client_chain: exchange.client_chain.iter().map(ToString::to_string).collect(),
        resumed: exchange.resumed,
        client_certificate: exchange.client_certificate,
        alerts: exchange.alerts.iter().map(alert).collect(),
        decrypted: exchange.is_opened,
        end: exchange.end.map(|end| EndView { by: end.by, reset: end.reset, time: utc(end.time) }),
        hello_ms: exchange.hello_time.map(|time| milliseconds(time - exchange.opened)),
        answer_ms: exchange
            .hello_time
            .zip(exchange.answer_time)
            .map(|(hello, answer)| milliseconds(answer - hello)),
        complete: exchange.whole,
        result,
        failure: blame.map(|blame| failure(exchange, blame, waiting, placeholders)),
        doubt,
    }
}

fn failure(
    exchange: &Exchange,
    blame: &Blame,
    waiting: &[WaitingClient],
    placeholders: &Placeholders,
) -> FailureView {
    FailureView {
        class: blame.class,
        by: ended_by(exchange),
        inferred: is_inferred(exchange),
        causes: blame.causes.iter().map(|(cause, _)| cause.id).collect(),
        directives: directives(&renamed(&blame.directives, placeholders)),
        on_behalf_of: waiting.to_vec(),
        evidence: evidence(blame, placeholders),
    }
}

fn served_by(block: &ServingBlock<'_>, placeholders: &Placeholders) -> ServedBy {
    let place = block.place();
    ServedBy {
        listen: placeholders.text(block.socket()),
        file: place.file.to_string(),
        line: place.line,
        server_name: block.name(),
        is_default: block.is_default(),
    }
}

fn ended_by(exchange: &Exchange) -> Party {
    match exchange.conclusion {
        Conclusion::Failed(
            Breakdown::Alert { by, .. }
            | Breakdown::SealedAlert { by, .. }
            | Breakdown::QuicClosed { by, .. }
            | Breakdown::Left { by, .. },
        ) => by,
        Conclusion::Failed(Breakdown::Unanswered { .. }) => Party::Client,
        _ => Party::Server,
    }
}

fn hello(hello: &SeenHello) -> HelloView {
    let groups = |numbers: &[u16]| meant(numbers).map(|it| NamedGroup(it).to_string()).collect();
    HelloView {
        ja3: hello.ja3(),
        ja4: hello.ja4(),
        server_name: hello.server_name.as_deref().map(text),
        versions: hello.named_versions().into_iter().map(version_name).collect(),
        cipher_suites: hello.cipher_suites().map(|suite| suite.to_string()).collect(),
        groups: groups(&hello.groups),
        key_shares: groups(&hello.key_shares),
        signature_schemes: hello.signature_schemes().map(|scheme| scheme.to_string()).collect(),
        alpn: hello.alpn.iter().map(|name| text(name)).collect(),
        extensions: meant(&hello.extensions).collect(),
        size: hello.length,
        sslv2_form: hello.is_ssl2,
        ech: hello.has_ech(),
        ticket: hello.has_ticket,
        early_data: hello.has_early_data(),
    }
}

fn alert(alert: &ExchangeAlert) -> CapturedAlert {
    CapturedAlert {
        by: alert.by,
        fatal: alert.fatal,
        number: alert.description.map(|description| description.0),
        name: alert.description.and_then(AlertDescription::name),
        inferred: alert.inferred,
        decrypted: alert.opened,
        time: utc(alert.time),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a duration in a report")]
fn milliseconds(nanos: i64) -> f64 {
    (nanos.max(0) / 1000) as f64 / 1000.0
}
