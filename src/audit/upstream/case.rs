//! One address and nginx: the attempt as configured, its result, the fix that works, and the kind of fault.

use time::OffsetDateTime;

use super::error_log;
use super::verdict::{HandshakeVerdict, NginxFailure, may_concern_name, verdict};
use crate::audit::finding::{Fix, ProposedDirective};
use crate::nginx::kubernetes::fields;
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::NginxAttempt;
use crate::observation::{Cause, ClientCertificateRequest, Endpoint};
use crate::openssl::verify_error::VerifyError;
use crate::targets::Target;
use crate::targets::nginx_client::{HelloError, NginxClient, OpenSslSetting, SettingChange};
use crate::tls::alert::AlertDescription;

/// The kinds of faults between nginx and an upstream. Each belongs to one rule, which names its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// nginx sends no server name, and the upstream requires one.
    SniMissing,
    /// nginx sends or verifies a name that is not the upstream's.
    NameMismatch,
    /// The chain does not lead to a certificate that nginx trusts.
    Untrusted,
    /// The chain is longer than `proxy_ssl_verify_depth` allows.
    VerifyDepth,
    /// A revocation list has ended.
    ListExpired,
    /// There is no revocation list of an authority, or none that counts.
    ListMissing,
    /// No version in common.
    ProtocolMismatch,
    /// No cipher suite in common, or a key that the security level forbids.
    CipherMismatch,
    /// The upstream refuses nginx's client certificate, or requires one.
    ClientCertificate,
    /// nginx speaks plain text to a port that expects TLS.
    Scheme,
    /// Any other fault.
    Other,
}

impl FaultKind {
    /// Whether it can occur only if nginx verifies the certificate.
    pub fn needs_verification(self) -> bool {
        matches!(
            self,
            Self::Untrusted
                | Self::VerifyDepth
                | Self::ListExpired
                | Self::ListMissing
                | Self::NameMismatch
        )
    }
}

/// The case of one address.
#[derive(Debug)]
pub struct NginxCase<'a> {
    /// The address and its observations.
    pub endpoint: &'a Endpoint,
    /// The attempt as configured.
    pub configured: &'a NginxAttempt,
    /// Its result.
    pub verdict: HandshakeVerdict,
    /// The attempt with changes that works.
    pub fixed: Option<&'a NginxAttempt>,
}

impl<'a> NginxCase<'a> {
    /// The case of an address; `None` if nginx's settings are not known.
    pub fn of(endpoint: &'a Endpoint, now: OffsetDateTime) -> Option<Self> {
        let (configured, tries) = endpoint.nginx.split_first()?;
        let works = |attempt: &&NginxAttempt| verdict(attempt, now) == HandshakeVerdict::Works;
        let as_configured = verdict(configured, now);
        if as_configured == HandshakeVerdict::Works {
            // If a name alone removes an HTTP refusal, the refusal was about the name.
            let in_plain = configured.client.plain.is_some();
            let better = |attempt: &&NginxAttempt| {
                attempt.answer_rank() > configured.answer_rank()
                    && (in_plain || attempt.changes_names_only())
            };
            let fixed = tries.iter().rev().filter(works).find(better);
            let refused = fixed.and_then(|_| configured.status()).map(|status| {
                if in_plain {
                    NginxFailure::PlainText(configured.served.clone())
                } else {
                    NginxFailure::Misdirected(status)
                }
            });
            let verdict = refused.map_or(HandshakeVerdict::Works, HandshakeVerdict::Fails);
            return Some(Self { endpoint, configured, verdict, fixed });
        }
        let fixed = tries.iter().rev().find(works);
        Some(Self { endpoint, configured, verdict: as_configured, fixed })
    }

    /// The fix of an attempt, which was tried as a whole.
    pub fn fix(&self, text: &str, attempt: &NginxAttempt, target: &Target) -> Fix {
        Fix {
            text: text.to_owned(),
            directives: directives(&attempt.client, &attempt.changes),
            verified: Some(true),
            assumes: assumption(attempt, self.configured, target),
        }
    }

