//! Why a known client cannot connect: compares its offers with what the server accepts. The alert does not show the
//! reason, because servers send 40 for nearly all of these.

use std::fmt;

use crate::observation::scan::{Replay, ReplayFailure, Scan, VersionScan};
use crate::observation::{Cause, Endpoint, Failure};
use crate::tls::alert::AlertDescription;
use crate::tls::profile::{Objection, Profile};
use crate::tls::suite::{Authentication, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// What is missing between a client and a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The client refuses the server's answer.
    Client(Objection),
    /// They have no version in common.
    Version {
        /// What the server accepts, oldest first.
        server: Vec<ProtocolVersion>,
        /// What the client offers.
        client: Vec<ProtocolVersion>,
    },
    /// They share no cipher suite in the version that they would use.
    Suite(ProtocolVersion),
    /// The client has suites of that version, but none for the server's kind of certificate.
    CertificateType(ProtocolVersion, Authentication),
    /// They share no group.
    Group(ProtocolVersion),
    /// They share no signature scheme.
    Scheme(ProtocolVersion),
    /// They share no application protocol.
    Alpn {
        /// What the server accepts, as far as it was tested.
        server: Vec<String>,
        /// What the client offers.
        client: Vec<String>,
    },
    /// The hello is too large for the server, or for a middlebox in front of it.
    HelloSize {
        /// The size of the client's hello, in bytes.
        sent: usize,
        /// The size of a hello that is answered.
        answered: usize,
    },
    /// The client sends no server name.
    Name,
    /// The server accepts nothing that a scan offers.
    Everything,
    /// Everything that was compared matches; the reason is something that was not tested.
    Untried,
    /// It was not listed what the server accepts.
    NotListed,
}

impl Missing {
    /// What this client lacks at this address; `None` if it connects, or could not be tried.
    pub fn of(replay: &Replay, endpoint: &Endpoint) -> Option<Self> {
        let failure = replay.outcome.as_ref().err().filter(|failure| failure.is_refusal())?;
        if let ReplayFailure::Client(objection) = failure {
            return Some(Self::Client(objection.clone()));
        }
        if let Some(size) = too_large(replay, endpoint) {
            return Some(size);
        }
        let scan = endpoint.scans.first();
        // The only alert that has a single meaning.
        let says_so = matches!(
            failure,
            ReplayFailure::Server(Failure {
                cause: Cause::Alert(AlertDescription::NO_APPLICATION_PROTOCOL),
                ..
            })
        );
        if says_so || replay.fails_on_alpn {
            let server = scan.map(|scan| scan.alpn.accepted.clone()).unwrap_or_default();
            return Some(Self::Alpn { server, client: replay.profile.alpn.clone() });
        }
        let Some(scan) = scan else { return Some(Self::NotListed) };
        if scan.accepted().next().is_none() {
            let is_certain = scan.versions.iter().all(|version| version.suites.cut_short.is_none());
            return Some(if is_certain { Self::Everything } else { Self::NotListed });
        }
        let unnamed = scan.sni.is_some() && !replay.profile.server_name;
        let rest = if unnamed { Self::Name } else { Self::Untried };
        Some(between(replay.profile, scan).unwrap_or(rest))
    }
}

fn too_large(replay: &Replay, endpoint: &Endpoint) -> Option<Missing> {
    let browser = endpoint.browser.as_ref()?;
    let (_, classic) = browser.breaks()?;
    let size = browser.breaks_on_size() == Some(true) && replay.size > classic.size;
    let key = browser.breaks_on_size() == Some(false)
        && replay.profile.key_shares.iter().any(|group| group.is_post_quantum());
    (size || key).then_some(Missing::HelloSize { sent: replay.size, answered: classic.size })
}

/// Version first, then suite, group and scheme: servers decide in this order.
fn between(profile: &Profile, scan: &Scan) -> Option<Missing> {
    let accepted: Vec<ProtocolVersion> = scan.accepted().map(|scan| scan.version).collect();
    let common = scan.accepted().rev().find(|known| profile.versions.contains(&known.version));
    let Some(common) = common else {
        let client = profile.versions.clone();
        return Some(Missing::Version { server: accepted, client });
    };
    let version = common.version;
    let accepted = || common.suites.accepted.iter().map(|choice| choice.cipher_suite);
    let shared: Vec<_> = accepted().filter(|suite| profile.cipher_suites.contains(suite)).collect();
    if shared.is_empty() {
        if common.suites.cut_short.is_some() {
            return None;
        }
        let kinds = certificate_kinds(common);
        let fits = |kind: &Authentication| {
            profile.suites_for(version, Some(*kind)).any(|suite| suite.weakness().is_none())
        };
        return Some(match kinds.first() {
            Some(kind) if !kinds.iter().any(fits) => Missing::CertificateType(version, *kind),
            _ => Missing::Suite(version),
        });
    }
    let tls13 = version == ProtocolVersion::TLS1_3;
    let groups = &common.groups.accepted;
    let curve = shared.iter().all(|suite| suite.key_exchange() == Some(KeyExchange::Ecdhe));
    if (tls13 || curve)
        && !groups.is_empty()
        && common.groups.cut_short.is_none()
        && !profile.groups.is_empty()
        && !profile.groups.iter().any(|group| groups.contains(group))
    {
        return Some(Missing::Group(version));
    }
    let schemes = &common.schemes.accepted;
    let signed = |suite: &crate::tls::suite::CipherSuite| {
        matches!(suite.key_exchange(), Some(KeyExchange::Ecdhe | KeyExchange::Dhe))
    };
    let unsigned = !tls13 && !shared.iter().all(signed);
    let whole = !schemes.is_empty() && common.schemes.cut_short.is_none();
    let known = whole && !profile.signature_schemes.is_empty() && !unsigned;
    let verifies = profile.signature_schemes.iter().any(|scheme| schemes.contains(scheme));
    (known && !verifies).then_some(Missing::Scheme(version))
}

