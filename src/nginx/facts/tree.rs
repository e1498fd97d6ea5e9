//! What can be said of directives where they stand.

use std::collections::HashSet;

use super::{Fact, FactKind};
use crate::nginx::address::{self, Address};
use crate::nginx::defaults::{self, Version};
use crate::nginx::inherit::Scope;
use crate::nginx::listener::{ListenAddress, Listener, http_addresses};
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::upstream::Module;

/// From this release on there is no `ssl` directive.
const SSL_REMOVED: Version = Version::new(1, 25, 1);

pub(super) fn facts(tree: &Tree, version: Option<Version>) -> Vec<Fact> {
    let mut facts = Vec::new();
    block(&Scope::root(tree), &tree.directives, version, &mut facts);
    facts
}

fn block(scope: &Scope<'_>, inside: &[Directive], version: Option<Version>, facts: &mut Vec<Fact>) {
    other_module(scope, facts);
    for directive in inside {
        facts.extend(
            single(directive, version).map(|kind| Fact { span: directive.span.clone(), kind }),
        );
    }
    for directive in inside.iter().filter(|one| one.block.is_some()) {
        block(&scope.enter(directive), directive.children(), version, facts);
    }
}

fn single(directive: &Directive, version: Option<Version>) -> Option<FactKind> {
    let name = directive.name.as_str();
    if name == "proxy_pass"
        && let Some(rest) = address::strip_scheme(directive.first(), "http://")
        && matches!(address::parse(rest), Ok(Address::Host { port: Some(443), .. }))
    {
        return Some(FactKind::PlainTo443);
    }
    let version = version?;
    if name == "ssl" && version >= SSL_REMOVED && directive.block.is_none() {
        return Some(FactKind::Removed { directive: "ssl", since: SSL_REMOVED });
    }
    let since = defaults::since(name).filter(|since| *since > version)?;
    Some(FactKind::TooNew { directive: name.to_owned(), since })
}

/// Settings of one module in a block whose upstream another one connects to.
fn other_module(scope: &Scope<'_>, facts: &mut Vec<Fact>) {
    let families =
        [Module::Proxy, Module::Grpc, Module::Uwsgi].map(|module| (module.pass(), module.prefix()));
    let passes: Vec<&str> = families
        .iter()
        .filter(|(pass, _)| !scope.own(pass).is_empty())
        .map(|(_, prefix)| *prefix)
        .collect();
    let [meant] = passes.as_slice() else { return };
    let inside = scope.block().map(Directive::children).unwrap_or_default();
    // Nested locations may pass elsewhere.
    if inside.iter().any(|one| one.name == "location") {
        return;
    }
    let others = families.iter().filter(|(_, prefix)| prefix != meant);
    for (_, prefix) in others {
        let wrong = inside.iter().filter(|one| one.name.starts_with(prefix));
        facts.extend(wrong.map(|one| Fact {
            span: one.span.clone(),
            kind: FactKind::OtherModule { directive: one.name.clone(), meant },
        }));
    }
}

/// HTTP sockets on port 443 where TLS is not spoken.
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
