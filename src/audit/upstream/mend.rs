//! What might mend a failing handshake of nginx, most likely first. Every candidate is tried before it is proposed.

use time::OffsetDateTime;

use super::verdict::{Breakage, may_concern_name};
use crate::audit::rules::is_plain_name;
use crate::certificate::Chain;
use crate::certificate::signature::Verifier;
use crate::certificate::trust::openssl::{self, OpensslVerdict};
use crate::observation::nginx::NginxAttempt;
use crate::observation::{Cause, Endpoint};
use crate::targets::Target;
use crate::targets::nginx_client::{Change, NginxClient, Trusted};
use crate::tls::version::ProtocolVersion;

/// Names that are tried at the most.
const MAX_NAMES: usize = 4;

/// The deepest chain that `_verify_depth` is raised to.
const MAX_DEPTH: usize = 9;

/// What is known beside the attempt that failed.
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

/// Sets of changes that might get the handshake further than `breakage`, most likely first.
pub fn candidates(
    attempt: &NginxAttempt,
    breakage: &Breakage,
    hints: Hints<'_>,
) -> Vec<Vec<Change>> {
    let client = &attempt.client;
    match breakage {
        Breakage::Network(_) | Breakage::UnsafeRenegotiation => Vec::new(),
        Breakage::Configuration(_) => {
            let mut all = vec![vec![Change::Ciphers("DEFAULT".to_owned())]];
            all.extend(versions(client, hints));
            all
        }
        Breakage::Peer(cause) => {
            let mut all = Vec::new();
            if may_concern_name(cause) {
                all.extend(names_to_send(client, hints));
            }
            if matches!(cause, Cause::Alert(_) | Cause::Closed | Cause::Reset) {
                all.extend(versions(client, hints));
                all.extend(ciphers(client, hints));
            }
            all.extend(identity(client, hints));
            all
        }
        Breakage::Version(_) => versions(client, hints),
        Breakage::DhKeyTooSmall(_) => vec![
            vec![Change::Ciphers("DEFAULT:!kDHE".to_owned())],
            vec![Change::Ciphers("DEFAULT:@SECLEVEL=1".to_owned())],
        ],
        Breakage::LegacySignature => vec![vec![Change::Ciphers("DEFAULT:@SECLEVEL=0".to_owned())]],
        Breakage::ClientCertificate(_)
        | Breakage::LateClientCertificate(_)
        | Breakage::HttpRefusal(_) => identity(client, hints),
        Breakage::Verify(_) => {
            let mut all = another_certificate(attempt, hints);
            all.extend(
                attempt.chain().map(|chain| trust(client, chain, hints)).unwrap_or_default(),
            );
            all
        }
        Breakage::Name(_) => {
            let mut all = another_certificate(attempt, hints);
            all.extend(
                attempt.chain().map(|chain| covered_names(chain, hints)).unwrap_or_default(),
            );
            all
        }
    }
}

/// SNI, with the name as it is or another.
fn names_to_send(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let own = hints.target.server_name.iter().chain(&hints.target.likely_names).map(String::as_str);
    // A name that only the peer itself tells proves nothing, so it is no cure where nginx verifies.
    let chains = hints.endpoint.handshakes.iter().filter_map(|cell| cell.chain.as_ref());
    let covered = chains.filter_map(|chain| chain.leaf()).flat_map(|leaf| leaf.dns_names());
    let covered = covered.filter(|_| !client.verify);
    let names = distinct(own.chain(covered.map(String::as_str)), &client.name);
    if client.sni().is_some() {
        return names.into_iter().map(|name| vec![Change::Name(name)]).collect();
    }
    let as_it_is = is_plain_name(&client.name) && client.with(&Change::ServerName).sni().is_some();
    let as_it_is = as_it_is.then(|| vec![Change::ServerName]);
    let others = names.into_iter().map(|name| vec![Change::ServerName, Change::Name(name)]);
    as_it_is.into_iter().chain(others).collect()
}