/// The types of certificate that the accepted suites of a version use.
pub(super) fn certificate_kinds(scan: &VersionScan) -> Vec<Authentication> {
    let mut kinds = Vec::new();
    for choice in &scan.suites.accepted {
        if let Some(kind @ (Authentication::Rsa | Authentication::Ecdsa)) =
            choice.cipher_suite.authentication()
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
    }
    kinds
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(objection) => objection.fmt(f),
            Self::Version { server, client } => {
                write!(f, "no common version: the server accepts {}, ", listed(server))?;
                write!(f, "the client offers {}", listed(client))
            }
            Self::Suite(version) => {
                write!(f, "in {version} the client offers no cipher suite that the server accepts")
            }
            Self::CertificateType(version, kind) => {
                let name = if *kind == Authentication::Ecdsa { "ECDSA" } else { "RSA" };
                write!(f, "in {version} the client offers no cipher suite for the server's {name} certificate")
            }
            Self::Group(version) => {
                write!(f, "in {version} the client offers no group that the server accepts")
            }
            Self::Scheme(version) => {
                write!(f, "in {version} the server signs with no scheme that the client offers")
            }
            Self::Alpn { server, client } => {
                write!(f, "no common application protocol (ALPN): the client offers {}", client.join(", "))?;
                if server.is_empty() { Ok(()) } else { write!(f, ", the server accepts {}", server.join(", ")) }
            }
            Self::HelloSize { sent, answered } => {
                write!(f, "its hello has {sent} bytes; one of {answered} bytes is answered")
            }
            Self::Name => f.write_str("the client sends no server name (SNI)"),
            Self::Everything => f.write_str(
                "the server refuses every version and cipher suite (a gap in ssl_protocols can do that)",
            ),
            Self::Untried => f.write_str(
                "version, cipher suite, group and signature scheme match; other causes were not tried",
            ),
            Self::NotListed => f.write_str("it is not known what the server accepts"),
        }
    }
}

fn listed(versions: &[ProtocolVersion]) -> String {
    let mut versions = versions.to_vec();
    versions.sort();
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::Scene;
    use crate::tls::group::NamedGroup;
    use crate::tls::scheme::SignatureScheme;

    fn missing(scene: &Scene) -> Missing {
        let endpoint = &scene.seen.endpoints[0];
        Missing::of(&endpoint.replays[0], endpoint).unwrap()
    }

    #[test]
    fn an_application_protocol_that_is_not_accepted_is_named() {
        let mut scene = Scene::new();
        scene.replay("chrome", Err(Cause::Alert(AlertDescription(120))));
        assert!(missing(&scene).to_string().contains("(ALPN): the client offers h2, http/1.1"));
    }

    #[test]
    fn an_application_protocol_that_a_try_shows_is_named_whatever_the_alert() {
        let mut scene = Scene::new();
        scene.replay("chrome", Err(Cause::Closed));
        assert_eq!(missing(&scene), Missing::NotListed);
        scene.seen.endpoints[0].replays[0].fails_on_alpn = true;
        assert!(missing(&scene).to_string().contains("(ALPN): the client offers h2, http/1.1"));
    }

    #[test]
    fn what_is_missing_is_named_whatever_the_alert() {
        let refused = Err(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        let mut scene = Scene::new();
        scene.replay("java-8", refused);
        assert_eq!(missing(&scene), Missing::NotListed);
        scene.scan(ProtocolVersion::TLS1_3, &[0x1301]);
        assert!(matches!(missing(&scene), Missing::Version { .. }));
        scene.scan(ProtocolVersion::TLS1_2, &[0xcca8]);
        assert_eq!(missing(&scene), Missing::Suite(ProtocolVersion::TLS1_2));
        scene.scan(ProtocolVersion::TLS1_2, &[0xc02f]);
        let version = &mut scene.seen.endpoints[0].scans[0].versions[3];
        version.groups.accepted = vec![NamedGroup(0x001d)];
        assert_eq!(missing(&scene), Missing::Group(ProtocolVersion::TLS1_2));
        let version = &mut scene.seen.endpoints[0].scans[0].versions[3];
        version.groups.accepted = vec![NamedGroup(0x0017)];
        version.schemes.accepted = vec![SignatureScheme(0x0809)];
        assert_eq!(missing(&scene), Missing::Scheme(ProtocolVersion::TLS1_2));
    }
}
