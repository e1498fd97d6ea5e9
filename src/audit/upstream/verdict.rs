//! The result of one handshake of nginx (`ngx_http_upstream_ssl_init_connection` and the functions that it calls).

use time::OffsetDateTime;

use crate::certificate::Chain;
use crate::certificate::key::KeyType;
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl::{self, OpensslVerdict};
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::{NginxAnswer, NginxAttempt, NoAnswer, RefusalSubject, Served};
use crate::observation::{
    Cause, ClientAuth, ClientRefusal, Failure, Handshake, PlainProtocol, RawChoice, Stage,
};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::openssl::verify_error::VerifyError;
use crate::targets::nginx_client::{HelloError, NginxClient};
use crate::tls::alert::AlertDescription;
use crate::tls::suite::Authentication;
use crate::tls::version::ProtocolVersion;

/// The result of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeVerdict {
    /// nginx gets an answer.
    Works,
    /// nginx gives up, or the upstream does.
    Fails(NginxFailure),
    /// The result cannot be predicted from here; the reason.
    CannotTell(String),
}

/// What ends a handshake, in the order in which it can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxFailure {
    /// It failed before TLS.
    Network(Failure),
    /// The configuration allows no hello.
    Configuration(HelloError),
    /// The server ends the handshake: an alert, a closed connection, plain text.
    Peer(Cause),
    /// The server chose a version that nginx does not accept.
    Version(ProtocolVersion),
    /// The server's finite-field key is too small for the security level; its size in bits.
    DhKeyTooSmall(usize),
    /// The key exchange is signed with MD5 and SHA-1, which the security level forbids.
    LegacySignature,
    /// The server lacks secure renegotiation.
    UnsafeRenegotiation,
    /// The server refuses nginx's client certificate, or requires one, during the handshake.
    ClientCertificate(Cause),
    /// OpenSSL cannot read a certificate of the server; the part that it cannot read.
    UnreadableCertificate(String),
    /// The chain does not verify.
    Verify(VerifyError),
    /// It would, without the revocation lists.
    Revocation(VerifyError),
    /// The certificate is for another name.
    Name(String),
    /// The server refuses the client certificate, or requires one, after the handshake (TLS 1.3).
    LateClientCertificate(Cause),
    /// The server answers the request with this HTTP status because of the client certificate.
    HttpRefusal(u16),
    /// The server asks for a client certificate only after the request, which nginx does not support in TLS 1.3; the
    /// HTTP status of its answer.
    PostHandshakeAuthentication(u16),
    /// The signature that proves possession of the certificate's key is wrong.
    BadSignature,
    /// The server refuses after the handshake, and has not asked for a client certificate.
    Late(Cause),
    /// The server answers with this HTTP status because the name in the hello does not match the request.
    Misdirected(u16),
    /// nginx speaks plain text to a server that expects TLS; what came of it.
    PlainText(Served),
}

impl NginxFailure {
    /// Whether it shows only after a handshake that completes.
    pub fn is_behind_the_handshake(&self) -> bool {
        matches!(
            self,
            Self::LateClientCertificate(_)
                | Self::Late(_)
                | Self::HttpRefusal(_)
                | Self::PostHandshakeAuthentication(_)
                | Self::Misdirected(_)
        )
    }

    /// How far the handshake got: a change that gets further is an improvement.
    pub fn stage(&self) -> u8 {
        match self {
            Self::Network(_) | Self::Configuration(_) | Self::PlainText(_) => 0,
            // OpenSSL's order: the version, the name, then cipher suite and certificate.
            Self::Version(_) | Self::Peer(Cause::Alert(AlertDescription::PROTOCOL_VERSION)) => 1,
            Self::Peer(Cause::Alert(AlertDescription::UNRECOGNIZED_NAME)) => 2,
            Self::Peer(_) => 3,
            Self::DhKeyTooSmall(_)
            | Self::LegacySignature
            | Self::UnsafeRenegotiation
            | Self::BadSignature => 4,
            Self::UnreadableCertificate(_) | Self::ClientCertificate(_) => 5,
            Self::Verify(_) | Self::Revocation(_) => 6,
            Self::Name(_) => 7,
            Self::LateClientCertificate(_) | Self::Late(_) => 8,
            Self::HttpRefusal(_) | Self::PostHandshakeAuthentication(_) | Self::Misdirected(_) => 9,
        }
    }
}

