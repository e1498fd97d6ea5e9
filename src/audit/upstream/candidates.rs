//! Candidates for a fix of a failing handshake of nginx, likeliest first. Every candidate is tried before it is
//! proposed.

use time::OffsetDateTime;

use super::verdict::{NginxFailure, may_concern_name};
use crate::audit::rules::is_plain_name;
use crate::certificate::Chain;
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl::{self, OpensslVerdict};
use crate::nginx::defaults::CONF_COMMANDS;
use crate::observation::nginx::NginxAttempt;
use crate::observation::{Cause, Endpoint};
use crate::openssl::security_level;
use crate::targets::Target;
use crate::targets::nginx_client::{NginxClient, OpenSslSetting, SettingChange, Trusted};
use crate::tls::alert::AlertDescription;
use crate::tls::version::ProtocolVersion;

/// The most names from the configuration that are tried.
const MAX_NAMES: usize = 5;

/// The most names from the peer's certificate that are tried.
const MAX_SHOWN: usize = 3;

/// The most names that are tried together with another change.
const MAX_PAIRED: usize = 2;

/// The most attempts if each ends in a timeout.
const MAX_SLOW: usize = 4;

/// The highest `_verify_depth` that is proposed.
const MAX_DEPTH: usize = 9;

/// Further facts besides the failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    /// The target.
    pub target: &'a Target,
    /// What was seen at the address.
    pub endpoint: &'a Endpoint,
    /// Files that nginx could trust.
    pub trusted: &'a [Trusted],
    /// The time at which certificates are judged.
    pub now: OffsetDateTime,
}

impl Hints<'_> {
    /// The names that the configuration or the user gave, likeliest first.
    fn own_names(&self) -> impl Iterator<Item = &str> {
        let names = self.target.server_name.iter().chain(&self.target.likely_names);
        names.map(String::as_str)
    }

    /// Names that come only from the peer's certificate. They prove nothing by themselves.
    fn shown_names(&self, attempt: &NginxAttempt) -> Vec<String> {
        let shown = self.endpoint.handshakes.iter().filter_map(|cell| cell.chain.as_ref());
        let leaves = attempt.chain().into_iter().chain(shown).filter_map(|chain| chain.leaf());
        let mut names: Vec<String> = Vec::new();
        for leaf in leaves {
            names.extend(leaf.dns_names().iter().cloned());
            if leaf.dns_names().is_empty() {
                names.extend(leaf.subject.common_name());
            }
        }
        names
    }
}

/// Sets of changes that might get the handshake further than `failure`, likeliest first. None of them repeats a
/// current setting.
pub fn candidates(
    attempt: &NginxAttempt,
    failure: &NginxFailure,
    hints: Hints<'_>,
) -> Vec<Vec<SettingChange>> {
    let client = &attempt.client;
    let is_there = |change: &SettingChange| {
        client.release() >= CONF_COMMANDS || !matches!(change, SettingChange::ConfCommand(..))
    };
    let mut all: Vec<Vec<SettingChange>> = Vec::new();
    for mut changes in unsifted(attempt, failure, hints) {
        changes.retain(|change| client.differs_with(change));
        let known = |other: &Vec<SettingChange>| {
            SettingChange::all_directives(other).eq(SettingChange::all_directives(&changes))
        };
        let is_possible = !changes.is_empty() && changes.iter().all(is_there);
        if is_possible && !all.iter().any(known) {
            all.push(changes);
        }
    }
    if matches!(failure, NginxFailure::Peer(Cause::TimedOut)) {
        // Each attempt takes the whole timeout.
        all.truncate(MAX_SLOW);
    }
    all
}

