//! The smallest change that lets a client in, from its profile and what the server accepts.

use super::finding::{Finding, ProposedDirective};
use super::missing::{Missing, certificate_kinds};
use crate::observation::Endpoint;
use crate::observation::scan::{Replay, Scan, VersionScan};
use crate::targets::{Role, Target};
use crate::tls::profile::{Objection, Profile};
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// A fix for a client.
#[derive(Clone, Debug)]
pub struct ClientFix {
    /// The text of the fix, in a sentence or two.
    pub text: String,
    /// The directive, if there is one.
    pub directive: Option<ProposedDirective>,
    /// The evidence that it was derived from.
    pub because: String,
}

impl ClientFix {
    fn new(text: impl Into<String>, name: &str, value: impl Into<String>) -> Self {
        let directive = ProposedDirective {
            context: "server".to_owned(),
            name: name.to_owned(),
            value: value.into(),
            file: None,
            line: None,
        };
        Self { text: text.into(), directive: Some(directive), because: String::new() }
    }

    fn advice(text: impl Into<String>) -> Self {
        Self { text: text.into(), directive: None, because: String::new() }
    }

    fn because(self, fact: String) -> Self {
        Self { because: fact, ..self }
    }

    /// Proposes it in a finding.
    pub fn propose(self, finding: Finding) -> Finding {
        let finding = finding.fix(self.text);
        match self.directive {
            Some(to) => finding.directive(&to.context, &to.name, to.value),
            None => finding,
        }
    }
}

/// Whether the target must serve this client: it is expected, it comes out of a capture and was named for that, or it is a
/// current browser and the target is a web server.
pub fn must_connect(profile: &Profile, target: &Target) -> bool {
    let browses = target.role == Role::Listener && target.starttls.is_none();
    let is_expected = target.expect.clients.iter().any(|one| one.name == profile.name);
    is_expected || profile.captured.is_some() || (browses && profile.is_current_browser())
}

/// The smallest change that lets this client in.
pub fn client_fix(replay: &Replay, endpoint: &Endpoint) -> Option<ClientFix> {
    let profile = replay.profile;
    let missing = Missing::of(replay, endpoint)?;
    let scan = endpoint.scans.first();
    let fix = match (&missing, scan) {
        (Missing::Client(objection), _) => against(objection),
        (Missing::Version { .. }, Some(scan)) => another_version(profile, scan),
        (Missing::Suite(version), Some(scan)) => another_suite(profile, scan.version(*version)),
        (Missing::CertificateType(_, kind), _) => another_certificate(*kind),
        (Missing::Group(version), Some(scan)) => another_group(profile, scan.version(*version)),
        (Missing::Scheme(_), _) => ClientFix::advice(
            "Add a second certificate with a key that the client can verify: ECDSA with P-256, or RSA with 2048 bits \
             or more (a second pair of ssl_certificate and ssl_certificate_key), and reload.",
        ),
        (Missing::HelloSize { .. }, _) => ClientFix::advice(
            "Update or replace the device in front of the server (a load balancer, a firewall, a relay) that expects \
             the hello in one small piece.",
        ),
        (Missing::Name, _) => ClientFix::new(
            "The client sends no SNI. Give the default server of the socket a certificate, remove \
             ssl_reject_handshake, and reload.",
            "ssl_reject_handshake",
            "off",
        ),
        _ => unknown(profile),
    };
    Some(fix.because(missing.to_string()))
}

fn against(objection: &Objection) -> ClientFix {
    match objection {
        Objection::DhTooSmall(_) => ClientFix::new(
            "Use finite-field parameters of 2048 bits or more, or none (then ECDHE is used), and reload.",
            "ssl_dhparam",
            "/etc/nginx/dhparam.pem",
        ),
        Objection::DhTooLarge(bits) => ClientFix::new(
            format!(
                "The client prefers DHE and does not support {bits} bits. Let the server prefer ECDHE or static RSA, \
                 and reload; small parameters would be unsafe for all other clients."
            ),
            "ssl_prefer_server_ciphers",
            "on",
        ),
        Objection::RsaTooSmall(_) => ClientFix::new(
            "Have a certificate issued with an RSA key of 2048 bits or an ECDSA key, and reload.",
            "ssl_certificate",
            "/etc/nginx/new.pem",
        ),
        Objection::LegacySignature(_) => ClientFix::new(
            "Accept TLS 1.2 or newer; the client accepts older versions only without a signed key exchange.",
            "ssl_protocols",
            "TLSv1.2 TLSv1.3",
        ),
        Objection::NoSecureRenegotiation => ClientFix::advice(
            "Update the server: every OpenSSL since 0.9.8m has RFC 5746. (nginx as its client can use \
             proxy_ssl_conf_command Options UnsafeLegacyServerConnect.)",
        ),
        Objection::Version(version) => ClientFix::advice(format!(
            "The server answered with {version}, which the client did not offer. Enable a version that the client offers."
        )),
    }
}