/// The verdict on one attempt, with certificates judged at `now`.
pub fn verdict(attempt: &NginxAttempt, now: OffsetDateTime) -> HandshakeVerdict {
    let verdict = of_answer(attempt, now);
    let client = &attempt.client;
    if client.plain.is_some() {
        return verdict;
    }
    let commands = client.commands();
    let mut unknown = commands.not_followed;
    // One of the two replaces half of what the directives name.
    if commands.certificate.is_some() != commands.private_key.is_some() {
        unknown.push("Certificate or PrivateKey alone".to_owned());
    }
    // nginx checks the result itself where it verifies, and OpenSSL's mode does not matter.
    if commands.verifies && !client.verify {
        unknown.push("VerifyMode".to_owned());
    }
    // A command is applied last and can override any other setting; only the TCP connection does not depend on it.
    if unknown.is_empty() || matches!(verdict, HandshakeVerdict::Fails(NginxFailure::Network(_))) {
        return verdict;
    }
    let command = client.directive("conf_command");
    HandshakeVerdict::CannotTell(format!(
        "what {command} {} does is not known here",
        unknown.join(", ")
    ))
}

fn of_answer(attempt: &NginxAttempt, now: OffsetDateTime) -> HandshakeVerdict {
    match &attempt.answer {
        Err(NoAnswer::NotSent(error)) => not_sent(error),
        Err(NoAnswer::Failed(failure)) => failed(failure),
        Err(NoAnswer::Plain(hello)) => {
            let hello = hello.as_ref().map(Result::as_ref);
            in_plain_text(attempt.client.module, &attempt.served, hello)
        }
        Ok(answer) => answered(attempt, answer, now),
    }
}

/// What becomes of a connection without TLS. A port that answers a hello in TLS and does not serve plain text expects TLS.
fn in_plain_text(
    module: ProxyModule,
    served: &Served,
    hello: Option<Result<&RawChoice, &Failure>>,
) -> HandshakeVerdict {
    let speaks_tls = match hello {
        Some(Ok(_)) => true,
        Some(Err(failure)) => matches!(failure.cause, Cause::Alert(_)),
        None => false,
    };
    let greets = |failure: &Failure| {
        module == ProxyModule::Proxy
            && matches!(failure.cause, Cause::NotTls(PlainProtocol::Http(_)))
    };
    match served {
        Served::Answer { subject: RefusalSubject::PlainText, .. } => {
            HandshakeVerdict::Fails(NginxFailure::PlainText(served.clone()))
        }
        Served::Answer { .. } | Served::Spoken => HandshakeVerdict::Works,
        Served::NotAsked if speaks_tls => HandshakeVerdict::CannotTell(
            "the port speaks TLS; whether it takes plain text as well is not tried without a request"
                .to_owned(),
        ),
        _ if speaks_tls => HandshakeVerdict::Fails(NginxFailure::PlainText(served.clone())),
        _ => match hello {
            Some(Err(failure)) if greets(failure) => HandshakeVerdict::Works,
            Some(Err(failure)) if failure.stage != Stage::Handshake => failed(failure),
            _ => HandshakeVerdict::CannotTell(
                "the port answers neither what nginx sends in plain text nor a hello of TLS"
                    .to_owned(),
            ),
        },
    }
}

fn not_sent(error: &HelloError) -> HandshakeVerdict {
    match error {
        HelloError::Ciphers(crate::openssl::cipher_string::CipherStringError::Unsupported(_)) => {
            HandshakeVerdict::CannotTell(error.to_string())
        }
        _ => HandshakeVerdict::Fails(NginxFailure::Configuration(error.clone())),
    }
}

fn failed(failure: &Failure) -> HandshakeVerdict {
    match (failure.stage, &failure.cause) {
        (_, Cause::Local(_) | Cause::Cancelled) | (Stage::Handshake, Cause::TooMuchData) => {
            HandshakeVerdict::CannotTell(failure.cause.to_string())
        }
        (Stage::Handshake, cause) => HandshakeVerdict::Fails(NginxFailure::Peer(cause.clone())),
        _ => HandshakeVerdict::Fails(NginxFailure::Network(failure.clone())),
    }
}