/// Everything that might help, with repetitions and settings that are already in place.
fn unsifted(
    attempt: &NginxAttempt,
    failure: &NginxFailure,
    hints: Hints<'_>,
) -> Vec<Vec<SettingChange>> {
    let client = &attempt.client;
    match failure {
        NginxFailure::Network(_) => Vec::new(),
        // No directive makes a revocation list.
        NginxFailure::UnreadableCertificate(_) | NginxFailure::Revocation(_) => {
            another_certificate(attempt, hints)
        }
        NginxFailure::PlainText(_) => over_tls(client),
        NginxFailure::UnsafeRenegotiation => {
            vec![vec![SettingChange::ConfCommand(
                OpenSslSetting::Options,
                "UnsafeLegacyServerConnect".to_owned(),
            )]]
        }
        NginxFailure::Configuration(_) => {
            let mut all = vec![vec![SettingChange::Ciphers("DEFAULT".to_owned())]];
            all.extend(usual_level(client));
            all.extend(versions(client, hints));
            all
        }
        NginxFailure::Peer(cause) | NginxFailure::Late(cause) => refused(attempt, cause, hints),
        NginxFailure::Version(_) => versions(client, hints),
        NginxFailure::BadSignature => less(client),
        NginxFailure::DhKeyTooSmall(_) => vec![
            vec![SettingChange::Ciphers("DEFAULT:!kDHE".to_owned())],
            vec![SettingChange::Ciphers("DEFAULT:@SECLEVEL=1".to_owned())],
        ],
        NginxFailure::LegacySignature => {
            vec![vec![SettingChange::Ciphers("DEFAULT:@SECLEVEL=0".to_owned())]]
        }
        NginxFailure::ClientCertificate(_)
        | NginxFailure::LateClientCertificate(_)
        | NginxFailure::HttpRefusal(_) => identity(client, hints),
        NginxFailure::PostHandshakeAuthentication(_) => {
            let older = SettingChange::Protocols(vec![ProtocolVersion::TLS1_2]);
            let with = identity(client, hints)
                .into_iter()
                .map(|identity| identity.into_iter().chain([older.clone()]).collect());
            with.chain([vec![older.clone()]]).collect()
        }
        NginxFailure::Misdirected(_) => names_of_request(attempt, hints),
        NginxFailure::Verify(_) => {
            let mut all = another_certificate(attempt, hints);
            all.extend(usual_level(client));
            all.extend(
                attempt.chain().map(|chain| trust(client, chain, hints)).unwrap_or_default(),
            );
            all
        }
        NginxFailure::Name(_) => {
            let mut all = another_certificate(attempt, hints);
            all.extend(
                attempt
                    .chain()
                    .map(|chain| covered_names(attempt, chain, hints))
                    .unwrap_or_default(),
            );
            all
        }
    }
}

/// Candidates if the server ends the handshake: a name, other versions and suites, a certificate, a smaller hello, and
/// finally two of these at once.
fn refused(attempt: &NginxAttempt, cause: &Cause, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let client = &attempt.client;
    let names = if may_concern_name(cause) { names_to_send(attempt, hints) } else { Vec::new() };
    let mut others = Vec::new();
    // A server that does not answer may fail on larger hellos.
    let breaks = match cause {
        Cause::Alert(alert) => {
            [AlertDescription::ILLEGAL_PARAMETER, AlertDescription::DECODE_ERROR].contains(alert)
        }
        _ => true,
    };
    if breaks {
        others.extend(less(client));
    }
    if matches!(cause, Cause::Alert(_) | Cause::Closed | Cause::Reset) {
        others.extend(versions(client, hints));
        others.extend(usual_level(client));
        others.extend(ciphers(client, hints));
    }
    others.extend(identity(client, hints));
    if !breaks {
        others.extend(less(client));
    }
    let pairs = names.iter().take(MAX_PAIRED).flat_map(|name| {
        others.iter().map(|other| name.iter().chain(other).cloned().collect::<Vec<_>>())
    });
    let pairs: Vec<_> = pairs.collect();
    names.into_iter().chain(others).chain(pairs).collect()
}

