//! Candidates for one client: for each version that it supports, what must change in the configuration.

use super::{certificates, suites};
use crate::audit::listener::candidate::{Admits, Candidate};
use crate::audit::listener::settings::{at_level, cipher_string, with_cipher_string};
use crate::audit::listener::site::Site;
use crate::audit::missing::certificate_kinds;
use crate::certificate::key::KeyType;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::edit::Edit;
use crate::observation::Endpoint;
use crate::observation::scan::{ReplayFailure, Scan};
use crate::openssl::release::OpensslRelease;
use crate::tls::group::NamedGroup;
use crate::tls::profile::{Objection, Profile};
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// The first release that supports `TLSv1.3`.
const TLS13_SINCE: NginxRelease = NginxRelease::new(1, 13, 0);

/// Candidates for one client.
pub(super) fn candidates(client: &Profile, site: Site<'_>, seen: &Endpoint) -> Vec<Candidate> {
    let site = if client.server_name { site } else { site.without_name() };
    let mut versions = client.versions.clone();
    versions.retain(|version| *version > ProtocolVersion::SSL3);
    versions.sort_unstable();
    let kinds = kinds(site, seen);
    let mut all = Vec::new();
    for version in versions.into_iter().rev() {
        let way = Way { client, site, version, kinds: &kinds };
        if version == ProtocolVersion::TLS1_3 {
            all.extend(way.newest());
        } else {
            all.extend(way.older());
        }
    }
    if let Some(edit) = schemes(client, site) {
        // A scheme may be missing besides all else.
        let with = |one: &Candidate| {
            let mut more = one.clone();
            more.edits.push(edit.clone());
            more
        };
        let joined: Vec<Candidate> = all.iter().map(with).collect();
        all.extend(joined);
        all.push(Candidate::of(vec![edit]));
    }
    if dislikes_finite_field(client, seen) {
        all.extend(suites::no_finite_field(site));
    }
    all.extend(certificates::of_another_kind(site, &kinds));
    all
}

/// The types of certificate that clients receive.
fn kinds(site: Site<'_>, seen: &Endpoint) -> Vec<Authentication> {
    let leaves = certificates::served(site).filter_map(|file| file.chain.leaf());
    let mut kinds: Vec<Authentication> = leaves
        .filter_map(|leaf| match leaf.public_key.key_type {
            KeyType::Rsa => Some(Authentication::Rsa),
            KeyType::Ec(_) | KeyType::Ed25519 | KeyType::Ed448 => Some(Authentication::Ecdsa),
            _ => None,
        })
        .collect();
    if kinds.is_empty() {
        let scans = seen.scans.iter().flat_map(Scan::accepted);
        kinds.extend(scans.flat_map(certificate_kinds));
    }
    if kinds.is_empty() {
        kinds.extend([Authentication::Rsa, Authentication::Ecdsa]);
    }
    kinds
}

/// How a client can connect with one version.
struct Way<'a> {
    client: &'a Profile,
    site: Site<'a>,
    version: ProtocolVersion,
    kinds: &'a [Authentication],
}

