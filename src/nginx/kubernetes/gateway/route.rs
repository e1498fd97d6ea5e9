//! Routes: which listeners they are attached to, and the hosts and rules that result.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ANY_HOST;
use super::listener::GatewayListener;
use crate::nginx::kubernetes::address;
use crate::nginx::kubernetes::lines::ControllerLines;
use crate::nginx::kubernetes::object::{
    KubernetesObjects, list, name, namespace, namespace_of, number, place, text, texts,
};
use crate::nginx::kubernetes::passthrough::PassedHost;

/// A route, and the listener that it is attached to.
pub(super) struct AttachedRoute<'o> {
    pub(super) route: HttpRoute<'o>,
    listener: (&'static str, &'o str, &'o str, &'o str, u16),
}

/// A route of HTTP or gRPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpRoute<'o> {
    pub(super) kind: &'static str,
    pub(super) object: &'o Value,
}

impl HttpRoute<'_> {
    pub(super) fn is_grpc(self) -> bool {
        self.kind == "GRPCRoute"
    }

    pub(super) fn place(self) -> String {
        place(self.kind, self.object)
    }
}

/// One rule of a route, with its index.
pub(super) type RouteRule<'o> = (HttpRoute<'o>, usize, &'o Value);

/// A host, the listener whose settings apply to it, and its rules.
pub(super) type ServedHost<'l, 'o> = (String, &'l GatewayListener<'o>, Vec<RouteRule<'o>>);

/// The routes of HTTP and gRPC that are attached to the listeners. One that names the Gateway and is attached to no
/// listener is a fact.
pub(super) fn attached<'o>(
    objects: &'o KubernetesObjects,
    gateway: &Value,
    listeners: &[GatewayListener<'o>],
    lines: &mut ControllerLines,
) -> Vec<AttachedRoute<'o>> {
    let mut all = Vec::new();
    for kind in ["HTTPRoute", "GRPCRoute"] {
        for object in objects.routes(kind, owners(gateway, listeners)) {
            let route = HttpRoute { kind, object };
            let before = all.len();
            let speaks = listeners.iter().filter(|one| matches!(one.protocol, "HTTP" | "HTTPS"));
            let here = speaks.filter(|one| is_attached(object, one));
            all.extend(here.map(|one| AttachedRoute { route, listener: key(one) }));
            if all.len() == before && names(object, gateway) {
                let reason = "no listener that the controller serves accepts the route";
                lines.ignored(&route.place(), "spec.parentRefs", reason);
            }
        }
    }
    all
}

/// The names of the Gateway and of the objects that hold its listeners.
fn owners<'a>(gateway: &'a Value, listeners: &[GatewayListener<'a>]) -> Vec<&'a str> {
    let held = listeners.iter().map(|one| one.owner.2);
    std::iter::once(name(gateway)).chain(held).collect()
}

fn key<'o>(one: &GatewayListener<'o>) -> (&'static str, &'o str, &'o str, &'o str, u16) {
    let (kind, namespace, name) = one.owner;
    (kind, namespace, name, one.name, one.port)
}

fn parents(route: &Value) -> impl Iterator<Item = &Value> {
    list(route, "/spec/parentRefs").iter()
}

fn names(route: &Value, gateway: &Value) -> bool {
    parents(route).any(|parent| {
        text(parent, "/kind").unwrap_or("Gateway") == "Gateway"
            && text(parent, "/name") == Some(name(gateway))
            && namespace_of(parent, namespace(route)) == namespace(gateway)
    })
}

