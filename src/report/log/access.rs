//! The results of access logs, and the clients that a planned change would refuse.

use super::document::{AccessOut, NamedCount, Percentiles, Reuse, VersionOut, WhatIf};
use super::{MAX_NAMES, named, rounded, share};
use crate::log::sketch::NameCounts;
use crate::log::tally::Tally;
use crate::log::traffic::Traffic;

/// A lower share of resumed sessions means a problem with the cache or the tickets.
const GOOD_REUSE: f64 = 0.7;

pub(super) fn access(traffic: &Traffic, tally: &Tally) -> AccessOut {
    let tls = traffic.tls();
    let totals = halves(traffic);
    let mut versions: Vec<VersionOut> = traffic
        .versions
        .iter()
        .map(|(name, version)| {
            let counts = traffic.grid.map(|grid| version.series.counts(&grid)).unwrap_or_default();
            let (early, late) = counts.split_at(counts.len() / 2);
            let part =
                |counts: &[u64], whole: u64| (whole > 0).then(|| share(counts.iter().sum(), whole));
            VersionOut {
                version: String::from_utf8_lossy(name).into_owned(),
                requests: version.requests,
                share: share(version.requests, tls),
                clients: version.clients.count().0,
                share_before: part(early, totals.0),
                share_after: part(late, totals.1),
            }
        })
        .collect();
    versions.sort_by(|a, b| b.requests.cmp(&a.requests).then(a.version.cmp(&b.version)));
    let times = &traffic.connect_time;
    let at = |percent| times.percentile(percent).unwrap_or(0);
    AccessOut {
        requests: traffic.requests,
        tls_requests: traffic.tells_version.then_some(tls),
        versions,
        ciphers: named(&traffic.ciphers),
        curves: named(&traffic.curves),
        session_reuse: traffic.reuse_ratio().map(|ratio| Reuse {
            ratio: rounded(ratio),
            low: ratio < GOOD_REUSE,
            per: if traffic.by_connection { "connection" } else { "request" },
        }),
        upstream_connect_ms: (times.total() > 0).then(|| Percentiles {
            count: times.total(),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        }),
        bad_gateway: traffic.bad_gateway,
        bad_gateway_not_connected: traffic.tells_tries.then_some(traffic.not_connected),
        bad_gateway_with_handshake_failure: tally.moments.coincidences(),
        failed_tries: named(&traffic.failed_tries),
    }
}

/// Requests over TLS in the earlier and the later half of the log.
fn halves(traffic: &Traffic) -> (u64, u64) {
    let Some(grid) = traffic.grid else { return (0, 0) };
    let half = |counts: &[u64]| -> (u64, u64) {
        let (early, late) = counts.split_at(counts.len() / 2);
        (early.iter().sum(), late.iter().sum())
    };
    let parts = traffic.versions.values().map(|version| half(&version.series.counts(&grid)));
    parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
}

pub(super) fn refused(traffic: &Traffic, versions: &[String]) -> WhatIf {
    let stays = |name: &[u8]| versions.iter().any(|version| version.as_bytes() == name);
    let mut what_if = WhatIf {
        ssl_protocols: versions.to_vec(),
        refused_requests: 0,
        refused_share: 0.0,
        refused_clients: 0,
        exact: traffic.versions.keys().any(|name| stays(name)),
        server_names: Vec::new(),
        user_agents: Vec::new(),
    };
    for (_, version) in traffic.versions.iter().filter(|(name, _)| !stays(name)) {
        what_if.refused_requests += version.requests;
        what_if.refused_clients += version.clients.count().0;
        add(&mut what_if.server_names, &version.names);
        add(&mut what_if.user_agents, &version.agents);
    }
    what_if.refused_share = share(what_if.refused_requests, traffic.tls());
    what_if
}

/// Adds the counts of one version to those of others.
fn add(sum: &mut Vec<NamedCount>, names: &NameCounts) {
    for named in named(names) {
        match sum.iter_mut().find(|known| known.name == named.name) {
            Some(known) => known.count += named.count,
            None => sum.push(named),
        }
    }
    sum.sort_by(|a, b| b.count.cmp(&a.count).then(a.name.cmp(&b.name)));
    sum.truncate(MAX_NAMES);
}
