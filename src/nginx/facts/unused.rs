//! TLS settings without effect.

use std::collections::HashSet;

use super::{Fact, FactKind, Plain};
use crate::nginx::address;
use crate::nginx::inherit::Scope;
use crate::nginx::listener::{Listener, ServerSsl};
use crate::nginx::problem::Span;
use crate::nginx::tree::{Directive, Tree};

/// `proxy_ssl_*` where `proxy_pass` does not use TLS.
pub(super) fn proxy_ssl(tree: &Tree) -> Vec<Fact> {
    let root = Scope::root(tree);
    let mut facts = Vec::new();
    for (name, is_stream) in [("http", false), ("stream", true)] {
        for block in tree.blocks(name) {
            let scope = root.enter(block);
            for server in block.children().iter().filter(|one| one.name == "server") {
                let server = scope.enter(server);
                if is_stream {
                    in_stream(&server, &mut facts);
                } else {
                    in_http(&server, &mut facts);
                }
            }
        }
    }
    facts
}

/// A stream server whose `proxy_ssl` is off.
fn in_stream(server: &Scope<'_>, facts: &mut Vec<Fact>) {
    let is_on = server.flag("proxy_ssl").is_some_and(|set| set.value);
    if !is_on && !server.own("proxy_pass").is_empty() {
        report(server, Plain::StreamOff, facts);
    }
}

/// A block with `proxy_pass http://`, and the blocks inside it.
fn in_http(scope: &Scope<'_>, facts: &mut Vec<Fact>) {
    let inside = scope.block().map(Directive::children).unwrap_or_default();
    let is_plain = |one: &&Directive| address::strip_scheme(one.first(), "http://").is_some();
    // A nested block inherits the settings, and may use them.
    let is_inherited = || inside.iter().any(may_use_tls);
    if scope.own("proxy_pass").first().is_some_and(is_plain) && !is_inherited() {
        report(scope, Plain::Http, facts);
    }
    for block in inside.iter().filter(|one| one.block.is_some()) {
        in_http(&scope.enter(block), facts);
    }
}

/// Whether a block contains a `proxy_pass` that may use TLS.
fn may_use_tls(block: &Directive) -> bool {
    block.children().iter().any(|one| {
        let passes = one.name == "proxy_pass" && one.block.is_none();
        passes && address::strip_scheme(one.first(), "http://").is_none() || may_use_tls(one)
    })
}

/// The block's own settings; one that turns something off is fine.
fn report(scope: &Scope<'_>, reason: Plain, facts: &mut Vec<Fact>) {
    let inside = scope.block().map(Directive::children).unwrap_or_default();
    let settings = inside
        .iter()
        .filter(|one| one.name.starts_with("proxy_ssl_") && !matches!(one.first(), "off" | ""));
    facts.extend(settings.map(|one| Fact {
        span: one.span.clone(),
        kind: FactKind::ProxySslUnused { directive: one.name.to_string(), reason },
    }));
}

/// `ssl_client_certificate` that no server with TLS uses.
pub(super) fn client_ca(listeners: &[Listener]) -> Vec<Fact> {
    let servers = listeners.iter().flat_map(|listener| &listener.servers);
    let settings = servers.filter(|server| !server.ssl.rejects());
    let (used, idle): (Vec<&ServerSsl>, Vec<&ServerSsl>) =
        settings.map(|server| &*server.ssl).partition(|ssl| verifies(ssl));
    let span = |ssl: &&'_ ServerSsl| ssl.client_certificate.as_ref().map(|set| set.span.clone());
    let used: HashSet<Span> = used.iter().filter_map(span).collect();
    let idle = idle.iter().filter_map(span).filter(|span| !used.contains(span));
    idle.map(|span| Fact { span, kind: FactKind::ClientCaUnused }).collect()
}

fn verifies(ssl: &ServerSsl) -> bool {
    ssl.verify_client.as_ref().is_some_and(|mode| mode.value != "off")
}