fn another_version(profile: &Profile, scan: &Scan) -> ClientFix {
    let mut versions: Vec<ProtocolVersion> = scan.accepted().map(|scan| scan.version).collect();
    versions.push(profile.newest());
    versions.sort();
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let old = profile.newest() < ProtocolVersion::TLS1_2;
    let caution = if old {
        " Versions older than TLS 1.2 need @SECLEVEL=0 in ssl_ciphers with OpenSSL 3, and weaken the server for \
         every client that an attacker can force to fall back."
    } else {
        ""
    };
    ClientFix::new(
        format!("Accept {} as well, and reload.{caution}", profile.newest()),
        "ssl_protocols",
        names.join(" "),
    )
}

fn another_suite(profile: &Profile, common: Option<&VersionScan>) -> ClientFix {
    let Some(common) = common else { return unknown(profile) };
    let accepted = || common.suites.accepted.iter().map(|choice| choice.cipher_suite);
    let kind = certificate_kinds(common);
    let best = profile
        .suites_for(common.version, kind.first().copied())
        .filter(|suite| suite.weakness().is_none())
        .max_by_key(|suite| (suite.forward_secret(), suite.is_aead()));
    let Some(suite) = best else { return unknown(profile) };
    let name = suite.openssl_name().map_or_else(|| suite.to_string(), ToOwned::to_owned);
    if suite.is_tls13() {
        let names = accepted().chain([suite]).map(|suite| suite.to_string());
        let value = format!("Ciphersuites {}", names.collect::<Vec<_>>().join(":"));
        let text = format!("Add {name} to the suites of TLS 1.3, and reload.");
        return ClientFix::new(text, "ssl_conf_command", value);
    }
    let kept = accepted().filter(|suite| !suite.is_tls13()).filter_map(CipherSuite::openssl_name);
    let mut names: Vec<&str> = kept.collect();
    names.push(&name);
    let value = names.join(":");
    ClientFix::new(format!("Add {name} to ssl_ciphers, and reload."), "ssl_ciphers", value)
}

fn another_certificate(kind: Authentication) -> ClientFix {
    if kind == Authentication::Ecdsa {
        return ClientFix::new(
            "The client has suites for RSA certificates only. Add an RSA certificate to the ECDSA one (a second pair \
             of ssl_certificate and ssl_certificate_key in the same server), and reload.",
            "ssl_certificate",
            "/etc/nginx/rsa.pem",
        );
    }
    ClientFix::new(
        "The client has suites for ECDSA certificates only. Add an ECDSA certificate to the RSA one, and reload.",
        "ssl_certificate",
        "/etc/nginx/ecdsa.pem",
    )
}

fn another_group(profile: &Profile, common: Option<&VersionScan>) -> ClientFix {
    let Some(common) = common else { return unknown(profile) };
    let own = profile.groups.iter().filter(|group| !group.is_finite_field());
    let wanted = own.filter(|group| !group.is_post_quantum()).take(1);
    let names: Vec<String> =
        common.groups.accepted.iter().chain(wanted).map(ToString::to_string).collect();
    ClientFix::new(
        "Add the group to ssl_ecdh_curve, and reload.",
        "ssl_ecdh_curve",
        names.join(":"),
    )
}

fn unknown(profile: &Profile) -> ClientFix {
    ClientFix::advice(format!(
        "Compare what {} offers with ssl_protocols, ssl_ciphers and ssl_ecdh_curve; shakedown scan lists what the \
         server accepts.",
        profile.title
    ))
}