fn answered(attempt: &NginxAttempt, answer: &NginxAnswer, now: OffsetDateTime) -> HandshakeVerdict {
    let client = &attempt.client;
    if let Some(failure) = unacceptable(client, answer) {
        return HandshakeVerdict::Fails(failure);
    }
    // OpenSSL parses certificates on arrival, even without verification.
    if let Some(part) = attempt.chain().and_then(|chain| openssl::unreadable(chain)) {
        return HandshakeVerdict::Fails(NginxFailure::UnreadableCertificate(part));
    }
    let complete = attempt.complete.as_ref();
    let wrong = |complete: &Handshake| complete.bad_signature && signature_is_checked(complete);
    if complete.is_some_and(wrong) {
        return HandshakeVerdict::Fails(NginxFailure::BadSignature);
    }
    let early = complete.and_then(refused_in_handshake);
    match (early, unseen(attempt, answer)) {
        (Some(failure), _) if client.identity_unread.is_none() => {
            return HandshakeVerdict::Fails(failure);
        }
        (_, Some(doubt)) => return HandshakeVerdict::CannotTell(doubt),
        _ => {}
    }
    if client.verify {
        match verified(client, attempt.chain().map(AsRef::as_ref), now) {
            HandshakeVerdict::Works => {}
            verdict => return verdict,
        }
    }
    match attempt.complete.as_ref().and_then(refused_later) {
        Some(failure) => HandshakeVerdict::Fails(failure),
        None => request_refused(attempt),
    }
}

/// Whether the complete engine can check signatures of the certificate's key: it reports other key sizes as wrong
/// signatures.
fn signature_is_checked(complete: &Handshake) -> bool {
    let leaf = complete.chain.as_ref().and_then(|chain| chain.leaf());
    leaf.is_some_and(|leaf| match leaf.public_key.key_type {
        KeyType::Rsa => (2048..=8192).contains(&leaf.public_key.bits),
        KeyType::Ec(_) => (256..=521).contains(&leaf.public_key.bits),
        KeyType::Ed25519 => true,
        _ => false,
    })
}

/// The result of nginx's request.
fn request_refused(attempt: &NginxAttempt) -> HandshakeVerdict {
    match attempt.certainly_served() {
        Served::Renegotiates if attempt.client.identity.is_none() => {
            // OpenSSL renegotiates and has no certificate to present.
            let refused = Cause::Alert(AlertDescription::HANDSHAKE_FAILURE);
            HandshakeVerdict::Fails(NginxFailure::LateClientCertificate(refused))
        }
        Served::Renegotiates => HandshakeVerdict::CannotTell(
            "after the request, the server asks for another handshake (HelloRequest), most likely to request a client \
             certificate; nginx makes that handshake, and this program cannot"
                .to_owned(),
        ),
        Served::Answer { status, subject: RefusalSubject::PostHandshakeAuthentication } => {
            HandshakeVerdict::Fails(NginxFailure::PostHandshakeAuthentication(*status))
        }
        Served::Answer { status, subject: RefusalSubject::Name } => {
            HandshakeVerdict::Fails(NginxFailure::Misdirected(*status))
        }
        _ => HandshakeVerdict::Works,
    }
}

/// Server answers that OpenSSL as a client does not accept.
fn unacceptable(client: &NginxClient, answer: &NginxAnswer) -> Option<NginxFailure> {
    let version = answer.choice.version;
    if !client.versions().contains(&version) {
        return Some(NginxFailure::Version(version));
    }
    let level = client.security_level();
    let modern = client.library >= OpensslRelease::V3_0;
    if !client.accepts_legacy_servers()
        && !answer.secure_renegotiation
        && version < ProtocolVersion::TLS1_3
    {
        return Some(NginxFailure::UnsafeRenegotiation);
    }
    if let Some(bits) = answer.dh_bits
        && finite_field_bits(bits) < security_level::least_bits(level)
    {
        return Some(NginxFailure::DhKeyTooSmall(bits));
    }
    let suite = answer.choice.cipher_suite;
    // Before OpenSSL 3 only SHA-1 alone was too weak; EC keys sign with that.
    let weak = if modern {
        level > 0
    } else {
        level > 1 && suite.authentication() == Some(Authentication::Ecdsa)
    };
    (weak && suite.forward_secret() && version < ProtocolVersion::TLS1_2)
        .then_some(NginxFailure::LegacySignature)
}

fn finite_field_bits(length: usize) -> u32 {
    security_level::finite_field_bits(u32::try_from(length).unwrap_or(u32::MAX))
}

fn refused_in_handshake(complete: &Handshake) -> Option<NginxFailure> {
    let failure = complete.failure().filter(|failure| failure.stage == Stage::Handshake)?;
    let refuses =
        matches!(failure.cause, Cause::Alert(_) | Cause::Closed | Cause::Reset | Cause::TimedOut);
    refuses.then(|| match complete.client_auth.request() {
        Some(_) => NginxFailure::ClientCertificate(failure.cause.clone()),
        // The server answered a hello of the same shape, and refused after that.
        None => NginxFailure::Peer(failure.cause.clone()),
    })
}

