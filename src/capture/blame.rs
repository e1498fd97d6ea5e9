//! Why a handshake failed: the row and the causes of the table that `explain` and `log` use, chosen by what the hello offers, how
//! far the handshake came, and what the server was seen to accept.

use super::conclusion::PATIENCE;
use super::exchange::{Breakdown, ClientCertificate, Exchange, HandshakeStage, Party};
use super::learnt::Accepted;
use super::seen_hello::SeenHello;
use crate::log::classify::meanings;
use crate::log::direction::Direction;
use crate::log::table::{self, Likelihood, LogCause, Mechanism, Sign, Weight};
use crate::tls::alert::AlertDescription;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// Reasons of OpenSSL 1.1's numbering that a server like nginx would log.
mod reason {
    pub(super) const NO_SHARED_CIPHER: u32 = 193;
    pub(super) const NO_KEY_SHARE: u32 = 101;
    pub(super) const NO_SIGNATURE: u32 = 118;
    pub(super) const UNSUPPORTED_PROTOCOL: u32 = 258;
    pub(super) const VERSION_TOO_LOW: u32 = 396;
    pub(super) const FALLBACK: u32 = 373;
    pub(super) const NO_APPLICATION_PROTOCOL: u32 = 235;
    pub(super) const MISSING_EXTENSION: u32 = 112;
    pub(super) const BAD_EXTENSION: u32 = 110;
    pub(super) const CERTIFICATE_CALLBACK: u32 = 377;
    pub(super) const NO_CLIENT_CERTIFICATE: u32 = 199;
    pub(super) const CLIENT_CERTIFICATE: u32 = 134;
    pub(super) const BAD_RECORD: u32 = 281;
}

/// Groups that nearly every server accepts.
const USUAL_GROUPS: [NamedGroup; 2] = [NamedGroup(0x001d), NamedGroup(0x0017)];

