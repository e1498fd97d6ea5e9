//! The candidates for each goal, the smallest change first.

mod certificates;
mod client;
mod sockets;
mod suites;

use super::candidate::Candidate;
use super::chain_file::ChainChange;
use super::goal::Goal;
use super::site::Site;
use crate::nginx::defaults::CONF_COMMANDS;
use crate::nginx::edit::Edit;
use crate::observation::Endpoint;

/// The most candidates for one finding.
const MAX_CANDIDATES: usize = 12;

/// Candidates for this goal and a target with these observations: the smallest change first, and of equal ones the one
/// that weakens least.
pub fn candidates(goal: Goal, site: Site<'_>, seen: &Endpoint) -> Vec<Candidate> {
    let proposed = match goal {
        Goal::Client(client) => client::candidates(client, site, seen),
        Goal::Version(version) => suites::version(site, version),
        Goal::NoLegacyVersion => suites::no_legacy_version(site),
        Goal::NoWeakSuite => suites::no_weak_suite(site, seen),
        Goal::NoStaticRsa => suites::no_static_rsa(site),
        Goal::NoFiniteField => suites::no_finite_field(site),
        Goal::ForwardSecrecy => suites::forward_secrecy(site),
        Goal::CurrentSuite => suites::current(site),
        Goal::CurrentGroup => suites::current_group(site),
        Goal::PostQuantum => suites::post_quantum(site),
        Goal::ChainOrder => {
            certificates::rewritten(site, ChainChange::Order, certificates::in_order)
        }
        Goal::WholeChain => {
            let whole = |chain: &_| certificates::whole(site, chain);
            certificates::rewritten(site, ChainChange::Complete, whole)
        }
        Goal::PlainChain => {
            certificates::rewritten(site, ChainChange::Shorten, certificates::plain)
        }
        Goal::Resumption => sockets::resumption(site),
        Goal::Http2 => sockets::http2(site),
        Goal::Http3 => sockets::http3(site),
        Goal::Name => sockets::name(site),
        Goal::NoName => sockets::no_name(site),
        Goal::ClientCertificate => sockets::client_certificate(site),
        Goal::NoClientCertificate => sockets::no_client_certificate(site),
    };
    let is_known = |edit: &Edit| site.release >= CONF_COMMANDS || edit.name != "ssl_conf_command";
    let mut all: Vec<Candidate> = Vec::new();
    for one in proposed {
        let changes = one.size() > 0 && one.edits.iter().all(is_known);
        if changes
            && !all.iter().any(|known| (&known.edits, &known.files) == (&one.edits, &one.files))
        {
            all.push(one);
        }
    }
    all.sort_by_cached_key(|one| (one.size(), one.admits.last().copied(), one.admits.len()));
    all.truncate(MAX_CANDIDATES);
    all
}

#[cfg(test)]
mod tests;
