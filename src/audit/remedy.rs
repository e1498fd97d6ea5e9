//! The smallest change that lets a client in, from its profile and what the server takes.

use super::finding::Directive;
use super::rule::Context;
use crate::certificate::key::KeyType;
use crate::observation::Endpoint;
use crate::observation::scan::{ReplayFailure, Scan, VersionScan};
use crate::tls::profile::{Objection, Profile};
use crate::tls::suite::{Authentication, CipherSuite};
use crate::tls::version::ProtocolVersion;

/// What lets a client in.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// In a sentence or two.
    pub text: String,
    /// The directive that does it, where one does.
    pub directive: Option<Directive>,
    /// What it was concluded from.
    pub because: Option<String>,
}

impl Remedy {
    fn new(text: impl Into<String>, name: &str, value: impl Into<String>) -> Self {
        let directive = Directive {
            context: "server".to_owned(),
            name: name.to_owned(),
            value: value.into(),
            file: None,
            line: None,
        };
        Self { text: text.into(), directive: Some(directive), because: None }
    }

    fn advice(text: impl Into<String>) -> Self {
        Self { text: text.into(), directive: None, because: None }
    }

    fn because(self, fact: String) -> Self {
        Self { because: Some(fact), ..self }
    }
}

/// The smallest change that lets this client in.
pub fn remedy(
    profile: &Profile,
    failure: &ReplayFailure,
    endpoint: &Endpoint,
    cx: &Context<'_>,
) -> Remedy {
    match (failure, endpoint.scans.first()) {
        (ReplayFailure::Client(objection), _) => against(objection),
        (ReplayFailure::Server(_), Some(scan)) => of_scan(profile, scan, cx),
        (ReplayFailure::Server(_), None) => unknown(profile),
    }
}

fn against(objection: &Objection) -> Remedy {
    match objection {
        Objection::DhTooSmall(_) => Remedy::new(
            "Use finite-field parameters of 2048 bits or more, or none (then ECDHE is used), and reload.",
            "ssl_dhparam",
            "/etc/nginx/dhparam.pem",
        ),
        Objection::DhTooLarge(bits) => Remedy::new(
            format!(
                "The client prefers DHE and cannot compute with {bits} bits. Have the server prefer ECDHE or \
                 static RSA for it, and reload; small parameters would endanger everyone else."
            ),
            "ssl_prefer_server_ciphers",
            "on",
        ),
        Objection::RsaTooSmall(_) => Remedy::new(
            "Have a certificate issued with an RSA key of 2048 bits or an ECDSA key, and reload.",
            "ssl_certificate",
            "/etc/nginx/new.pem",
        ),
        Objection::LegacySignature(_) => Remedy::new(
            "Speak TLS 1.2 or newer; the client takes older versions only without a signed key exchange.",
            "ssl_protocols",
            "TLSv1.2 TLSv1.3",
        ),
        Objection::NoSecureRenegotiation => Remedy::advice(
            "Update the server: every OpenSSL since 0.9.8m has RFC 5746. (An nginx as its client gets by with \
             proxy_ssl_conf_command Options UnsafeLegacyServerConnect.)",
        ),
        Objection::Version(version) => Remedy::advice(format!(
            "The server answered with {version}, which the client did not offer; speak a version that it does."
        )),
    }
}

/// Version first, then suite, then group: in that order a server decides.
fn of_scan(profile: &Profile, scan: &Scan, cx: &Context<'_>) -> Remedy {
    let common = scan.accepted().rev().find(|known| profile.versions.contains(&known.version));
    let Some(common) = common else { return another_version(profile, scan) };
    let suites: Vec<CipherSuite> =
        common.suites.accepted.iter().map(|choice| choice.cipher_suite).collect();
    if !profile.cipher_suites.iter().any(|suite| suites.contains(suite)) {
        return another_suite(profile, scan, common);
    }
    let groups = &common.groups.accepted;
    if !groups.is_empty() && !profile.groups.iter().any(|group| groups.contains(group)) {
        return another_group(profile, common);
    }
    if !profile.server_name && cx.target.server_name.is_some() {
        return Remedy::new(
            "The client sends no SNI. Give the default server of the socket a certificate, and take out \
             ssl_reject_handshake, and reload.",
            "ssl_reject_handshake",
            "off",
        );
    }
    unknown(profile)
}

