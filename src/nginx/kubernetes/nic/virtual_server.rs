//! VirtualServers, with their VirtualServerRoutes.

use std::collections::HashSet;

use serde_json::Value;

use super::NicController;
use super::passed::PassedTo;
use super::policy::{self, MtlsPolicies};
use crate::nginx::kubernetes::address::{self, PortName};
use crate::nginx::kubernetes::lines::{ControllerLines, ObjectPlace};
use crate::nginx::kubernetes::object::{
    KubernetesObjects, is_set, list, name, namespace, namespace_of, number, place, text,
};

/// The object that a route and its upstreams are in, and the prefix of the names of these.
struct RouteOwner<'o> {
    object: &'o Value,
    place: String,
    prefix: String,
}

/// The servers of all hosts.
pub(super) fn servers(controller: &NicController<'_>, lines: &mut ControllerLines) {
    for object in controller.objects.of("VirtualServer") {
        server(controller, object, lines);
    }
}

fn references<'v>(value: &'v Value, path: &str, own: &'v str) -> Vec<(&'v str, &'v str)> {
    let all = list(value, path).iter();
    all.filter_map(|one| Some((namespace_of(one, own), text(one, "/name")?))).collect()
}

/// The port of the listener in the GlobalConfiguration that the object names, 443 by default.
fn https_port(objects: &KubernetesObjects, object: &Value) -> Option<u16> {
    let Some(wanted) = text(object, "/spec/listener/https") else { return Some(443) };
    listener_port(objects, wanted)
}

/// The port of a listener in the GlobalConfiguration.
pub(super) fn listener_port(objects: &KubernetesObjects, wanted: &str) -> Option<u16> {
    let mut all = objects.of("GlobalConfiguration").flat_map(|one| list(one, "/spec/listeners"));
    let listener = all.find(|one| text(one, "/name") == Some(wanted))?;
    number(listener, "/port").and_then(|port| u16::try_from(port).ok())
}

fn server<'o>(controller: &NicController<'o>, object: &'o Value, lines: &mut ControllerLines) {
    let own = place("VirtualServer", object);
    let host = text(object, "/spec/host").unwrap_or_default();
    let given = references(object, "/spec/policies", namespace(object));
    let Some(policies) = controller.policies(&own, given, lines) else { return };
    let addresses = controller.addresses(object, host);
    let Some(port) = https_port(controller.objects, object) else {
        lines.untested(&own, "the GlobalConfiguration with its listener is not in the input");
        return;
    };
    if addresses.is_empty() {
        lines.untested(&own, "the address of the controller is not known");
        return;
    }
    lines.at(ObjectPlace::of(&own));
    lines.open(&["server"]);
    controller.listen(lines, (&addresses, 80), "");
    lines.line(&["server_name", host]);
    let secret = text(object, "/spec/tls/secret");
    let is_tls = secret.is_some()
        || object.pointer("/spec/tls").is_some_and(Value::is_object)
            && controller.flags.wildcard_certificate.is_some();
    if is_tls {
        controller.listen(lines, (&addresses, port), "ssl");
        controller.certificate(lines, secret.map(|secret| (namespace(object), secret)));
        controller.verify_clients(lines, policies);
    } else if policies.ingress.is_some() {
        lines.ignored(&own, "ingressMTLS", "TLS is not enabled, so the controller answers 500");
    }
    if let Some(policy) = policies.egress {
        policy::egress(lines, "proxy_ssl_", policy);
    }
    let prefix = format!("vs_{}_{}", namespace(object), name(object));
    let owner = RouteOwner { object, place: own.clone(), prefix };
    let mut taken = HashSet::new();
    for route in list(object, "/spec/routes") {
        if let Some(wanted) = text(route, "/route") {
            subroutes(controller, (&owner, route, wanted), policies, (lines, &mut taken));
        } else {
            locations(controller, &owner, route, (policies, None), (lines, &mut taken));
        }
    }
    lines.at(ObjectPlace::of(&own));
    lines.close();
}

