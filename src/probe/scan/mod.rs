//! The scan of one address: every version, suite, group and scheme that it accepts, and which known clients can
//! connect.
//!
//! Raw hellos find what a server chooses, without the limits of a TLS library; complete handshakes confirm it where the
//! library supports it. `exhaust` does the search; this file defines the hellos.

mod exhaust;
mod features;
mod groups;
mod nameless;
mod replay;
mod schemes;

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{join, join_all};

use self::exhaust::{Manner, Reply, exhaust};
use self::features::Marks;
use self::groups::GroupsOnTheWay;
use self::nameless::{differs, versions_to_ask};
use self::schemes::{SchemesOnTheWay, lock};
use super::browser::speaks_http;
use super::complete::Caller;
use super::offer::Offer;
use super::raw::RawAnswer;
use crate::certificate::Chain;
use crate::certificate::key::KeyType;
use crate::observation::scan::{Features, Listing, Scan, SuiteChoice, VersionScan};
use crate::observation::{Cause, Endpoint, Engine, Failure, Handshake, Observed, Stage};
use crate::targets::Target;
use crate::tls::extension::{Extension, ExtensionType};
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::profile::Profile;
use crate::tls::suite::{CipherSuite, KeyExchange};
use crate::tls::version::ProtocolVersion;

/// The application protocols to offer.
const ALPN: [&str; 3] = ["h2", "http/1.1", "http/1.0"];

/// What to test besides the matrix.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    /// Whether to list everything that each address accepts.
    pub scan: bool,
    /// The clients to replay, besides those that the target must serve.
    pub clients: Vec<&'static Profile>,
    /// Whether to scan even servers that lock a machine out after too many errors.
    pub risk_lockout: bool,
    /// Whether to leave out the scan that tells why a client fails: in a trial only counts whether it does.
    pub unexplained: bool,
}

/// The number of hellos that a server may count as errors without harm: MySQL and MariaDB allow 100 per host by
/// default.
const HARMLESS_HELLOS: usize = 10;

impl Depth {
    /// Whether it needs more hellos than a server that counts errors should get without the user's consent.
    pub(super) fn is_costly(&self, target: &Target) -> bool {
        let replays = target.expect.clients.len() + self.clients.len();
        !self.risk_lockout && (self.scan || replays > HARMLESS_HELLOS)
    }
}

/// Scans the address of an endpoint, if it supports TLS, and replays the requested clients.
///
/// If a client fails, a scan is made to explain why, even if none was requested.
pub(super) async fn deepen(
    caller: &Caller<'_>,
    target: &Target,
    depth: &Depth,
    endpoint: &mut Endpoint,
) {
    let mut clients = target.expect.clients.clone();
    clients.extend(
        depth.clients.iter().filter(|profile| {
            !target.expect.clients.iter().any(|known| known.name == profile.name)
        }),
    );
    if !speaks_tls(endpoint) || (clients.is_empty() && !depth.scan) {
        return;
    }
    let own = Scanner::new(caller, target.server_name.as_deref());
    let http = speaks_http(target);
    let replays = clients.into_iter().map(|profile| own.replay(profile, http));
    endpoint.replays = join_all(replays).await;
    let explained = depth.unexplained || endpoint.replays.iter().all(|it| it.outcome.is_ok());
    if !depth.scan && explained {
        return;
    }
    let scan = own.scan(&completed(endpoint, true)).await;
    let questions = versions_to_ask(endpoint, &scan);
    endpoint.scans.push(scan);
    if target.server_name.is_some() {
        let nameless = Scanner::new(caller, None);
        if differs(endpoint, &nameless.first_answers(questions).await) {
            let scan = nameless.scan(&completed(endpoint, false)).await;
            endpoint.scans.push(scan);
        }
    }
}

fn speaks_tls(endpoint: &Endpoint) -> bool {
    let answered = |failure: &Failure| {
        failure.stage == Stage::PostHandshake || matches!(failure.cause, Cause::Alert(_))
    };
    endpoint.handshakes.iter().any(|cell| cell.failure().is_none_or(answered))
        || endpoint.raw.iter().any(|raw| raw.outcome.as_ref().err().is_none_or(answered))
}

/// The complete handshakes of the matrix with the target's name or without a name.
fn completed(endpoint: &Endpoint, with_sni: bool) -> Vec<&Handshake> {
    let cells = endpoint.cells(with_sni);
    cells.filter(|cell| cell.engine == Engine::Rustls && cell.outcome.is_ok()).collect()
}

/// Sends hellos to one address, with one name or none.
struct Scanner<'a> {
    caller: &'a Caller<'a>,
    sni: Option<&'a str>,
}