/// Why a handshake failed.
#[derive(Clone, Debug)]
pub struct Blame {
    /// The class that `log` counts such failures under.
    pub class: &'static str,
    /// Who failed, and how.
    pub meaning: &'static str,
    /// How much such failures matter by themselves.
    pub weight: Weight,
    /// Likeliest first.
    pub causes: Vec<(&'static LogCause, Likelihood)>,
    /// What it rests on.
    pub evidence: Vec<String>,
}

/// Why that handshake failed, given what its server was seen to accept.
pub fn blame(exchange: &Exchange, breakdown: Breakdown, accepted: Option<&Accepted>) -> Blame {
    let mut blame = match breakdown {
        Breakdown::Alert { by: Party::Client, description, .. } => {
            of(Sign::Alert(Some(description.0)))
        }
        Breakdown::Alert { by: Party::Server, description, stage } => {
            by_server(exchange, description, stage, accepted)
        }
        Breakdown::SealedAlert { by, .. } => sealed(exchange, by),
        Breakdown::PlainHttp => of(Sign::Begins("client sent plain HTTP request to HTTPS port")),
        Breakdown::NotTls { .. } => as_client_says("server gave HTTP response to HTTPS client"),
        Breakdown::Left { by, stage, .. } => left(exchange, by, stage),
        Breakdown::Unanswered { .. } => as_client_says("SSL connection timeout"),
    };
    blame.evidence.splice(..0, [observed(exchange, breakdown)]);
    blame
}

/// The row for a connection of a client.
fn of(sign: Sign) -> Blame {
    let row = meanings(sign).into_iter().find(|row| row.side == Direction::Client);
    row.map_or_else(unexplained, |row| of_row(row, None))
}

/// The row for what only the client's own program says: the server, which is at fault, knows nothing of it.
fn as_client_says(words: &'static str) -> Blame {
    let says = |row: &&Mechanism| row.sign == Sign::Says(words) && row.side == Direction::Client;
    table::mechanisms().iter().find(says).map_or_else(unexplained, |row| of_row(row, None))
}

fn of_row(row: &'static Mechanism, first: Option<&str>) -> Blame {
    let mut causes = row.causes.clone();
    if let Some(first) = first.and_then(table::cause) {
        causes = vec![(first, Likelihood::Likely)];
    }
    let (class, meaning, weight) = (row.class, row.meaning, row.weight);
    Blame { class, meaning, weight, causes, evidence: Vec::new() }
}

fn unexplained() -> Blame {
    Blame {
        class: "handshake-unexplained",
        meaning: "the handshake failed, and nothing tells why",
        weight: Weight::Mixed,
        causes: Vec::new(),
        evidence: Vec::new(),
    }
}

fn reason(number: u32) -> Blame {
    of(Sign::Reason(Some(number)))
}

/// The same as `reason`, where the cause is certain.
fn certain(number: u32, cause: &str) -> Blame {
    let row =
        meanings(Sign::Reason(Some(number))).into_iter().find(|row| row.side == Direction::Client);
    row.map_or_else(unexplained, |row| of_row(row, Some(cause)))
}

/// What the server would have logged where it refused.
fn by_server(
    exchange: &Exchange,
    description: AlertDescription,
    stage: HandshakeStage,
    accepted: Option<&Accepted>,
) -> Blame {
    if stage >= HandshakeStage::AfterAnswer {
        return after_answer(exchange, description);
    }
    let hello = exchange.hello.as_deref();
    match description.0 {
        // SSLv3 has no other alert for this.
        40 if hello.is_some_and(is_ssl3) && accepted.is_none_or(lacks_ssl3) => {
            reason(reason::VERSION_TOO_LOW)
        }
        40 | 71 => hello.map_or_else(
            || reason(reason::NO_SHARED_CIPHER),
            |hello| nothing_in_common(hello, accepted),
        ),
        70 => {
            let low = hello.is_some_and(is_ssl3);
            let mut blame =
                reason(if low { reason::VERSION_TOO_LOW } else { reason::UNSUPPORTED_PROTOCOL });
            blame.evidence.extend(accepted.map(versions));
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

fn lacks_ssl3(accepted: &Accepted) -> bool {
    !accepted.versions.contains(&ProtocolVersion::SSL3)
}

/// The server refuses after it has answered: the client's certificate, or what does not decrypt.
fn after_answer(exchange: &Exchange, description: AlertDescription) -> Blame {
    let empty = exchange.client_certificate == Some(ClientCertificate::Empty);
    match description.0 {
        40 | 42 | 116 if empty => reason(reason::NO_CLIENT_CERTIFICATE),
        116 => reason(reason::NO_CLIENT_CERTIFICATE),
        43 => of(Sign::Verify(Some(26))),
        44 => of(Sign::Verify(Some(23))),
        45 => of(Sign::Verify(Some(10))),
        42 | 46 | 48 | 49 => reason(reason::CLIENT_CERTIFICATE),
        20 | 51 => reason(reason::BAD_RECORD),
        10 | 22 | 47 | 50 => reason(reason::BAD_EXTENSION),
        _ => unexplained(),
    }
}

/// What client and server lack in common, as far as the hello and the server's successes tell.
fn nothing_in_common(hello: &SeenHello, accepted: Option<&Accepted>) -> Blame {
    let speaks = |version| accepted.is_none_or(|it| it.versions.contains(&version));
    let newest = hello.offers(ProtocolVersion::TLS1_3) && speaks(ProtocolVersion::TLS1_3);
    let mut blame = if newest { in_tls13(hello, accepted) } else { in_older(hello, accepted) };
    blame.evidence.extend(accepted.map(versions));
    blame
}

/// TLS 1.3 agrees on groups and signature schemes apart from suites, of which all servers have the same.
fn in_tls13(hello: &SeenHello, accepted: Option<&Accepted>) -> Blame {
    let groups: Vec<NamedGroup> = hello.named_groups().collect();
    let offered = format!("the client offers the groups {}", list(&groups));
    let seen = accepted.filter(|it| !it.groups.is_empty());
    let common = seen.map(|seen| groups.iter().any(|group| seen.groups.contains(group)));
    let usual = groups.iter().any(|group| USUAL_GROUPS.contains(group));
    let knows_only_tls13 = !hello.offers(ProtocolVersion::TLS1_2) || accepted.is_some();
    if common == Some(false) || !usual && common.is_none() {
        let mut blame = certain(reason::NO_KEY_SHARE, "client-no-suitable-key-share");
        blame.evidence.push(offered);
        blame.evidence.extend(seen.map(|seen| {
            let groups: Vec<NamedGroup> = seen.groups.iter().copied().collect();
            format!("other clients agreed with this server on {}", list(&groups))
        }));
        return blame;
    }
    let schemes: Vec<SignatureScheme> = hello.signature_schemes().collect();
    let one_kind = lacks_a_kind(&schemes);
    if common == Some(true) || one_kind && knows_only_tls13 {
        let mut blame = certain(reason::NO_SIGNATURE, "client-no-suitable-sigalg");
        blame.evidence.push(format!("the client accepts the signatures {}", list(&schemes)));
        return blame;
    }
    open(hello)
}

/// Up to TLS 1.2 a suite needs a version, a group and a certificate that fit it.
fn in_older(hello: &SeenHello, accepted: Option<&Accepted>) -> Blame {
    let suites: Vec<CipherSuite> =
        hello.cipher_suites().filter(|suite| suite.usable_with(ProtocolVersion::TLS1_2)).collect();
    let common = accepted.is_some_and(|it| suites.iter().any(|suite| it.suites.contains(suite)));
    if common {
        // The suite is not what is missing.
        return open(hello);
    }
    let mut blame = reason(reason::NO_SHARED_CIPHER);
    blame.evidence.push(format!("the client offers the suites {}", list(&suites)));
    if let Some(accepted) = accepted {
        let chosen: Vec<CipherSuite> =
            accepted.suites.iter().copied().filter(|suite| !suite.is_tls13()).collect();
        if !chosen.is_empty() {
            blame
                .evidence
                .push(format!("other clients agreed with this server on {}", list(&chosen)));
        }
        let uses = |kind| suites.iter().any(|suite| suite.authentication() == Some(kind));
        let other_kind = accepted.by_rsa && !accepted.by_ecdsa && !uses(Authentication::Rsa)
            || accepted.by_ecdsa && !accepted.by_rsa && !uses(Authentication::Ecdsa);
        if other_kind {
            let text =
                "the client can use no certificate of the kind that this server showed to others";
            blame.evidence.push(text.to_owned());
        }
    }
    blame
}

/// Nothing tells which of the three it is.
fn open(hello: &SeenHello) -> Blame {
    let mut blame = reason(reason::NO_SHARED_CIPHER);
    let ids =
        ["client-no-shared-cipher", "client-no-suitable-key-share", "client-no-suitable-sigalg"];
    let causes = ids.into_iter().filter_map(table::cause);
    blame.causes = causes.map(|cause| (cause, Likelihood::Possible)).collect();
    blame.meaning = "the server found nothing in common with the client, and the alert does not tell what is missing";
    let groups: Vec<NamedGroup> = hello.named_groups().collect();
    blame.evidence.push(format!(
        "the client offers {} and the groups {}",
        list(&hello.named_versions()),
        list(&groups)
    ));
    blame
}

/// Whether a client that names its schemes accepts signatures of RSA keys alone, or of EC keys alone.
fn lacks_a_kind(schemes: &[SignatureScheme]) -> bool {
    let [ecdsa, rsa, _] = SignatureScheme::tls13_families();
    let has = |family: &[SignatureScheme]| schemes.iter().any(|scheme| family.contains(scheme));
    has(ecdsa) != has(rsa)
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
        evidence: Vec::new(),
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
            format!("{} sent alert {description} {}", who(by), when(stage))
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

fn versions(accepted: &Accepted) -> String {
    let versions: Vec<ProtocolVersion> = accepted.versions.iter().copied().collect();
    format!("the server spoke {} with others in this capture", list(&versions))
}

/// Names in a row; a long list is cut.
fn list<T: ToString>(items: &[T]) -> String {
    const MAX: usize = 16;
    if items.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = items.iter().take(MAX).map(T::to_string).collect();
    if items.len() > MAX {
        names.push(format!("and {} more", items.len() - MAX));
    }
    names.join(" ")
}
