//! Why a handshake failed: the row and the causes of the table that `explain` and `log` use, chosen by what the hello offers, how
//! far the handshake came, what the server was seen to accept, and what its configuration says.

mod chains;
mod common;
mod known;
mod rows;
mod upstream;

pub use self::chains::ChainJudge;
use self::common::{nothing_in_common, versions};
pub use self::known::KnownServer;
pub use self::rows::Blame;
use self::rows::{as_client_says, of, reason, unexplained};
use super::conclusion::PATIENCE;
use super::exchange::{Breakdown, ClientCertificate, Exchange, HandshakeStage, Party};
use super::seen_hello::SeenHello;
use crate::log::table::{self, Likelihood, Sign, Weight};
use crate::tls::alert::AlertDescription;
use crate::tls::version::ProtocolVersion;

/// The directives that the causes lead to; of the certificate, where the client refuses it.
const DIRECTIVES: [(&str, &str); 20] = [
    ("client-version-too-low", "ssl_protocols"),
    ("client-unsupported-protocol", "ssl_protocols"),
    ("client-unsupported-protocol-benign", "ssl_protocols"),
    ("client-no-shared-cipher", "ssl_ciphers"),
    ("client-no-suitable-sigalg", "ssl_certificate"),
    ("client-no-suitable-key-share", "ssl_ecdh_curve"),
    ("client-rejects-our-cert", "ssl_certificate"),
    ("client-unknown-ca", "ssl_certificate"),
    ("client-cert-callback-error", "ssl_certificate"),
    ("client-no-server-certificate", "ssl_certificate"),
    ("client-cert-expired", "ssl_client_certificate"),
    ("client-cert-not-yet-valid", "ssl_client_certificate"),
    ("client-cert-untrusted", "ssl_client_certificate"),
    ("client-cert-purpose", "ssl_client_certificate"),
    ("client-cert-revoked", "ssl_crl"),
    ("client-crl-missing", "ssl_crl"),
    ("client-mtls-no-cert-http400", "ssl_verify_client"),
    ("client-sni-rejected", "ssl_reject_handshake"),
    ("client-plain-http", "listen"),
    ("client-proxy-protocol-mismatch", "listen"),
];

/// The directive that decides about a failure.
fn decisive(blame: &Blame, breakdown: Breakdown) -> Option<&'static str> {
    if blame.decides.is_some() {
        return blame.decides;
    }
    // Where several causes are merely possible, no directive is known to decide.
    let (cause, likelihood) = blame.causes.first()?;
    if *likelihood != Likelihood::Likely {
        return None;
    }
    let by_client = matches!(
        breakdown,
        Breakdown::Alert { by: Party::Client, .. }
            | Breakdown::SealedAlert { by: Party::Client, .. }
    );
    if by_client && cause.id == "client-cert-expired" {
        return Some("ssl_certificate");
    }
    let mut rows = DIRECTIVES.iter();
    rows.find(|(id, _)| *id == cause.id).map(|(_, directive)| *directive)
}

/// Why that handshake failed, given what is known of its server.
pub fn blame(exchange: &Exchange, breakdown: Breakdown, known: KnownServer<'_>) -> Blame {
    if let Some(upstream) = known.upstream {
        let mut blame = upstream::blame(exchange, breakdown, upstream);
        blame.evidence.splice(..0, [observed(exchange, breakdown)]);
        return blame;
    }
    let mut blame = match breakdown {
        Breakdown::Alert { by: Party::Client, description, .. } => {
            of(Sign::Alert(Some(description.0)))
        }
        Breakdown::Alert { by: Party::Server, description, stage } => {
            by_server(exchange, description, stage, known)
        }
        Breakdown::SealedAlert { by, .. } => sealed(exchange, by),
        Breakdown::PlainHttp => of(Sign::Begins("client sent plain HTTP request to HTTPS port")),
        Breakdown::NotTls { .. } => as_client_says("server gave HTTP response to HTTPS client"),
        Breakdown::Left { by, stage, .. } | Breakdown::QuicClosed { by, stage, .. } => {
            left(exchange, by, stage)
        }
        Breakdown::NoQuicVersion => unexplained(),
        Breakdown::Unanswered { .. } => as_client_says("SSL connection timeout"),
    };
    if let Some(judge) = known.judge {
        judge.explain(&mut blame, exchange, breakdown);
    }
    blame.evidence.splice(..0, [observed(exchange, breakdown)]);
    let directive =
        known.block.and_then(|block| Some(block.directive(decisive(&blame, breakdown)?)));
    blame.directives.extend(directive);
    blame
}

