//! One address's story with nginx: the attempt as configured, what came of it, what mended it, and the rule it belongs to.

use time::OffsetDateTime;

use super::error_log;
use super::verdict::{Breakage, Verdict, may_concern_name, verdict};
use crate::audit::finding::Directive;
use crate::nginx::upstream::Module;
use crate::observation::nginx::NginxAttempt;
use crate::observation::{Cause, Endpoint};
use crate::targets::nginx_client::{Change, HelloError, NginxClient};
use crate::tls::alert::AlertDescription;

/// The kinds of faults between nginx and an upstream. Each belongs to one rule, which names its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// nginx sends no server name, and the upstream wants one.
    SniMissing,
    /// nginx asks for a name, or verifies one, that is not the upstream's.
    NameMismatch,
    /// The chain does not lead to what nginx trusts.
    Untrusted,
    /// The chain is longer than nginx follows.
    VerifyDepth,
    /// No version in common.
    ProtocolMismatch,
    /// No cipher suite in common, or a key that the security level forbids.
    CipherMismatch,
    /// The upstream refuses nginx's client certificate, or the lack of one.
    ClientCertificate,
    /// None of these.
    Other,
}

impl FaultKind {
    /// Whether it can only show where nginx verifies the certificate.
    pub fn needs_verification(self) -> bool {
        matches!(self, Self::Untrusted | Self::VerifyDepth | Self::NameMismatch)
    }
}

/// The story of one address.
#[derive(Debug)]
pub struct Story<'a> {
    /// The address and all that was seen there.
    pub endpoint: &'a Endpoint,
    /// The attempt as configured.
    pub configured: &'a NginxAttempt,
    /// What comes of it.
    pub verdict: Verdict,
    /// The attempt with changes that works.
    pub cure: Option<&'a NginxAttempt>,
}

impl<'a> Story<'a> {
    /// The story of an address; `None` where nginx's settings are not known.
    pub fn of(endpoint: &'a Endpoint, now: OffsetDateTime) -> Option<Self> {
        let (configured, tries) = endpoint.nginx.split_first()?;
        let works = |attempt: &&NginxAttempt| verdict(attempt, now) == Verdict::Works;
        Some(Self {
            endpoint,
            configured,
            verdict: verdict(configured, now),
            cure: tries.iter().rev().find(works),
        })
    }

    /// The line in nginx's error log, where the handshake fails and nginx writes one.
    pub fn error_log_line(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Fails(breakage) => {
                error_log::line(&self.configured.client, breakage, self.endpoint.address)
            }
            _ => None,
        }
    }

    /// What kind of fault it is: what fixes it says best what it was.
    pub fn kind(&self, breakage: &Breakage) -> FaultKind {
        match self.cure.and_then(|cure| cure.changes.first()) {
            Some(Change::ServerName) => FaultKind::SniMissing,
            Some(Change::Name(_)) => FaultKind::NameMismatch,
            Some(Change::Protocols(_)) => FaultKind::ProtocolMismatch,
            Some(Change::Ciphers(_)) => FaultKind::CipherMismatch,
            Some(Change::Identity(_)) => FaultKind::ClientCertificate,
            Some(Change::VerifyDepth(_)) => FaultKind::VerifyDepth,
            Some(Change::Trusted(_) | Change::Verify) => FaultKind::Untrusted,
            None => self.unfixed(breakage),
        }
    }

    fn unfixed(&self, breakage: &Breakage) -> FaultKind {
        match breakage {
            Breakage::Peer(Cause::Alert(AlertDescription::UNRECOGNIZED_NAME)) => {
                let named = self.configured.client.sni().is_some();
                if named { FaultKind::NameMismatch } else { FaultKind::SniMissing }
            }
            Breakage::Peer(cause) if may_concern_name(cause) && self.works_with_name() => {
                FaultKind::SniMissing
            }
            Breakage::Peer(Cause::Alert(AlertDescription::PROTOCOL_VERSION))
            | Breakage::Version(_)
            | Breakage::Configuration(HelloError::NoVersion) => FaultKind::ProtocolMismatch,
            Breakage::Peer(Cause::Alert(AlertDescription(116)))
            | Breakage::ClientCertificate(_)
            | Breakage::LateClientCertificate(_)
            | Breakage::HttpRefusal(_) => FaultKind::ClientCertificate,
            Breakage::DhKeyTooSmall(_)
            | Breakage::LegacySignature
            | Breakage::UnsafeRenegotiation
            | Breakage::Configuration(_) => FaultKind::CipherMismatch,
            Breakage::Verify(_) => FaultKind::Untrusted,
            Breakage::Name(_) => FaultKind::NameMismatch,
            Breakage::Network(_) | Breakage::Peer(_) => FaultKind::Other,
        }
    }

    fn works_with_name(&self) -> bool {
        self.configured.client.sni().is_none()
            && self.endpoint.cells(true).any(crate::observation::Handshake::established)
    }

    /// What nginx is set to, in a line.
    pub fn settings(&self) -> String {
        let client = &self.configured.client;
        let name = match client.sni() {
            Some(name) => format!("sends the name {name}"),
            None => "sends no name".to_owned(),
        };
        let versions: Vec<String> = client.versions().iter().map(ToString::to_string).collect();
        let verifies = match &client.trusted {
            _ if !client.verify => "verifies nothing".to_owned(),
            Some(trusted) => format!(
                "verifies {:?} with {} to depth {}",
                client.name,
                trusted.path.display(),
                client.verify_depth
            ),
            None if client.trusted_unread.is_some() => {
                "verifies with a file that could not be read here".to_owned()
            }
            None => "verifies without a trusted file, with which it does not start".to_owned(),
        };
        let taken = match client.version {
            Some(_) => String::new(),
            None => format!(" (it is taken for nginx {})", client.release()),
        };
        let versions = versions.join(" ");
        format!("as configured, nginx {name}, offers {versions} and {verifies}{taken}")
    }
}

/// The directives of some changes.
pub fn directives(client: &NginxClient, changes: &[Change]) -> Vec<Directive> {
    let all = changes.iter().flat_map(Change::directives);
    all.map(|(suffix, value)| directive(client, suffix, value)).collect()
}

/// One directive where its client is configured: in a file, in an annotation, or in a block that nobody has named.
pub fn directive(client: &NginxClient, suffix: &str, value: String) -> Directive {
    let place = client.place.as_ref();
    if place.is_some_and(|place| place.line == 0) {
        return Directive {
            context: "annotation".to_owned(),
            name: annotation(suffix),
            value,
            file: place.map(|place| place.file.clone()),
            line: None,
        };
    }
    Directive {
        context: if client.module == Module::Stream { "server" } else { "location" }.to_owned(),
        name: client.directive(suffix),
        value,
        file: place.map(|place| place.file.clone()),
        line: place.map(|place| place.line),
    }
}

/// What ingress-nginx calls a directive; certificates come from a secret.
fn annotation(suffix: &str) -> String {
    let name = match suffix {
        "trusted_certificate" | "certificate" | "certificate_key" => "secret".to_owned(),
        suffix => suffix.replace('_', "-"),
    };
    format!("nginx.ingress.kubernetes.io/proxy-ssl-{name}")
}
