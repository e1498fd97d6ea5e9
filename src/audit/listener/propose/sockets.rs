//! Candidates for names, sessions, application protocols and client certificates.

use crate::audit::listener::candidate::{Admits, Candidate};
use crate::audit::listener::settings::set;
use crate::audit::listener::site::Site;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::edit::Edit;
use crate::nginx::listener::{Material, Protocol, Server};

/// The first release with `http2 on`; before, it was a parameter of `listen`.
const HTTP2_SINCE: NginxRelease = NginxRelease::new(1, 25, 1);

/// The longest chain of clients that is proposed.
const MAX_DEPTH: u32 = 4;

/// A cache that all workers share.
const CACHE: &str = "shared:shakedown:1m";

/// Enables the session cache or tickets. The default server's cache is used for all names.
pub(super) fn resumption(site: Site<'_>) -> Vec<Candidate> {
    let default = site.listener.default_server();
    let holder = site.holder();
    let mut blocks = vec![holder];
    if holder.span != default.span {
        blocks.push(default);
    }
    let tickets = |servers: &[&Server]| -> Vec<Edit> {
        servers
            .iter()
            .flat_map(|server| {
                let switch = set(server, "ssl_session_tickets", &["on"]);
                [Some(switch), site.with_option(server, "SessionTicket")]
            })
            .flatten()
            .collect()
    };
    let known = default.ssl.session_cache.as_ref().map(|set| set.value.clone());
    let shared = known.unwrap_or_default().into_iter().find(|word| word.starts_with("shared:"));
    let cache = set(default, "ssl_session_cache", &[shared.as_deref().unwrap_or(CACHE)]);
    let mut all = vec![Candidate::of(vec![cache]), Candidate::of(tickets(&blocks[..1]))];
    if blocks.len() > 1 {
        all.push(Candidate::of(tickets(&blocks)));
    }
    all
}

/// Enables HTTP/2.
pub(super) fn http2(site: Site<'_>) -> Vec<Candidate> {
    if site.listener.protocol != Protocol::Http {
        return Vec::new();
    }
    if site.release >= HTTP2_SINCE {
        return vec![Candidate::of(vec![set(site.server, "http2", &["on"])])];
    }
    let Some(block) = site.tree.at(&site.server.span) else { return Vec::new() };
    // All directives with one name are set together.
    let listens = block.children().iter().filter(|one| one.name == "listen").map(|one| {
        let mut arguments = one.arguments.clone();
        if one.span == site.server.listen && !arguments.iter().any(|word| word == "http2") {
            arguments.push("http2".to_owned());
        }
        Edit { name: "listen".to_owned(), arguments, at: site.server.span.clone() }
    });
    vec![Candidate::of(listens.collect())]
}

/// Enables HTTP/3.
pub(super) fn http3(site: Site<'_>) -> Vec<Candidate> {
    vec![Candidate::of(vec![set(site.server, "http3", &["on"])])]
}

/// Accepts handshakes at the server that refuses them all.
pub(super) fn name(site: Site<'_>) -> Vec<Candidate> {
    let refusing = site.holder();
    if !refusing.ssl.rejects() || !refusing.has_certificate() {
        return Vec::new();
    }
    vec![Candidate::of(vec![set(refusing, "ssl_reject_handshake", &["off"])])]
}

/// Makes a hello without a name work like one with it: copies the other server's settings to the default server.
pub(super) fn no_name(site: Site<'_>) -> Vec<Candidate> {
    let default = site.listener.default_server();
    let mut edits = Vec::new();
    if default.ssl.rejects() {
        edits.push(set(default, "ssl_reject_handshake", &["off"]));
        if !default.has_certificate() {
            let Some(pair) = site.server.ssl.certificates.first() else { return Vec::new() };
            let (Some(certificate), Some(key)) =
                (file(&pair.certificate.value), pair.key.as_ref().and_then(|key| file(&key.value)))
            else {
                return Vec::new();
            };
            edits.push(set(default, "ssl_certificate", &[certificate]));
            edits.push(set(default, "ssl_certificate_key", &[key]));
        }
        return vec![Candidate::of(edits).admitting([Admits::NoName])];
    }
    let own = site.versions();
    let nameless = site.without_name();
    let mut versions = nameless.versions();
    versions.extend(own);
    versions.sort_unstable();
    versions.dedup();
    vec![Candidate::of(nameless.with_versions(&versions))]
}

fn file(material: &Material) -> Option<&str> {
    match material {
        Material::File(name) => Some(name),
        _ => None,
    }
}

/// Accepts longer chains of clients.
pub(super) fn client_certificate(site: Site<'_>) -> Vec<Candidate> {
    let holder = site.holder();
    let depth = holder.ssl.verify_depth.as_ref().map_or(1, |set| set.value);
    let deeper = depth.saturating_add(1)..=MAX_DEPTH;
    let edit = |depth: u32| set(holder, "ssl_verify_depth", &[&depth.to_string()]);
    deeper.map(|depth| Candidate::of(vec![edit(depth)])).collect()
}

/// Accepts clients without a certificate.
pub(super) fn no_client_certificate(site: Site<'_>) -> Vec<Candidate> {
    let holder = site.holder();
    let asks = holder.ssl.verify_client.as_ref().is_some_and(|set| set.value == "on");
    let edit = set(holder, "ssl_verify_client", &["optional"]);
    let candidate = Candidate::of(vec![edit]).admitting([Admits::NoClientCertificate]);
    asks.then_some(candidate).into_iter().collect()
}