/// What the server would have logged where it refused.
fn by_server(
    exchange: &Exchange,
    description: AlertDescription,
    stage: HandshakeStage,
    known: KnownServer<'_>,
) -> Blame {
    if stage >= HandshakeStage::AfterAnswer {
        return after_answer(exchange, description);
    }
    let hello = exchange.hello.as_deref();
    match description.0 {
        // SSLv3 has no other alert for this.
        40 if hello.is_some_and(is_ssl3) && known.speaks(ProtocolVersion::SSL3) != Some(true) => {
            reason(reason::VERSION_TOO_LOW)
        }
        40 | 71 => hello.map_or_else(
            || reason(reason::NO_SHARED_CIPHER),
            |hello| nothing_in_common(hello, known),
        ),
        70 => {
            let low = hello.is_some_and(is_ssl3);
            let mut blame =
                reason(if low { reason::VERSION_TOO_LOW } else { reason::UNSUPPORTED_PROTOCOL });
            blame.evidence.extend(known.accepted.map(versions));
            blame
        }
        86 => reason(reason::FALLBACK),
        112 => of(Sign::Says("handshake rejected")),
        120 => reason(reason::NO_APPLICATION_PROTOCOL),
        109 => reason(reason::MISSING_EXTENSION),
        10 | 22 | 47 | 50 => reason(reason::BAD_EXTENSION),
        20 | 51 => reason(reason::BAD_RECORD),
        // OpenSSL fails so where its security level forbids the signatures of TLS 1.1 and older.
        80 if hello.is_some_and(|hello| hello.newest() < ProtocolVersion::TLS1_2) => {
            reason(reason::NO_SIGNATURE)
        }
        80 => reason(reason::CERTIFICATE_CALLBACK),
        _ => unexplained(),
    }
}

fn is_ssl3(hello: &SeenHello) -> bool {
    hello.newest() <= ProtocolVersion::SSL3
}

/// The server refuses after it has answered: the client's certificate, or what does not decrypt.
fn after_answer(exchange: &Exchange, description: AlertDescription) -> Blame {
    let empty = exchange.client_certificate == Some(ClientCertificate::Empty);
    let sent = exchange.client_certificate == Some(ClientCertificate::Sent);
    match description.0 {
        40 | 42 | 116 if empty => reason(reason::NO_CLIENT_CERTIFICATE),
        116 => reason(reason::NO_CLIENT_CERTIFICATE),
        43 => of(Sign::Verify(Some(26))),
        44 => of(Sign::Verify(Some(23))),
        45 => of(Sign::Verify(Some(10))),
        42 | 46 | 48 | 49 => reason(reason::CLIENT_CERTIFICATE),
        // A signature in it does not fit.
        51 if sent => reason(reason::CLIENT_CERTIFICATE),
        20 | 51 => reason(reason::BAD_RECORD),
        10 | 22 | 47 | 50 => reason(reason::BAD_EXTENSION),
        _ => unexplained(),
    }
}