fn another_version(profile: &Profile, scan: &Scan) -> Remedy {
    let mut versions: Vec<ProtocolVersion> = scan.accepted().map(|scan| scan.version).collect();
    let spoken = listed(&versions);
    versions.push(profile.newest());
    versions.sort();
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    let old = profile.newest() < ProtocolVersion::TLS1_2;
    let caution = if old {
        " Versions older than TLS 1.2 need @SECLEVEL=0 in ssl_ciphers with OpenSSL 3, and weaken the server for \
         everyone who can be made to fall back."
    } else {
        ""
    };
    Remedy::new(
        format!("Speak {} as well, and reload.{caution}", profile.newest()),
        "ssl_protocols",
        names.join(" "),
    )
    .because(format!("the server speaks {spoken}, the client {}", listed(&profile.versions)))
}

fn another_suite(profile: &Profile, scan: &Scan, common: &VersionScan) -> Remedy {
    let leaf = scan.chains.first().and_then(|chain| chain.leaf());
    let authentication = leaf.and_then(|leaf| match leaf.public_key.key_type {
        KeyType::Rsa => Some(Authentication::Rsa),
        KeyType::Ec(_) | KeyType::Ed25519 | KeyType::Ed448 => Some(Authentication::Ecdsa),
        _ => None,
    });
    let version = common.version;
    let best = |kind| {
        let suites = profile.suites_for(version, kind).filter(|suite| suite.weakness().is_none());
        suites.max_by_key(|suite| (suite.forward_secret(), suite.is_aead()))
    };
    let because =
        format!("in {version} the client offers none of the suites that the server takes");
    match (best(authentication), authentication, best(None)) {
        (Some(suite), ..) => {
            let name = suite.openssl_name().map_or_else(|| suite.to_string(), ToOwned::to_owned);
            let kept = common.suites.accepted.iter().map(|choice| choice.cipher_suite);
            let kept = kept.filter(|suite| !suite.is_tls13()).filter_map(CipherSuite::openssl_name);
            let mut names: Vec<&str> = kept.collect();
            names.push(&name);
            let value = names.join(":");
            Remedy::new(format!("Add {name} to ssl_ciphers, and reload."), "ssl_ciphers", value)
        }
        (None, Some(Authentication::Ecdsa), Some(_)) => Remedy::new(
            "The client has suites for RSA certificates only. Add an RSA certificate beside the ECDSA one (a second \
             pair of ssl_certificate and ssl_certificate_key in the same server), and reload.",
            "ssl_certificate",
            "/etc/nginx/rsa.pem",
        ),
        (None, Some(_), Some(_)) => Remedy::new(
            "The client has suites for ECDSA certificates only. Add an ECDSA certificate beside the RSA one, and \
             reload.",
            "ssl_certificate",
            "/etc/nginx/ecdsa.pem",
        ),
        _ => unknown(profile),
    }
    .because(because)
}

fn another_group(profile: &Profile, common: &VersionScan) -> Remedy {
    let own = profile.groups.iter().filter(|group| !group.is_finite_field());
    let wanted = own.filter(|group| !group.is_post_quantum()).take(1);
    let names: Vec<String> =
        common.groups.accepted.iter().chain(wanted).map(ToString::to_string).collect();
    Remedy::new("Add the group to ssl_ecdh_curve, and reload.", "ssl_ecdh_curve", names.join(":"))
        .because("the client offers none of the groups that the server takes".to_owned())
}

fn unknown(profile: &Profile) -> Remedy {
    Remedy::advice(format!(
        "Compare what {} offers with ssl_protocols, ssl_ciphers and ssl_ecdh_curve; shakedown scan lists what the \
         server takes.",
        profile.title
    ))
}

fn listed(versions: &[ProtocolVersion]) -> String {
    let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
    names.join(", ")
}