/// A smaller hello: without the large key shares of ML-KEM, or without TLS 1.3.
fn less(client: &NginxClient) -> Vec<Vec<SettingChange>> {
    use ProtocolVersion as P;
    let mut all = Vec::new();
    let hello = client.hello();
    let large = hello.is_ok_and(|hello| hello.groups().iter().any(|one| one.is_post_quantum()));
    if large && client.place.as_ref().is_none_or(|place| place.line > 0) {
        all.push(vec![SettingChange::ConfCommand(
            OpenSslSetting::Groups,
            "X25519:prime256v1".to_owned(),
        )]);
    }
    let versions = client.versions();
    if versions.contains(&P::TLS1_3) && versions.contains(&P::TLS1_2) {
        all.push(vec![SettingChange::Protocols(vec![P::TLS1_2])]);
    }
    all
}

/// TLS instead of plain text; whatever else it takes is found from there.
pub fn over_tls(client: &NginxClient) -> Vec<Vec<SettingChange>> {
    let url = client.plain.as_ref().and_then(|plain| plain.over_tls.clone());
    url.map(|url| vec![SettingChange::Tls(url)]).into_iter().collect()
}

/// Names for the hello and the request that match.
fn names_of_request(attempt: &NginxAttempt, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let client = &attempt.client;
    let names = names_to_send(attempt, hints);
    let alike = client.sni().map(|name| vec![SettingChange::Host(name.to_owned())]);
    let both = names.iter().map(|changes| {
        let name = changes.iter().find_map(|change| match change {
            SettingChange::Name(name) => Some(name.clone()),
            _ => None,
        });
        let host = SettingChange::Host(name.unwrap_or_else(|| client.name.clone()));
        changes.iter().cloned().chain([host]).collect()
    });
    let both: Vec<Vec<SettingChange>> = both.collect();
    // With the name that is already in the request, the request need not change.
    alike.into_iter().chain(names).chain(both).collect()
}

/// SNI, with the current name or another.
pub fn names_to_send(attempt: &NginxAttempt, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let client = &attempt.client;
    let shown = hints.shown_names(attempt);
    let own = distinct(hints.own_names(), &client.name, MAX_NAMES);
    let shown = distinct(shown.iter().map(String::as_str), &client.name, MAX_SHOWN);
    let names = own.into_iter().chain(shown);
    if client.sni().is_some() {
        return names.map(|name| vec![SettingChange::Name(name)]).collect();
    }
    let as_it_is =
        is_plain_name(&client.name) && client.with(&SettingChange::ServerName).sni().is_some();
    let as_it_is = as_it_is.then(|| vec![SettingChange::ServerName]);
    let others = names.map(|name| vec![SettingChange::ServerName, SettingChange::Name(name)]);
    as_it_is.into_iter().chain(others).collect()
}

/// Without SNI a server presents its default certificate; a name may lead to another.
fn another_certificate(attempt: &NginxAttempt, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let shown = attempt.chain().map(|chain| chain.digest);
    let differs = hints
        .endpoint
        .cells(true)
        .any(|cell| cell.chain.as_ref().is_some_and(|chain| Some(chain.digest) != shown));
    let unknown = !hints.endpoint.cells(true).any(|cell| cell.chain.is_some());
    if differs || unknown { names_to_send(attempt, hints) } else { Vec::new() }
}

/// The names that the presented certificate covers: those of the configuration first, then the certificate's own.
fn covered_names(
    attempt: &NginxAttempt,
    chain: &Chain,
    hints: Hints<'_>,
) -> Vec<Vec<SettingChange>> {
    let Some(leaf) = chain.leaf() else { return Vec::new() };
    let shown = hints.shown_names(attempt);
    let own = distinct(hints.own_names(), "", MAX_NAMES);
    let shown = distinct(shown.iter().map(String::as_str), "", MAX_SHOWN);
    let names = own.into_iter().chain(shown);
    names.filter(|name| leaf.check_host(name)).map(|name| vec![SettingChange::Name(name)]).collect()
}