fn refused_later(complete: &Handshake) -> Option<NginxFailure> {
    if let ClientAuth::Required(_, ClientRefusal::Http(status)) = complete.client_auth {
        return Some(NginxFailure::HttpRefusal(status));
    }
    let failure = complete.failure().filter(|failure| failure.stage == Stage::PostHandshake)?;
    Some(match complete.client_auth.request() {
        Some(_) => NginxFailure::LateClientCertificate(failure.cause.clone()),
        None => NginxFailure::Late(failure.cause.clone()),
    })
}

/// Facts that the verdict needs and that were not observed.
fn unseen(attempt: &NginxAttempt, answer: &NginxAnswer) -> Option<String> {
    let complete = attempt.complete.as_ref();
    let asked = complete.is_some_and(|complete| complete.client_auth.request().is_some());
    if asked && !attempt.client.can_sign(answer.choice.version) {
        return Some(
            "nginx may not sign with its client certificate (SignatureAlgorithms) and presents none, which is not tried"
                .to_owned(),
        );
    }
    if (asked || answer.certificate_requested)
        && let Some(weakness) = attempt.client.unsent_certificate()
    {
        return Some(format!(
            "nginx's client certificate is below the security level that {} sets, and OpenSSL fails the handshake ({}), which is not tried",
            attempt.client.directive("conf_command"),
            weakness.reason()
        ));
    }
    let failure = complete.and_then(Handshake::failure);
    let failure = failure.filter(|failure| failure.stage != Stage::PostHandshake);
    if let Some(failure) = failure {
        return Some(format!(
            "the server answers nginx's hello, but not a complete handshake: {}",
            failure.cause
        ));
    }
    let requested = complete.is_some_and(|complete| complete.client_auth.request().is_some());
    if (requested || answer.certificate_requested) && attempt.client.identity_unread.is_some() {
        return attempt.client.identity_unread.clone();
    }
    let asks = answer.certificate_requested && complete.is_none();
    asks.then(|| {
        format!(
            "whether the server insists on a client certificate in {} is not seen",
            answer.choice.version
        )
    })
}

/// `SSL_get_verify_result`, then `ngx_ssl_check_host`.
fn verified(client: &NginxClient, chain: Option<&Chain>, now: OffsetDateTime) -> HandshakeVerdict {
    let Some(trusted) = &client.trusted else {
        let missing =
            || format!("nginx does not start without {}", client.directive("trusted_certificate"));
        return HandshakeVerdict::CannotTell(client.trusted_unread.clone().unwrap_or_else(missing));
    };
    let Some(chain) = chain else {
        return HandshakeVerdict::CannotTell("the server's certificates were not seen".to_owned());
    };
    let question = client.question(chain, trusted, now);
    let (profile, verifier) = (client.verification(client.verify_depth), Verifier::default());
    match openssl::verify(question, profile, &verifier) {
        OpensslVerdict::Refused(error) => {
            let without = openssl::Question { lists: None, ..question };
            let by_lists = question.lists.is_some()
                && openssl::verify(without, profile, &verifier) == OpensslVerdict::Accepted;
            return HandshakeVerdict::Fails(if by_lists {
                NginxFailure::Revocation(error)
            } else {
                NginxFailure::Verify(error)
            });
        }
        OpensslVerdict::Unreadable(part) => {
            return HandshakeVerdict::Fails(NginxFailure::UnreadableCertificate(part));
        }
        OpensslVerdict::CannotCheck(why) => return HandshakeVerdict::CannotTell(why),
        OpensslVerdict::Accepted => {}
    }
    if client.crl.is_some() && client.lists.is_none() {
        let why = client.lists_unread.as_deref().unwrap_or("they were not recorded");
        return HandshakeVerdict::CannotTell(format!("revocation lists not read: {why}"));
    }
    let covered = chain.leaf().is_some_and(|leaf| leaf.check_host(&client.name));
    if covered {
        HandshakeVerdict::Works
    } else {
        HandshakeVerdict::Fails(NginxFailure::Name(client.name.clone()))
    }
}

/// Whether this alert can be an answer to a wrong or missing name.
pub fn may_concern_name(cause: &Cause) -> bool {
    match cause {
        Cause::Alert(alert) => matches!(
            *alert,
            AlertDescription::HANDSHAKE_FAILURE
                | AlertDescription::INTERNAL_ERROR
                | AlertDescription::ILLEGAL_PARAMETER
                | AlertDescription::UNRECOGNIZED_NAME
        ),
        Cause::Closed | Cause::Reset | Cause::TimedOut => true,
        _ => false,
    }
}