/// Without SNI a server shows its default certificate, which the name may change.
fn another_certificate(attempt: &NginxAttempt, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let shown = attempt.chain().map(|chain| chain.digest);
    let differs = hints
        .endpoint
        .cells(true)
        .any(|cell| cell.chain.as_ref().is_some_and(|chain| Some(chain.digest) != shown));
    let unknown = !hints.endpoint.cells(true).any(|cell| cell.chain.is_some());
    if differs || unknown { names_to_send(&attempt.client, hints) } else { Vec::new() }
}

/// The operator's own names for which the certificate that was shown is good. What only the certificate says is no reason
/// to believe it.
fn covered_names(chain: &Chain, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let Some(leaf) = chain.leaf() else { return Vec::new() };
    let own = hints.target.server_name.iter().chain(&hints.target.likely_names);
    let names = distinct(own.map(String::as_str), "").into_iter();
    names.filter(|name| leaf.check_host(name)).map(|name| vec![Change::Name(name)]).collect()
}

/// The names that can stand in a directive as they are, each once, apart from one that is there already.
fn distinct<'n>(names: impl Iterator<Item = &'n str>, present: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names.filter(|name| is_plain_name(name) && *name != present) {
        if !kept.iter().any(|known| known == name) && kept.len() < MAX_NAMES {
            kept.push(name.to_owned());
        }
    }
    kept
}

fn versions(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<Change>> {
    use ProtocolVersion as P;
    let offered = client.versions();
    let mut all = Vec::new();
    if offered != [P::TLS1_2, P::TLS1_3] {
        all.push(vec![Change::Protocols(vec![P::TLS1_2, P::TLS1_3])]);
    }
    let legacy = |choice: &crate::observation::RawChoice| choice.version < P::TLS1_2;
    if hints.endpoint.raw.iter().filter_map(|raw| raw.outcome.as_ref().ok()).any(legacy) {
        let every = vec![P::TLS1, P::TLS1_1, P::TLS1_2, P::TLS1_3];
        let level = Change::Ciphers("DEFAULT:@SECLEVEL=0".to_owned());
        all.push(vec![Change::Protocols(every), level]);
    }
    all
}

fn ciphers(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let mut lists = vec!["DEFAULT".to_owned(), "DEFAULT:@SECLEVEL=1".to_owned()];
    let offered = client.hello().map(|hello| hello.cipher_suites).unwrap_or_default();
    let chosen =
        hints.endpoint.raw.iter().filter_map(|raw| Some(raw.outcome.as_ref().ok()?.cipher_suite));
    for suite in chosen.filter(|suite| !suite.is_tls13() && !offered.contains(suite)) {
        lists.extend(suite.openssl_name().map(|name| format!("DEFAULT:{name}:@SECLEVEL=0")));
    }
    lists.dedup();
    let others = lists.into_iter().filter(|list| *list != client.ciphers);
    others.map(|list| vec![Change::Ciphers(list)]).collect()
}

/// The certificate that the audit itself was given.
fn identity(client: &NginxClient, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let given = hints.target.client_identity.as_ref();
    let other = given.filter(|given| {
        client.identity.as_ref().is_none_or(|present| present.chain != given.chain)
    });
    other.map(|identity| vec![Change::Identity(identity.clone())]).into_iter().collect()
}

/// A greater depth, another trusted file, or both: whichever makes OpenSSL accept the chain.
fn trust(client: &NginxClient, chain: &Chain, hints: Hints<'_>) -> Vec<Vec<Change>> {
    let accepts = |trusted: &Trusted, depth: usize| {
        let question = openssl::Question { chain, store: &trusted.store, now: hints.now };
        let profile = client.verification(depth);
        openssl::verify(question, profile, &Verifier::default()) == OpensslVerdict::Accepted
    };
    let depth_with = |trusted: &Trusted| {
        (client.verify_depth..=MAX_DEPTH).find(|depth| accepts(trusted, *depth))
    };
    let deeper = |depth: usize| (depth > client.verify_depth).then_some(Change::VerifyDepth(depth));
    let present = client.trusted.as_ref().and_then(depth_with).and_then(deeper);
    let present = present.map(|change| vec![change]).into_iter();
    let others = hints.trusted.iter().filter_map(|trusted| {
        let mut changes = vec![Change::Trusted(trusted.clone())];
        changes.extend(deeper(depth_with(trusted)?));
        Some(changes)
    });
    present.chain(others).collect()
}