impl<'a> Scanner<'a> {
    fn new(caller: &'a Caller<'a>, sni: Option<&'a str>) -> Self {
        Self { caller, sni }
    }

    /// Lists everything. `made` are the complete handshakes that were made with the same name.
    async fn scan(&self, made: &[&Handshake]) -> Scan {
        let found = join_all(ProtocolVersion::ALL.map(|version| self.suites(version))).await;
        let legacy = found
            .iter()
            .rev()
            .find(|one| one.version < ProtocolVersion::TLS1_3 && !one.suites.accepted.is_empty());
        let legacy = legacy.map(|one| one.version);
        let details = found.iter().map(|one| self.details(one, made, legacy == Some(one.version)));
        let (details, fallback) = join(join_all(details), self.fallback(&found)).await;
        let (mut alpn, mut features) = (Listing::default(), Features::default());
        let mut versions = Vec::new();
        for (version, extras) in details {
            versions.push(version);
            if let Some(extras) = extras {
                (alpn, features) = extras;
            }
        }
        features.fallback_scsv = fallback;
        let mut chains: Vec<Arc<Chain>> = Vec::new();
        let openings = found.into_iter().flat_map(|one| one.suites.accepted);
        for chain in openings.filter_map(|opening| opening.chain) {
            if !chains.iter().any(|known| known.digest == chain.digest) {
                chains.push(chain);
            }
        }
        Scan { sni: self.sni.map(ToOwned::to_owned), versions, alpn, features, chains }
    }

    /// A hello for one version that accepts every answer.
    fn hello(&self, version: ProtocolVersion) -> ClientHello {
        let hello = ClientHello::probe(version).without(ExtensionType::STATUS_REQUEST);
        match self.sni {
            Some(name) => hello.with(Extension::ServerName(name.to_owned())),
            None => hello,
        }
    }

    async fn ask<T>(
        &self,
        hello: ClientHello,
        read: impl FnOnce(&RawAnswer) -> Option<T>,
    ) -> Reply<T> {
        let mut answer = self.caller.exchange(&hello).await;
        if is_worth_another_try(&answer) {
            answer = self.caller.exchange(&hello).await;
        }
        let answer = match answer {
            Err(failure) => return Reply::Unclear(failure),
            Ok(answer) => answer,
        };
        match &answer.outcome {
            Ok(_) => read(&answer).map_or(Reply::Passed, Reply::Chose),
            Err(Failure {
                cause: cause @ (Cause::Alert(_) | Cause::Closed | Cause::Reset),
                ..
            }) => Reply::Refused(cause.clone()),
            Err(failure) => Reply::Unclear(failure.clone()),
        }
    }

    /// What a version accepts besides suites; with `extras` also what is asked in one version only.
    async fn details(
        &self,
        found: &FoundSuites,
        made: &[&Handshake],
        extras: bool,
    ) -> (VersionScan, Option<(Listing<String>, Features)>) {
        let (version, openings) = (found.version, &found.suites.accepted);
        let suites = Listing {
            accepted: openings.iter().map(|opening| opening.choice).collect(),
            order: found.suites.order,
            refusal: found.suites.refusal.clone(),
            cut_short: found.suites.cut_short.clone(),
        };
        if openings.is_empty() {
            let scan = VersionScan {
                version,
                suites,
                groups: Listing::default(),
                schemes: Listing::default(),
                complete: Observed::NotTried,
            };
            return (scan, None);
        }
        let shown = GroupsOnTheWay::of(openings);
        let extras = if extras {
            // One after the other, so that each can show another group.
            let alpn = self.alpn(version, &shown).await;
            Some((alpn, self.features(version, openings, &shown).await))
        } else {
            None
        };
        let groups = self.groups(version, openings, &shown).await;
        let cell = made.iter().find(|cell| cell.version == version);
        let schemes = match version {
            ProtocolVersion::TLS1_3 => {
                self.schemes_tls13(&groups, cell.and_then(|cell| cell.signature_scheme)).await
            }
            ProtocolVersion::TLS1_2 => self.schemes_tls12(openings, &found.signed).await,
            _ => Listing::default(),
        };
        let complete = if cell.is_some() {
            Observed::Seen(())
        } else {
            self.completes(version, openings, &groups).await
        };
        (VersionScan { version, suites, groups, schemes, complete }, extras)
    }