    /// The upstream's request for a client certificate, if it sent one.
    pub fn certificate_request(&self) -> Option<&ClientCertificateRequest> {
        self.configured.complete.as_ref()?.client_auth.request()
    }

    /// Whether the upstream asked for a client certificate without encryption (up to TLS 1.2).
    pub fn asks_in_the_clear(&self) -> bool {
        self.configured.answer.as_ref().is_ok_and(|answer| answer.certificate_requested)
    }

    /// The line in nginx's error log, if the handshake fails and nginx writes one.
    pub fn error_log_line(&self, target: &Target) -> Option<String> {
        let HandshakeVerdict::Fails(failure) = &self.verdict else { return None };
        let unix =
            target.endpoint().map(|(host, _)| host).filter(|host| host.unix_path().is_some());
        let peer = unix.map_or_else(|| self.endpoint.address.to_string(), ToString::to_string);
        error_log::line(&self.configured.client, failure, &peer)
    }

    /// The kind of fault. The change that fixes it is the best evidence.
    pub fn kind(&self, failure: &NginxFailure) -> FaultKind {
        match self.fixed.and_then(|fixed| fixed.changes.first()) {
            Some(SettingChange::Tls(_)) => FaultKind::Scheme,
            Some(SettingChange::ServerName) => FaultKind::SniMissing,
            Some(SettingChange::Name(_) | SettingChange::Host(_)) => FaultKind::NameMismatch,
            Some(SettingChange::Protocols(_)) => FaultKind::ProtocolMismatch,
            Some(
                SettingChange::Ciphers(_) | SettingChange::ConfCommand(OpenSslSetting::Options, _),
            ) => FaultKind::CipherMismatch,
            Some(SettingChange::ConfCommand(..)) => FaultKind::Other,
            Some(SettingChange::Identity(_)) => FaultKind::ClientCertificate,
            Some(SettingChange::VerifyDepth(_)) => FaultKind::VerifyDepth,
            Some(SettingChange::Trusted(_) | SettingChange::Verify) => FaultKind::Untrusted,
            None => self.unfixed(failure),
        }
    }

    fn unfixed(&self, failure: &NginxFailure) -> FaultKind {
        match failure {
            NginxFailure::Peer(Cause::Alert(AlertDescription::UNRECOGNIZED_NAME)) => {
                let named = self.configured.client.sni().is_some();
                if named { FaultKind::NameMismatch } else { FaultKind::SniMissing }
            }
            NginxFailure::Peer(cause) if may_concern_name(cause) && self.works_with_name() => {
                FaultKind::SniMissing
            }
            NginxFailure::Peer(Cause::Alert(AlertDescription::PROTOCOL_VERSION))
            | NginxFailure::Version(_)
            | NginxFailure::Configuration(HelloError::NoVersion) => FaultKind::ProtocolMismatch,
            NginxFailure::Peer(Cause::Alert(AlertDescription::CERTIFICATE_REQUIRED))
            | NginxFailure::ClientCertificate(_)
            | NginxFailure::LateClientCertificate(_)
            | NginxFailure::HttpRefusal(_)
            | NginxFailure::PostHandshakeAuthentication(_) => FaultKind::ClientCertificate,
            NginxFailure::DhKeyTooSmall(_)
            | NginxFailure::LegacySignature
            | NginxFailure::UnsafeRenegotiation
            | NginxFailure::Configuration(_) => FaultKind::CipherMismatch,
            NginxFailure::PlainText(_) => FaultKind::Scheme,
            NginxFailure::Revocation(VerifyError::CRL_HAS_EXPIRED) => FaultKind::ListExpired,
            NginxFailure::Verify(_) | NginxFailure::Revocation(VerifyError::CERT_REVOKED) => {
                FaultKind::Untrusted
            }
            NginxFailure::Revocation(_) => FaultKind::ListMissing,
            NginxFailure::Misdirected(_) if self.configured.client.sni().is_none() => {
                FaultKind::SniMissing
            }
            NginxFailure::Name(_) | NginxFailure::Misdirected(_) => FaultKind::NameMismatch,
            NginxFailure::Network(_)
            | NginxFailure::Peer(_)
            | NginxFailure::Late(_)
            | NginxFailure::BadSignature
            | NginxFailure::UnreadableCertificate(_) => FaultKind::Other,
        }
    }

