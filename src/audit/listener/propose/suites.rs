//! Candidates for versions, suites and groups: fewer if too much is accepted, more if something is missing.

use crate::audit::listener::candidate::Candidate;
use crate::audit::listener::settings::{cipher_string, with_cipher_string, without_suites};
use crate::audit::listener::site::Site;
use crate::nginx::edit::Edit;
use crate::observation::Endpoint;
use crate::observation::scan::Scan;
use crate::openssl::release::OpensslRelease;
use crate::tls::group::NamedGroup;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{CipherSuite, KeyExchange, SuiteWeakness};
use crate::tls::version::ProtocolVersion;

/// Every current client offers at least one of these groups.
const CURRENT_GROUPS: [NamedGroup; 2] = [NamedGroup(0x001d), NamedGroup(0x0017)];

/// A post-quantum group of current browsers.
const HYBRID: NamedGroup = NamedGroup(0x11ec);

/// Suites of current clients: one for RSA certificates, and one for ECDSA certificates.
const CURRENT_SUITES: [CipherSuite; 2] = [CipherSuite(0xc02f), CipherSuite(0xc02b)];

/// Schemes of current clients: for ECDSA certificates, and for RSA ones with PSS and without.
pub(super) const CURRENT_SCHEMES: [SignatureScheme; 3] =
    [SignatureScheme(0x0403), SignatureScheme(0x0804), SignatureScheme(0x0401)];

/// Enables this version, with suites and groups for it.
pub(super) fn version(site: Site<'_>, version: ProtocolVersion) -> Vec<Candidate> {
    let edits = site.with_versions(&site.versions_and(version));
    let mut all = vec![Candidate::of(edits.clone())];
    if version == ProtocolVersion::TLS1_2 {
        all.extend(current(site).into_iter().map(|suites| joined(&edits, suites)));
    }
    all.extend(current_group(site).into_iter().map(|groups| joined(&edits, groups)));
    all
}

/// Edits, and more of them.
pub(super) fn joined(edits: &[Edit], more: Candidate) -> Candidate {
    Candidate { edits: edits.iter().cloned().chain(more.edits.clone()).collect(), ..more }
}

/// Disables versions older than TLS 1.2.
pub(super) fn no_legacy_version(site: Site<'_>) -> Vec<Candidate> {
    let mut kept = site.versions();
    kept.retain(|version| *version >= ProtocolVersion::TLS1_2);
    if kept.is_empty() {
        kept = vec![ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_3];
    }
    vec![Candidate::of(site.with_versions(&kept))]
}

/// Removes breakable suites.
pub(super) fn no_weak_suite(site: Site<'_>, seen: &Endpoint) -> Vec<Candidate> {
    let met = seen.scans.iter().flat_map(Scan::suites);
    let mut kinds: Vec<SuiteWeakness> =
        met.filter_map(|(_, choice)| choice.cipher_suite.weakness()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let words: Vec<&str> = kinds.into_iter().map(keyword).collect();
    without(site, &words, |suite| suite.weakness().is_some())
}

fn keyword(weakness: SuiteWeakness) -> &'static str {
    match weakness {
        SuiteWeakness::NoEncryption => "eNULL",
        SuiteWeakness::Anonymous => "aNULL",
        SuiteWeakness::Export => "EXPORT",
        SuiteWeakness::Des => "DES",
        SuiteWeakness::Rc4 => "RC4",
        SuiteWeakness::SmallBlock => "3DES",
    }
}

/// Removes static RSA.
pub(super) fn no_static_rsa(site: Site<'_>) -> Vec<Candidate> {
    without(site, &["kRSA"], |suite| suite.key_exchange() == Some(KeyExchange::Rsa))
}

/// Removes finite-field key exchange.
pub(super) fn no_finite_field(site: Site<'_>) -> Vec<Candidate> {
    without(site, &["kDHE"], |suite| suite.key_exchange() == Some(KeyExchange::Dhe))
}

fn without(
    site: Site<'_>,
    keywords: &[&str],
    unwanted: impl Fn(CipherSuite) -> bool,
) -> Vec<Candidate> {
    let holder = site.holder();
    let texts = without_suites(cipher_string(holder), keywords, unwanted);
    let edit = |text: String| Candidate::of(vec![with_cipher_string(holder, &text)]);
    texts.into_iter().map(edit).collect()
}

/// Adds suites with forward secrecy, and groups for them.
pub(super) fn forward_secrecy(site: Site<'_>) -> Vec<Candidate> {
    let suites = current(site);
    let groups = current_group(site);
    let both = suites.iter().zip(&groups);
    let both: Vec<Candidate> =
        both.map(|(suites, groups)| joined(&suites.edits, groups.clone())).collect();
    suites.into_iter().chain(groups).chain(both).collect()
}

/// Adds suites of current clients.
pub(super) fn current(site: Site<'_>) -> Vec<Candidate> {
    let holder = site.holder();
    let text = cipher_string(holder);
    let listed = site.suites().unwrap_or_default();
    let missing = CURRENT_SUITES.into_iter().filter(|suite| !listed.contains(suite));
    let more = missing.fold(None, |more: Option<String>, suite| {
        site.with_suite(more.as_deref().unwrap_or(text), suite, None).or(more)
    });
    let edit = |text: String| Candidate::of(vec![with_cipher_string(holder, &text)]);
    more.map(edit).into_iter().chain(current_schemes(site)).collect()
}

/// Adds schemes of current clients, if they are limited.
fn current_schemes(site: Site<'_>) -> Option<Candidate> {
    Some(Candidate::of(vec![site.with_more_schemes(CURRENT_SCHEMES.into_iter())?]))
}

/// Adds groups of current clients.
pub(super) fn current_group(site: Site<'_>) -> Vec<Candidate> {
    let listed = site.groups();
    let missing = CURRENT_GROUPS.into_iter().filter(|group| !listed.contains(group));
    let groups: Vec<NamedGroup> = listed.iter().copied().chain(missing).collect();
    if groups.len() == listed.len() {
        return Vec::new();
    }
    vec![Candidate::of(vec![site.with_groups(&groups)])]
}

/// Adds a post-quantum group before the others.
pub(super) fn post_quantum(site: Site<'_>) -> Vec<Candidate> {
    let listed = site.groups();
    if site.library < OpensslRelease::V3_5 || listed.contains(&HYBRID) || !site.names_groups() {
        return Vec::new();
    }
    let groups: Vec<NamedGroup> = [HYBRID].into_iter().chain(listed).collect();
    vec![Candidate::of(vec![site.with_groups(&groups)])]
}