/// An alert that TLS 1.3 encrypts.
fn sealed(exchange: &Exchange, by: Party) -> Blame {
    let empty = exchange.client_certificate == Some(ClientCertificate::Empty);
    let (meaning, ids): (_, &[(&str, Likelihood)]) = match by {
        Party::Client => (
            "the client refused what the server sent in an encrypted alert: most likely its certificate",
            &[
                ("client-rejects-our-cert", Likelihood::Likely),
                ("client-unknown-ca", Likelihood::Likely),
            ],
        ),
        Party::Server if empty => (
            "the server asked for a client certificate, got none, and refused the client in an encrypted alert",
            &[("client-mtls-no-cert-http400", Likelihood::Likely)],
        ),
        Party::Server => (
            "the server refused the client's certificate in an encrypted alert",
            &[
                ("client-cert-untrusted", Likelihood::Likely),
                ("client-cert-expired", Likelihood::Possible),
                ("client-cert-purpose", Likelihood::Possible),
            ],
        ),
    };
    let causes = ids.iter().filter_map(|(id, rank)| Some((table::cause(id)?, *rank)));
    Blame {
        class: "alert-encrypted",
        meaning,
        weight: Weight::Fault,
        causes: causes.collect(),
        ..unexplained()
    }
}

fn left(exchange: &Exchange, by: Party, stage: HandshakeStage) -> Blame {
    let last = exchange.answer_time.unwrap_or(exchange.opened);
    let waited = exchange.end.is_some_and(|end| end.time - last >= PATIENCE);
    match (by, stage) {
        (Party::Client, HandshakeStage::AmidHello | HandshakeStage::AfterHello) => {
            of(Sign::Says("closed connection while SSL handshaking"))
        }
        (Party::Client, _) => of(Sign::Says("peer closed connection in SSL handshake")),
        (Party::Server, HandshakeStage::AmidHello | HandshakeStage::AfterAnswer) if waited => {
            of(Sign::Says("client timed out while SSL handshaking"))
        }
        (Party::Server, HandshakeStage::AmidHello | HandshakeStage::AfterHello) => {
            of(Sign::Says("aborted the SSL handshake"))
        }
        (Party::Server, _) => of(Sign::Says("SSL handshaking")),
    }
}

/// What the capture shows.
fn observed(exchange: &Exchange, breakdown: Breakdown) -> String {
    let who = |party| if party == Party::Client { "the client" } else { "the server" };
    match breakdown {
        Breakdown::Alert { by, description, stage } => {
            let mut alerts = exchange.alerts.iter().filter(|alert| alert.by == by);
            let decrypted = alerts.any(|it| it.opened && it.description == Some(description));
            let how = if decrypted { "the encrypted alert" } else { "alert" };
            format!("{} sent {how} {description} {}", who(by), when(stage))
        }
        Breakdown::SealedAlert { by, stage } => format!(
            "inferred: {} sent an encrypted record of an alert's size {}",
            who(by),
            when(stage)
        ),
        Breakdown::PlainHttp => "the client sent a plain HTTP request".to_owned(),
        Breakdown::NotTls { http: true } => {
            "the server answered the hello in plain HTTP".to_owned()
        }
        Breakdown::NotTls { http: false } => {
            "the server's answer to the hello is no TLS".to_owned()
        }
        Breakdown::QuicClosed { by, error, stage } => {
            format!("{} closed the connection {} with error {error} of QUIC", who(by), when(stage))
        }
        Breakdown::NoQuicVersion => {
            "the server speaks other versions of QUIC than the client".to_owned()
        }
        Breakdown::Left { by, stage, reset } => {
            let how = if reset { "reset" } else { "closed" };
            format!("{} {how} the connection {} without an alert", who(by), when(stage))
        }
        Breakdown::Unanswered { acknowledged } => {
            let hello = exchange.hello.as_ref().map_or(0, |hello| hello.length);
            let taken = if acknowledged { "received" } else { "did not acknowledge all of" };
            format!("the server {taken} the hello of {hello} bytes and never answered")
        }
    }
}

fn when(stage: HandshakeStage) -> &'static str {
    match stage {
        HandshakeStage::AmidHello => "before the hello was whole",
        HandshakeStage::AfterHello => "after the client's hello",
        HandshakeStage::AfterRetry => "after the server had asked for another hello",
        HandshakeStage::AfterAnswer => "after the server's answer",
        HandshakeStage::AfterClientKey => "after the client's last part of the handshake",
    }
}