/// The names that are safe in a directive and can be sent, each once, without the current one.
fn distinct<'n>(names: impl Iterator<Item = &'n str>, present: &str, most: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let is_name = |name: &str| is_plain_name(name) && name.parse::<std::net::IpAddr>().is_err();
    for name in names.filter(|name| is_name(name) && *name != present) {
        if !kept.iter().any(|known| known == name) && kept.len() < most {
            kept.push(name.to_owned());
        }
    }
    kept
}

fn versions(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    use ProtocolVersion as P;
    let offered = client.versions();
    let mut all = Vec::new();
    if offered != [P::TLS1_2, P::TLS1_3] {
        all.push(vec![SettingChange::Protocols(vec![P::TLS1_2, P::TLS1_3])]);
    }
    let legacy = |choice: &crate::observation::RawChoice| choice.version < P::TLS1_2;
    if hints.endpoint.raw.iter().filter_map(|raw| raw.outcome.as_ref().ok()).any(legacy) {
        let every = vec![P::TLS1, P::TLS1_1, P::TLS1_2, P::TLS1_3];
        let level = SettingChange::Ciphers("DEFAULT:@SECLEVEL=0".to_owned());
        all.push(vec![SettingChange::Protocols(every), level]);
    }
    all
}

fn ciphers(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let mut lists: Vec<String> =
        ["DEFAULT", "DEFAULT:@SECLEVEL=1", "DEFAULT:@SECLEVEL=0"].map(ToOwned::to_owned).to_vec();
    let offered = client.hello().map(|hello| hello.cipher_suites).unwrap_or_default();
    let chosen =
        hints.endpoint.raw.iter().filter_map(|raw| Some(raw.outcome.as_ref().ok()?.cipher_suite));
    for suite in chosen.filter(|suite| !suite.is_tls13() && !offered.contains(suite)) {
        // Suites that DEFAULT excludes cannot be added after it.
        let name = suite.openssl_name();
        lists.extend(name.map(|name| format!("HIGH:!aNULL:{name}:@SECLEVEL=0")));
    }
    lists.dedup();
    let others = lists.into_iter().filter(|list| *list != client.ciphers);
    others.map(|list| vec![SettingChange::Ciphers(list)]).collect()
}

/// The usual security level, where the settings or OpenSSL's configuration demand more.
fn usual_level(client: &NginxClient) -> Option<Vec<SettingChange>> {
    let list = format!("DEFAULT:@SECLEVEL={}", security_level::DEFAULT);
    let is_higher = client.security_level() > security_level::DEFAULT;
    is_higher.then(|| vec![SettingChange::Ciphers(list)])
}

/// The client certificate of the audit.
fn identity(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let given = hints.target.client_identity.as_ref();
    let other = given.filter(|given| {
        client.identity.as_ref().is_none_or(|present| present.chain != given.chain)
    });
    other.map(|identity| vec![SettingChange::Identity(identity.clone())]).into_iter().collect()
}

/// A greater depth, another trusted file, or both: whichever makes OpenSSL accept the chain.
fn trust(client: &NginxClient, chain: &Chain, hints: Hints<'_>) -> Vec<Vec<SettingChange>> {
    let accepts = |trusted: &Trusted, depth: usize| {
        let question = client.question(chain, trusted, hints.now);
        let profile = client.verification(depth);
        openssl::verify(question, profile, &Verifier::default()) == OpensslVerdict::Accepted
    };
    let depth_with = |trusted: &Trusted| {
        (client.verify_depth..=MAX_DEPTH).find(|depth| accepts(trusted, *depth))
    };
    let deeper =
        |depth: usize| (depth > client.verify_depth).then_some(SettingChange::VerifyDepth(depth));
    let present = client.trusted.as_ref().and_then(depth_with).and_then(deeper);
    let present = present.map(|change| vec![change]).into_iter();
    let others = hints.trusted.iter().filter_map(|trusted| {
        let mut changes = vec![SettingChange::Trusted(trusted.clone())];
        changes.extend(deeper(depth_with(trusted)?));
        Some(changes)
    });
    present.chain(others).collect()
}
