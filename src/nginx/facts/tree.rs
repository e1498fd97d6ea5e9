//! Facts about the places of directives.

use std::collections::HashSet;

use super::{Fact, FactKind};
use crate::nginx::address::{self, NginxAddress};
use crate::nginx::inherit::Scope;
use crate::nginx::listener::{ListenAddress, Listener, http_addresses};
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::upstream::ProxyModule;

pub(super) fn facts(tree: &Tree) -> Vec<Fact> {
    let mut facts = Vec::new();
    block(&Scope::root(tree), &tree.directives, &mut facts);
    facts
}

fn block(scope: &Scope<'_>, inside: &[Directive], facts: &mut Vec<Fact>) {
    other_module(scope, facts);
    let plain = inside.iter().filter(|one| is_plain_to_443(one));
    facts.extend(plain.map(|one| Fact { span: one.span.clone(), kind: FactKind::PlainTo443 }));
    for directive in inside.iter().filter(|one| one.block.is_some()) {
        block(&scope.enter(directive), directive.children(), facts);
    }
}

fn is_plain_to_443(directive: &Directive) -> bool {
    let rest = address::strip_scheme(directive.first(), "http://");
    let rest = rest.filter(|_| directive.name == "proxy_pass");
    rest.is_some_and(|rest| {
        matches!(address::parse(rest), Ok(NginxAddress::Host { port: Some(443), .. }))
    })
}

/// Settings of one module in a block whose upstream another module connects to.
fn other_module(scope: &Scope<'_>, facts: &mut Vec<Fact>) {
    let families = ProxyModule::of(false).map(|module| (module.pass(), module.prefix()));
    let families: Vec<_> = families.collect();
    let passes: Vec<&str> = families
        .iter()
        .filter(|(pass, _)| !scope.own(pass).is_empty())
        .map(|(_, prefix)| *prefix)
        .collect();
    let [meant] = passes.as_slice() else { return };
    let inside = scope.block().map(Directive::children).unwrap_or_default();
    // Nested locations may use another upstream.
    if inside.iter().any(|one| one.name == "location") {
        return;
    }
    let others = families.iter().filter(|(_, prefix)| prefix != meant);
    for (_, prefix) in others {
        let wrong = inside.iter().filter(|one| one.name.starts_with(prefix));
        facts.extend(wrong.map(|one| Fact {
            span: one.span.clone(),
            kind: FactKind::OtherModule { directive: one.name.to_string(), meant },
        }));
    }
}

/// HTTP sockets on port 443 without TLS.
pub(super) fn plain_sockets(tree: &Tree, listeners: &[Listener]) -> Vec<Fact> {
    let tls: HashSet<&ListenAddress> = listeners.iter().map(|one| &one.address).collect();
    let servers = tree.blocks("http").flat_map(Directive::children);
    let inside = servers.filter(|one| one.name == "server").flat_map(Directive::children);
    let plain = inside.filter(|one| one.name == "listen").filter(|one| {
        let addresses = http_addresses(one);
        let is_plain = |one: &ListenAddress| one.port() == Some(443) && !tls.contains(one);
        addresses.len() == 1 && addresses.iter().all(is_plain)
    });
    plain.map(|one| Fact { span: one.span.clone(), kind: FactKind::PlainOn443 }).collect()
}