    /// Whether a complete handshake succeeds in a version in which hellos are answered, if the library can make one.
    async fn completes(
        &self,
        version: ProtocolVersion,
        openings: &[Opening],
        groups: &Listing<NamedGroup>,
    ) -> Observed<()> {
        let suites = openings.iter().map(|opening| opening.choice.cipher_suite).collect();
        let groups = (!groups.accepted.is_empty()).then(|| {
            // Without the curve of its certificate, a server up to TLS 1.2 refuses, whatever group it uses.
            let curve = openings.iter().find_map(Opening::leaf_curve);
            let curve = curve.filter(|curve| !groups.accepted.contains(curve));
            groups.accepted.iter().copied().chain(curve).collect()
        });
        let offer = Offer { cipher_suites: Some(suites), groups, schemes: None };
        if version < ProtocolVersion::TLS1_2 || !offer.is_possible() {
            return Observed::NotTried;
        }
        match self.caller.confirm(self.sni, version, &offer).await {
            Ok(_) => Observed::Seen(()),
            Err(failure) => Observed::Failed(failure),
        }
    }

    async fn suites(&self, version: ProtocolVersion) -> FoundSuites {
        let manner =
            Manner { batch: ClientHello::suites_at_once(version), companion: None, ordered: true };
        // The first batch contains all suites of SSLv3 servers: pre-shared keys and the like came later.
        let limit = if version == ProtocolVersion::SSL3 { manner.batch } else { usize::MAX };
        let offers = CipherSuite::all(version).take(limit).collect();
        let signed = Mutex::new(SchemesOnTheWay::default());
        let suites = exhaust(
            offers,
            manner,
            |opening: &Opening| opening.choice.cipher_suite,
            |suites| {
                let hello = ClientHello { cipher_suites: suites, ..self.hello(version) };
                let hello = match version {
                    ProtocolVersion::TLS1_2 => lock(&signed).ask_in(hello),
                    _ => hello,
                };
                self.ask(hello, |answer| {
                    let opening = self.opening(version, answer)?;
                    lock(&signed).read(opening.choice.cipher_suite, &answer.flight);
                    Some(opening)
                })
            },
        )
        .await;
        let signed = signed.into_inner().unwrap_or_else(PoisonError::into_inner);
        FoundSuites { version, suites, signed }
    }

    /// Reads an answer in that version; `None` for an answer in another version, which refuses this one.
    fn opening(&self, version: ProtocolVersion, answer: &RawAnswer) -> Option<Opening> {
        let choice = answer.outcome.as_ref().ok().filter(|choice| choice.version == version)?;
        let choice = SuiteChoice {
            cipher_suite: choice.cipher_suite,
            group: choice.group,
            key_bits: answer.flight.key_bits(),
        };
        Some(Opening {
            choice,
            chain: self.caller.chain_of(&answer.flight),
            marks: Marks::of(&answer.flight),
        })
    }

    /// A hello that the server accepts, with a suite that needs no signature if there is one.
    fn cheap_hello(&self, version: ProtocolVersion, openings: &[Opening]) -> ClientHello {
        let taken = || openings.iter().map(|opening| opening.choice.cipher_suite);
        let unsigned = taken().find(|suite| suite.key_exchange() == Some(KeyExchange::Rsa));
        let cipher_suites = unsigned.map_or_else(|| taken().collect(), |suite| vec![suite]);
        ClientHello { cipher_suites, ..self.hello(version) }
    }

    async fn alpn(&self, version: ProtocolVersion, groups: &GroupsOnTheWay) -> Listing<String> {
        let manner = Manner::at_once();
        let found = exhaust(ALPN.map(str::to_owned).to_vec(), manner, String::clone, |names| {
            let hello = self.hello(version).with(Extension::Alpn(names));
            self.ask_on_the_way(hello, groups, |answer| {
                let chosen = answer.flight.server_hello.as_ref()?.alpn.as_ref()?;
                Some(String::from_utf8_lossy(chosen).into_owned())
            })
        });
        found.await
    }
}

/// The suites of one version.
struct FoundSuites {
    version: ProtocolVersion,
    suites: Listing<Opening>,
    /// The schemes that the answers show.
    signed: SchemesOnTheWay,
}

/// An accepted suite with everything that its answer showed.
#[derive(Clone, Debug)]
struct Opening {
    choice: SuiteChoice,
    chain: Option<Arc<Chain>>,
    marks: Marks,
}

impl Opening {
    /// The curve of an ECDSA certificate.
    fn leaf_curve(&self) -> Option<NamedGroup> {
        match self.chain.as_ref()?.leaf()?.public_key.key_type {
            KeyType::Ec(curve) => NamedGroup::from_name(curve?),
            _ => None,
        }
    }
}

/// Whether to retry: a lost packet or a busy moment must not decide what a server accepts.
fn is_worth_another_try(answer: &Result<RawAnswer, Failure>) -> bool {
    let failure = match answer {
        Ok(answer) => answer.outcome.as_ref().err(),
        Err(failure) => Some(failure),
    };
    failure.is_some_and(|failure| matches!(failure.cause, Cause::TimedOut))
}
