//! Failures of one kind at one server, counted together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::document::{CauseView, DecidingDirective, FailureKind, WaitingClient};
use super::utc;
use crate::capture::blame::Blame;
use crate::capture::exchange::{Breakdown, Conclusion, Exchange};
use crate::capture::placed::PlacedDirective;
use crate::capture::placeholders::Placeholders;

/// Addresses and names of one kind that are listed.
const MAX_LISTED: usize = 10;

/// The failures so far.
#[derive(Default)]
pub(super) struct Kinds {
    kinds: BTreeMap<KindKey, Kind>,
}

/// What failures of one kind have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct KindKey {
    server: SocketAddr,
    class: &'static str,
    evidence: Vec<String>,
    directives: Vec<PlacedDirective>,
}

struct Kind {
    blame: Blame,
    directives: Vec<PlacedDirective>,
    inferred: bool,
    count: u64,
    clients: BTreeSet<IpAddr>,
    names: BTreeSet<String>,
    waiting: Vec<WaitingClient>,
    first: i64,
    last: i64,
}

impl Kinds {
    /// Takes a failure.
    pub(super) fn add(
        &mut self,
        exchange: &Exchange,
        blame: &Blame,
        waiting: &[WaitingClient],
        placeholders: &Placeholders,
    ) {
        let key = KindKey {
            server: exchange.server,
            class: blame.class,
            evidence: evidence(blame, placeholders),
            directives: renamed(&blame.directives, placeholders),
        };
        let directives = key.directives.clone();
        let kind = self.kinds.entry(key).or_insert_with(|| Kind {
            blame: blame.clone(),
            directives,
            inferred: is_inferred(exchange),
            count: 0,
            clients: BTreeSet::new(),
            names: BTreeSet::new(),
            waiting: Vec::new(),
            first: exchange.opened,
            last: exchange.opened,
        });
        kind.count += 1;
        kind.clients.insert(exchange.true_client().ip());
        if kind.names.len() < MAX_LISTED {
            kind.names.extend(exchange.server_name());
        }
        for client in waiting {
            if kind.waiting.len() < MAX_LISTED && !kind.waiting.contains(client) {
                kind.waiting.push(client.clone());
            }
        }
        kind.first = kind.first.min(exchange.opened);
        kind.last = kind.last.max(exchange.opened);
    }

    /// All of them: those that matter most first, then the most frequent.
    pub(super) fn ranked(self) -> Vec<FailureKind> {
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_by_key(|(_, kind)| {
            (kind.blame.weight, std::cmp::Reverse(kind.count), kind.first)
        });
        kinds.into_iter().map(|(key, kind)| kind.view(key.server, key.evidence)).collect()
    }
}

impl Kind {
    fn view(self, server: SocketAddr, evidence: Vec<String>) -> FailureKind {
        let listed = self.clients.iter().take(MAX_LISTED);
        FailureKind {
            server: server.to_string(),
            class: self.blame.class,
            meaning: self.blame.meaning,
            weight: self.blame.weight,
            inferred: self.inferred,
            count: self.count,
            clients: self.clients.len() as u64,
            client_addresses: listed.map(ToString::to_string).collect(),
            server_names: self.names.into_iter().collect(),
            first_seen: utc(self.first),
            last_seen: utc(self.last),
            evidence,
            on_behalf_of: self.waiting,
            directives: directives(&self.directives),
            causes: self
                .blame
                .causes
                .iter()
                .map(|(cause, likelihood)| CauseView {
                    id: cause.id,
                    likelihood: *likelihood,
                    why: cause.why,
                    how_to_tell: cause.how_to_tell,
                    fix: cause.fix,
                })
                .collect(),
        }
    }
}

/// What a failure rests on: certificates and configurations may name addresses.
pub(super) fn evidence(blame: &Blame, placeholders: &Placeholders) -> Vec<String> {
    blame.evidence.iter().map(|text| placeholders.text(text.clone())).collect()
}

/// A `listen` has an address.
pub(super) fn renamed(
    directives: &[PlacedDirective],
    placeholders: &Placeholders,
) -> Vec<PlacedDirective> {
    let renamed = |directive: &PlacedDirective| {
        let value = directive.value.clone().map(|value| placeholders.text(value));
        PlacedDirective { value, ..directive.clone() }
    };
    directives.iter().map(renamed).collect()
}

/// Directives, as the document has them.
pub(super) fn directives(placed: &[PlacedDirective]) -> Vec<DecidingDirective> {
    let view = |placed: &PlacedDirective| DecidingDirective {
        name: placed.name,
        value: placed.value.clone(),
        file: placed.file.clone(),
        line: placed.line,
        server_name: placed.server_name.clone(),
        of_default_server: placed.of_default_server,
    };
    placed.iter().map(view).collect()
}

/// Whether only sizes and order of encrypted records tell of a failure.
pub(super) fn is_inferred(exchange: &Exchange) -> bool {
    matches!(exchange.conclusion, Conclusion::Failed(Breakdown::SealedAlert { .. }))
}
