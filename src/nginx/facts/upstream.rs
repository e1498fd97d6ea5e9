//! Facts about an upstream's settings.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::listener::{commands, suites};
use super::{Fact, FactKind};
use crate::nginx::problem::Span;
use crate::nginx::upstream::{PeerAddress, ProxyModule, ProxySsl, Upstream};
use crate::nginx::variable_text;

pub(super) fn facts(upstreams: &[Upstream]) -> Vec<Fact> {
    // A setting that only applies to some of the upstreams is not a mistake.
    let count = upstreams.iter().flat_map(|one| {
        let verified = verify_settings(&one.ssl).filter(|_| one.ssl.verifies());
        let named = one.ssl.name.as_ref().filter(|_| one.ssl.sends_name());
        verified.map(|(_, span)| span).chain(named.map(|set| &set.span))
    });
    let count: HashSet<&Span> = count.collect();
    let is_idle = |fact: &Fact| {
        matches!(fact.kind, FactKind::VerifySettingUnused { .. } | FactKind::NameNotSent { .. })
    };
    let mut facts: Vec<Fact> = upstreams.iter().flat_map(single).collect();
    facts.retain(|fact| !(is_idle(fact) && count.contains(&fact.span)));
    facts
}

/// Facts about a single upstream.
fn single(upstream: &Upstream) -> Vec<Fact> {
    let ssl = &upstream.ssl;
    let mut facts = Vec::new();
    let mut say = |span: &Span, kind| facts.push(Fact { span: span.clone(), kind });
    match (&ssl.verify, &ssl.trusted_certificate) {
        (Some(verify), None) if verify.value => say(&verify.span, FactKind::TrustMissing),
        _ => {}
    }
    if !ssl.verifies() {
        for (suffix, span) in verify_settings(ssl) {
            let directive = format!("{}{suffix}", upstream.module.prefix());
            say(span, FactKind::VerifySettingUnused { directive });
        }
    }
    match &ssl.name {
        Some(name) if !ssl.sends_name() => {
            say(&name.span, FactKind::NameNotSent { is_verified: ssl.verifies() });
        }
        _ => {}
    }
    if let (Some(_), None) = (&ssl.certificate, &ssl.certificate_key)
        && let Some(certificate) = ssl.certificate.as_ref().filter(|one| !one.written.is_empty())
    {
        say(&certificate.span, FactKind::KeyMissing);
    }
    facts.extend(destination(upstream));
    let directive = format!("{}protocols", upstream.module.prefix());
    facts.extend(commands(&ssl.conf_command, ssl.protocols.as_ref(), &directive));
    facts.extend(ssl.ciphers.as_ref().and_then(suites));
    facts
}

/// The settings that only apply if the certificate is verified.
fn verify_settings(ssl: &ProxySsl) -> impl Iterator<Item = (&'static str, &Span)> {
    let file = ssl.trusted_certificate.as_ref().map(|set| ("trusted_certificate", &set.span));
    let crl = ssl.crl.as_ref().map(|set| ("crl", &set.span));
    let depth = ssl.verify_depth.as_ref().map(|set| ("verify_depth", &set.span));
    [file, crl, depth].into_iter().flatten()
}

/// Facts about its `upstream` block.
fn destination(upstream: &Upstream) -> Vec<Fact> {
    let Ok(destination) = &upstream.destination else { return Vec::new() };
    let ssl = &upstream.ssl;
    let mut facts = Vec::new();
    let uses_name = ssl.sends_name() || ssl.verifies();
    if let Some(group) = destination.group.as_ref().filter(|_| ssl.name.is_none() && uses_name) {
        // A block may be named after the host that it contains.
        let is_host = destination.host.contains('.');
        let kind = FactKind::GroupName { name: group.name.clone() };
        facts.extend((!is_host).then(|| Fact { span: upstream.span.clone(), kind }));
    }
    let host = destination.peers.first().map(|peer| (peer.resolve, &peer.address));
    if let Some((true, PeerAddress::Host { host, .. })) = host
        && destination.group.is_none()
        && !upstream.has_resolver
        && host.parse::<IpAddr>().is_err()
    {
        let kind = FactKind::ResolverMissing { host: host.clone() };
        facts.push(Fact { span: upstream.span.clone(), kind });
    }
    let assumed = destination.peers.iter().filter(|peer| peer.assumed_port_80);
    facts.extend(assumed.map(|peer| Fact { span: peer.span.clone(), kind: FactKind::Port80 }));
    facts
}