/// The routes of a VirtualServerRoute; policies of the route apply to those without any.
fn subroutes<'o>(
    controller: &NicController<'o>,
    (outer, route, wanted): (&RouteOwner<'o>, &'o Value, &str),
    policies: MtlsPolicies<'o>,
    (lines, taken): (&mut ControllerLines, &mut HashSet<String>),
) {
    let (in_namespace, wanted) =
        wanted.split_once('/').unwrap_or((namespace(outer.object), wanted));
    let Some(object) = controller.objects.find("VirtualServerRoute", in_namespace, wanted) else {
        let reason = format!("the VirtualServerRoute {in_namespace}/{wanted} is not in the input");
        lines.untested(&outer.place, reason);
        return;
    };
    let prefix = format!("{}_vsr_{in_namespace}_{wanted}", outer.prefix);
    let owner = RouteOwner { object, place: place("VirtualServerRoute", object), prefix };
    for subroute in list(object, "/spec/subroutes") {
        let inherited =
            list(subroute, "/policies").is_empty().then_some((route, namespace(outer.object)));
        locations(controller, &owner, subroute, (policies, inherited), (lines, taken));
    }
}

/// The locations of a route: one for each upstream that it may lead to.
fn locations<'o>(
    controller: &NicController<'o>,
    owner: &RouteOwner<'o>,
    route: &'o Value,
    (outer, inherited): (MtlsPolicies<'o>, Option<(&'o Value, &'o str)>),
    (lines, taken): (&mut ControllerLines, &mut HashSet<String>),
) {
    let (from, in_namespace) = inherited.unwrap_or((route, namespace(owner.object)));
    let given = references(from, "/policies", in_namespace);
    let Some(own) = controller.policies(&owner.place, given, lines) else { return };
    let path = text(route, "/path").unwrap_or("/");
    for wanted in upstream_names(route) {
        let all = list(owner.object, "/spec/upstreams").iter();
        let upstream = all.clone().find(|one| text(one, "/name") == Some(wanted));
        let Some(upstream) = upstream else { continue };
        let group = format!("{}_{wanted}", owner.prefix);
        let is_grpc = text(upstream, "/type") == Some("grpc");
        // A server's proxy_ssl_* settings do not reach gRPC.
        let settings = if is_grpc { [own; 2] } else { [own, outer] };
        lines.at(ObjectPlace::with_settings(
            &owner.place,
            &policy::settings(&owner.place, settings),
        ));
        if let Err(reason) = group_of(controller, owner, (&group, upstream), lines) {
            lines.untested(&owner.place, reason);
            continue;
        }
        let first = taken.insert(path.to_owned());
        let internal = format!("@{group}-{}", taken.len());
        let words: Vec<&str> = if first { location_words(path) } else { vec![&internal] };
        if !first {
            taken.insert(internal.clone());
        }
        lines.open(&[&["location"], &words[..]].concat());
        let is_tls = is_set(upstream, "/tls/enable");
        PassedTo { group: &group, told: &group, is_grpc, is_tls }.write((own, outer), lines);
        lines.close();
    }
}

/// The upstreams that a route may lead to, in order.
fn upstream_names(route: &Value) -> Vec<&str> {
    fn of_action(action: &Value) -> Option<&str> {
        text(action, "/pass").or_else(|| text(action, "/proxy/upstream"))
    }
    fn of_part(part: &Value) -> impl Iterator<Item = &str> {
        let own = part.get("action").and_then(of_action);
        let splits = list(part, "/splits").iter();
        own.into_iter().chain(splits.filter_map(|split| of_action(split.get("action")?)))
    }
    let matches = list(route, "/matches").iter().flat_map(of_part);
    let mut all: Vec<&str> = of_part(route).chain(matches).collect();
    let mut met = HashSet::new();
    all.retain(|name| met.insert(*name));
    all
}

fn location_words(path: &str) -> Vec<&str> {
    let modifier = ["^~", "~*", "~", "="].into_iter().find(|modifier| path.starts_with(modifier));
    match modifier {
        Some(modifier) => vec![modifier, path[modifier.len()..].trim_start()],
        None => vec![path],
    }
}

fn group_of(
    controller: &NicController<'_>,
    owner: &RouteOwner<'_>,
    (group, upstream): (&str, &Value),
    lines: &mut ControllerLines,
) -> Result<(), String> {
    let own = namespace(owner.object);
    let service = text(upstream, "/service").unwrap_or_default();
    let (in_namespace, service) = service.split_once('/').unwrap_or((own, service));
    let port = upstream.get("port").and_then(PortName::of);
    let port = port.ok_or_else(|| format!("the upstream {group} has no port"))?;
    let servers = if is_set(upstream, "/use-cluster-ip") {
        let PortName::Number(number) = port else {
            return Err("its port has no number".to_owned());
        };
        vec![format!("{service}.{in_namespace}.svc.cluster.local:{number}")]
    } else {
        address::servers(controller.objects, (in_namespace, service), port)
            .map_err(|reason| reason.to_string())?
    };
    lines.upstream(group, servers);
    Ok(())
}