fn is_attached(route: &Value, listener: &GatewayListener<'_>) -> bool {
    let (kind, in_namespace, owner) = listener.owner;
    let is_parent = parents(route).any(|parent| {
        text(parent, "/kind").unwrap_or("Gateway") == kind
            && text(parent, "/name") == Some(owner)
            && namespace_of(parent, namespace(route)) == in_namespace
            && text(parent, "/sectionName").is_none_or(|section| section == listener.name)
            && number(parent, "/port").is_none_or(|port| port == u64::from(listener.port))
    });
    let is_allowed = match listener.allows {
        "Same" => namespace(route) == in_namespace,
        "None" => false,
        // Labels of namespaces are not read.
        _ => true,
    };
    is_parent && is_allowed && !accepted_hosts(listener.hostname, route).is_empty()
}

/// The hosts of a route that a listener accepts, the more specific of both each.
fn accepted_hosts(listener: Option<&str>, route: &Value) -> Vec<String> {
    let own: Vec<&str> = texts(route, "/spec/hostnames").collect();
    if own.is_empty() {
        return vec![listener.unwrap_or(ANY_HOST).to_owned()];
    }
    own.into_iter()
        .filter_map(|host| more_specific(listener, host))
        .map(str::to_lowercase)
        .collect()
}

fn more_specific<'a>(listener: Option<&'a str>, host: &'a str) -> Option<&'a str> {
    let covers = |wide: &str, narrow: &str| {
        wide.strip_prefix('*')
            .is_some_and(|suffix| suffix.starts_with('.') && narrow.ends_with(suffix))
    };
    match listener {
        None => Some(host),
        Some(listener) if listener == host || covers(listener, host) => Some(host),
        Some(listener) if covers(host, listener) => Some(listener),
        Some(_) => None,
    }
}

/// The hosts of one port, by name. A listener without routes, and one for every host, has a server of its own.
pub(super) fn hosts<'l, 'o>(
    listeners: &[&'l GatewayListener<'o>],
    attached: &[AttachedRoute<'o>],
) -> Vec<ServedHost<'l, 'o>> {
    let mut all: BTreeMap<String, (&'l GatewayListener<'o>, Vec<RouteRule<'o>>)> = BTreeMap::new();
    for listener in listeners {
        let here = attached.iter().filter(|one| one.listener == key(listener));
        let mut has_routes = false;
        for AttachedRoute { route, .. } in here {
            has_routes = true;
            let rules = list(route.object, "/spec/rules").iter().enumerate();
            let rules: Vec<RouteRule<'_>> = rules.map(|(at, rule)| (*route, at, rule)).collect();
            for host in accepted_hosts(listener.hostname, route.object) {
                let entry = all.entry(host).or_insert_with(|| (listener, Vec::new()));
                let length = |one: &GatewayListener<'_>| one.hostname.map_or(0, str::len);
                if length(listener) > length(entry.0) {
                    entry.0 = listener;
                }
                entry.1.extend(rules.iter().copied());
            }
        }
        if listener.is_https() && (!has_routes || listener.hostname.is_none()) {
            let host = listener.hostname.unwrap_or(ANY_HOST).to_lowercase();
            all.entry(host).or_insert_with(|| (listener, Vec::new()));
        }
    }
    all.into_iter().map(|(host, (listener, rules))| (host, listener, rules)).collect()
}

/// The hosts of TLSRoutes, whose connections are passed on to the backends as they are.
pub(super) fn passed_through(
    objects: &KubernetesObjects,
    gateway: &Value,
    listeners: &[GatewayListener<'_>],
) -> Vec<PassedHost> {
    let mut all = Vec::new();
    let statuses = address::of_status(gateway);
    for listener in listeners.iter().filter(|one| one.protocol == "TLS") {
        let routes = objects.routes("TLSRoute", [listener.owner.2]);
        for route in routes.filter(|one| is_attached(one, listener)) {
            for host in accepted_hosts(listener.hostname, route) {
                let addresses = if statuses.is_empty() {
                    address::stand_in(Some(&host))
                } else {
                    statuses.clone()
                };
                all.extend(addresses.into_iter().map(|address| PassedHost {
                    place: place("TLSRoute", route),
                    address,
                    port: listener.port,
                    host: host.clone(),
                }));
            }
        }
    }
    all
}