/// How strictly a session was verified: whether at all, and by which trusted file and revocation list.
type Strictness<'a> = (bool, Option<&'a str>, Option<&'a str>);

/// The client certificate of a session.
type Identity<'a> = Option<&'a str>;

/// nginx's key for sessions: whether it is in `stream`, the host or block, and the port of a host.
type SessionKey<'a> = (bool, &'a str, Option<u16>);

/// Places that share sessions with others: those that verify, with others that verify less or with other files; and
/// those with different client certificates (`ngx_http_upstream_save_round_robin_peer_session`).
pub(super) fn shared_sessions(upstreams: &[Upstream]) -> Vec<Fact> {
    let verified = unlike(upstreams, strictness);
    let verified = verified.filter(|(upstream, _)| upstream.ssl.verifies());
    let verified = verified.map(|(upstream, other)| {
        let kind = FactKind::SharedSession { other: other.span.clone() };
        Fact { span: upstream.span.clone(), kind }
    });
    let identified = unlike(upstreams, identity).map(|(upstream, other)| {
        let kind = FactKind::SharedIdentity { other: other.span.clone() };
        Fact { span: upstream.span.clone(), kind }
    });
    verified.chain(identified).collect()
}

/// Each place that shares sessions with a place that differs in this, and the first such place.
fn unlike<'a, T: PartialEq + 'a>(
    upstreams: &'a [Upstream],
    of: fn(&'a ProxySsl) -> T,
) -> impl Iterator<Item = (&'a Upstream, &'a Upstream)> {
    let mut shared: HashMap<SessionKey<'_>, Vec<(T, &Upstream)>> = HashMap::new();
    for upstream in upstreams {
        let Some(key) = session_key(upstream) else { continue };
        let known = shared.entry(key).or_default();
        let value = of(&upstream.ssl);
        if !known.iter().any(|(other, _)| *other == value) {
            known.push((value, upstream));
        }
    }
    upstreams.iter().filter_map(move |upstream| {
        let own = of(&upstream.ssl);
        let others = shared.get(&session_key(upstream)?)?;
        let (_, other) = others.iter().find(|(other, _)| *other != own)?;
        Some((upstream, *other))
    })
}

fn identity(ssl: &ProxySsl) -> Identity<'_> {
    let certificate = ssl.certificate.as_ref().filter(|one| !one.written.is_empty())?;
    Some(&certificate.written)
}

fn strictness(ssl: &ProxySsl) -> Strictness<'_> {
    let file = ssl.trusted_certificate.as_ref().map(|set| set.value.as_str());
    let crl = ssl.crl.as_ref().map(|set| set.value.as_str());
    if ssl.verifies() { (true, file, crl) } else { (false, None, None) }
}

/// The key of an upstream's sessions; `None` if nginx keeps none.
fn session_key(upstream: &Upstream) -> Option<SessionKey<'_>> {
    let reuses = upstream.ssl.session_reuse.as_ref().is_none_or(|set| set.value);
    let destination = upstream.destination.as_ref().ok().filter(|_| reuses)?;
    let port = match destination.peers.first().map(|peer| &peer.address) {
        Some(PeerAddress::Host { port, .. }) if destination.group.is_none() => Some(*port),
        _ => None,
    };
    let is_dynamic = variable_text::has_variables(&upstream.url);
    let kept = destination.group.is_some() || !is_dynamic;
    kept.then_some((upstream.module == ProxyModule::Stream, destination.host.as_str(), port))
}