impl Way<'_> {
    /// By TLS 1.3. Where it is switched on, everyone who knows it chooses it, and must find a group.
    fn newest(&self) -> Vec<Candidate> {
        let Site { release, library, .. } = self.site;
        if release < TLS13_SINCE || library < OpensslRelease::V1_1_1 {
            return Vec::new();
        }
        let mut edits = self.version_edits();
        let is_new = !edits.is_empty();
        let accepted = self.site.tls13_suites();
        let own = || self.client.cipher_suites.iter().copied().filter(|suite| suite.is_tls13());
        if !own().any(|suite| accepted.contains(&suite)) {
            let suites: Vec<CipherSuite> = accepted.into_iter().chain(own().take(1)).collect();
            edits.push(self.site.with_tls13_suites(&suites));
        }
        let mut all = Vec::new();
        match self.more_groups().filter(|_| !self.shares_group()) {
            Some(groups) => {
                let groups = self.site.with_groups(&groups);
                all.push(Candidate::of(edits.iter().cloned().chain([groups]).collect()));
            }
            None => all.push(Candidate::of(edits.clone())),
        }
        for one in &mut all {
            *one = one.clone().admitting(self.new_versions());
        }
        let groups = suites::current_group(self.site).into_iter().filter(|_| is_new);
        all.extend(groups.map(|groups| suites::joined(&edits, groups)));
        all
    }

    /// With TLS 1.2 or older: with the current suites, or the best candidate for each kind of change.
    fn older(&self) -> Option<Candidate> {
        let listed = self.site.suites()?;
        let grouped = self.client.groups.is_empty() || self.shares_group();
        let works = |suite: &CipherSuite| {
            let curve = suite.key_exchange() == Some(KeyExchange::Ecdhe);
            listed.contains(suite) && (!curve || grouped)
        };
        let usable = self.usable();
        if usable.iter().any(works) {
            return self.with(None, false);
        }
        // Adding a group is a smaller change than adding a suite, and a suite with forward secrecy is better than one
        // without.
        let present = usable.iter().find(|suite| listed.contains(suite));
        if present.is_some() {
            return self.with(None, true);
        }
        let best = usable.first().copied()?;
        let needs_group = best.key_exchange() == Some(KeyExchange::Ecdhe) && !grouped;
        self.with(Some(best), needs_group)
    }

    /// The client's suites for the existing certificates, best first, without breakable ones and those that OpenSSL
    /// lacks.
    fn usable(&self) -> Vec<CipherSuite> {
        let mut all: Vec<CipherSuite> = self
            .kinds
            .iter()
            .flat_map(|kind| self.client.suites_for(self.version, Some(*kind)))
            .filter(|suite| {
                let exchange = suite.key_exchange();
                matches!(exchange, Some(KeyExchange::Ecdhe | KeyExchange::Rsa))
                    && suite.weakness().is_none()
                    && self.site.with_suite("HIGH", *suite, Some(0)).is_some()
            })
            .collect();
        all.sort_by_key(|suite| std::cmp::Reverse((suite.forward_secret(), suite.is_aead())));
        all
    }

    fn with(&self, suite: Option<CipherSuite>, needs_group: bool) -> Option<Candidate> {
        let site = self.site;
        let (holder, chooser) = (site.holder(), site.chooser());
        let is_ecdsa = |kind: Option<Authentication>| kind == Some(Authentication::Ecdsa);
        let signs = match suite {
            Some(suite) => is_ecdsa(suite.authentication()),
            None => self.kinds.iter().all(|kind| is_ecdsa(Some(*kind))),
        };
        let level = |server| {
            let sha1 = signs && site.needs_sha1(server, self.version);
            let needed = site.level_needed(server, self.version, suite);
            needed.into_iter().chain(sha1.then_some(1)).min()
        };
        let mut edits = self.version_edits();
        let text = cipher_string(holder);
        let lower = level(holder);
        match (suite, lower) {
            (Some(suite), _) => {
                edits.push(with_cipher_string(holder, &site.with_suite(text, suite, lower)?));
            }
            (None, Some(level)) => {
                edits.push(with_cipher_string(holder, &at_level(text, level)));
            }
            (None, None) => {}
        }
        if holder.span != chooser.span {
            edits.extend(self.for_the_default(level(chooser)));
        }
        if needs_group {
            edits.push(site.with_groups(&self.more_groups()?));
        }
        if edits.is_empty() {
            return None;
        }
        let low = level(holder).or(level(chooser));
        let is_old = self.version < ProtocolVersion::TLS1_2;
        let admits = low.filter(|_| is_old).map(|_| Admits::Version(self.version)).into_iter();
        let admits = admits.chain(self.new_versions());
        let recorded = suite.filter(|suite| suite.key_exchange() == Some(KeyExchange::Rsa));
        let admits = admits.chain(recorded.map(|_| Admits::StaticRsa));
        Some(Candidate::of(edits).admitting(admits.chain(low.map(Admits::SecurityLevel))))
    }

    /// What the default server must say where another one is asked for: OpenSSL wants a suite for the newest version before it knows
    /// the name (`tls_setup_handshake`).
    fn for_the_default(&self, level: Option<u8>) -> Option<Edit> {
        let chooser = self.site.chooser();
        let text = cipher_string(chooser);
        let newest = self.site.versions_and(self.version).last().copied();
        let listed = self.site.suites_of(text)?;
        let usable =
            newest.is_none_or(|newest| listed.iter().any(|suite| suite.usable_with(newest)));
        if newest < Some(ProtocolVersion::TLS1_2) && !usable {
            let suite = self.usable().first().copied()?;
            return Some(with_cipher_string(chooser, &self.site.with_suite(text, suite, level)?));
        }
        level.map(|level| with_cipher_string(chooser, &at_level(text, level)))
    }

    /// Enables the version if it is off.
    fn version_edits(&self) -> Vec<Edit> {
        self.site.with_versions(&self.site.versions_and(self.version))
    }

    /// The forbidden versions that are switched on by that, for this server or for the default server.
    fn new_versions(&self) -> Vec<Admits> {
        let present = self.site.versions();
        let own = self.site.versions_and(self.version).into_iter();
        let own = own.filter(|version| !present.contains(version));
        let default = self.site.default_server();
        let known = default.ssl.versions(self.site.release);
        let edits = self.version_edits().into_iter();
        let edits = edits.filter(|edit| edit.name == "ssl_protocols" && edit.at == default.span);
        let words = edits.flat_map(|edit| edit.arguments);
        let more = words.filter_map(|word| word.parse().ok()).filter(|it| !known.contains(it));
        own.chain(more).filter(|it| *it < ProtocolVersion::TLS1_2).map(Admits::Version).collect()
    }

    fn shares_group(&self) -> bool {
        let groups = self.site.groups();
        self.client.groups.iter().any(|group| groups.contains(group))
    }

    /// The groups with one more for this client.
    fn more_groups(&self) -> Option<Vec<NamedGroup>> {
        let wanted = self.client.groups.iter().copied().find(|group| {
            group.name().is_some() && !group.is_post_quantum() && !group.is_finite_field()
        })?;
        Some(self.site.groups().into_iter().chain([wanted]).collect())
    }
}

/// The schemes that every release of OpenSSL knows by name, for ECDSA and RSA without SHA-1.
const COMMON_SCHEMES: [u16; 9] =
    [0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];

/// Adds the client's schemes, if they are limited. Without any of a kind, OpenSSL leaves out the suites of that kind for older
/// versions as well.
fn schemes(client: &Profile, site: Site<'_>) -> Option<Edit> {
    let more = client.signature_schemes.iter().copied();
    let more = more.filter(|scheme| COMMON_SCHEMES.contains(&scheme.0));
    let mut all: Vec<SignatureScheme> = more.collect();
    all.extend(suites::CURRENT_SCHEMES);
    all.sort_unstable_by_key(|scheme| scheme.0);
    all.dedup();
    site.with_more_schemes(all.into_iter())
}

/// Whether the client refused the server's finite-field key.
fn dislikes_finite_field(client: &Profile, seen: &Endpoint) -> bool {
    let mut own = seen.replays.iter().filter(|replay| replay.profile.name == client.name);
    own.any(|replay| {
        matches!(
            &replay.outcome,
            Err(ReplayFailure::Client(Objection::DhTooSmall(_) | Objection::DhTooLarge(_)))
        )
    })
}