    fn works_with_name(&self) -> bool {
        self.configured.client.sni().is_none()
            && self.endpoint.cells(true).any(crate::observation::Handshake::established)
    }

    /// nginx's settings, in one line.
    pub fn settings(&self) -> String {
        let client = &self.configured.client;
        if let Some(plain) = &client.plain {
            return format!("as configured, nginx speaks plain text to {}", plain.url);
        }
        let name = match client.sni() {
            Some(name) => format!("sends the name {name}"),
            None => "sends no name".to_owned(),
        };
        let versions: Vec<String> = client.versions().iter().map(ToString::to_string).collect();
        let verifies = match &client.trusted {
            _ if !client.verify => "does not verify".to_owned(),
            Some(trusted) => {
                let lists = client.crl.as_ref().map(|path| format!(" and {}", path.display()));
                format!(
                    "verifies {:?} with {}{} to depth {}",
                    client.name,
                    trusted.path.display(),
                    lists.unwrap_or_default(),
                    client.verify_depth
                )
            }
            None if client.trusted_unread.is_some() => {
                "verifies with a file that could not be read here".to_owned()
            }
            None => "verifies without a trusted file, with which it does not start".to_owned(),
        };
        let taken = match client.version {
            Some(_) => String::new(),
            None => format!(" (assumed release: nginx {})", client.release()),
        };
        let versions = versions.join(" ");
        format!("as configured, nginx {name}, offers {versions} and {verifies}{taken}")
    }
}

/// The condition of a fix: that a name which comes only from the peer's certificate is the right one.
fn assumption(
    attempt: &NginxAttempt,
    configured: &NginxAttempt,
    target: &Target,
) -> Option<String> {
    let own = |name: &str| {
        let mut known = target.server_name.iter().chain(&target.likely_names);
        configured.client.name == name || known.any(|known| known == name)
    };
    let foreign = attempt.changes.iter().find_map(|change| match change {
        SettingChange::Name(name) | SettingChange::Host(name) if !own(name) => Some(name),
        _ => None,
    })?;
    Some(format!(
        "{foreign} is the right upstream: this name comes only from the certificate that it presented"
    ))
}

/// The directives of some changes.
pub fn directives(client: &NginxClient, changes: &[SettingChange]) -> Vec<ProposedDirective> {
    let all = SettingChange::all_directives(changes);
    all.map(|(suffix, value)| directive(client, suffix, value)).collect()
}

/// One directive at the place where the client is configured: in a file, in an annotation, or in an unnamed block.
pub fn directive(client: &NginxClient, suffix: &str, value: String) -> ProposedDirective {
    let place = client.place.as_ref();
    if let Some(place) = place.filter(|place| place.line == 0) {
        return in_object(client, &place.file, suffix, &value);
    }
    ProposedDirective {
        context: if client.module == ProxyModule::Stream { "server" } else { "location" }
            .to_owned(),
        name: client.directive(suffix),
        value,
        file: place.map(|place| place.file.clone()),
        line: place.map(|place| place.line),
    }
}

/// The annotation or the field of a Kubernetes object for a directive. Where the controller has none, a snippet of
/// nginx's own directives is left.
fn in_object(client: &NginxClient, object: &str, suffix: &str, value: &str) -> ProposedDirective {
    let field = fields::of_setting(object, suffix);
    let value = value.strip_prefix("Host ").unwrap_or(value);
    let (context, name, value) = match field {
        Some(field) => (field.context, field.name, field.value.unwrap_or(value)),
        None => ("snippet", client.directive(suffix), value),
    };
    let (file, value) = (Some(object.to_owned()), value.to_owned());
    ProposedDirective { context: context.to_owned(), name, value, file, line: None }
}
