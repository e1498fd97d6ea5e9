//! Addresses: where the Service of a backend leads, and where a controller listens.

use std::net::IpAddr;

use serde_json::Value;

use super::object::{KubernetesObjects, list, number, text};
use crate::nginx::variable::Unresolved;

/// The port of a Service, as another object names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortName<'a> {
    Number(u16),
    Named(&'a str),
}

impl<'a> PortName<'a> {
    /// The port in a field that may be a number or a name.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        number.map(Self::Number).or_else(|| value.as_str().map(Self::Named))
    }
}

/// The entry of a port in a Service.
pub(super) fn service_port<'o>(
    objects: &'o KubernetesObjects,
    (namespace, service): (&str, &str),
    port: PortName<'_>,
) -> Option<&'o Value> {
    let service = objects.find("Service", namespace, service)?;
    list(service, "/spec/ports").iter().find(|entry| match port {
        PortName::Number(wanted) => number(entry, "/port") == Some(wanted.into()),
        PortName::Named(wanted) => text(entry, "/name") == Some(wanted),
    })
}

/// The servers that a port of a Service leads to: its ready endpoints, or else the Service itself; or why they are not
/// known.
pub(super) fn servers(
    objects: &KubernetesObjects,
    id: (&str, &str),
    port: PortName<'_>,
) -> Result<Vec<String>, Unresolved> {
    let (in_namespace, service) = id;
    let entry = service_port(objects, id, port);
    let number = match (port, entry.and_then(|entry| number(entry, "/port"))) {
        (PortName::Number(number), _) => number,
        (PortName::Named(_), Some(number)) => u16::try_from(number).unwrap_or_default(),
        (PortName::Named(_), None) => {
            return Err(Unresolved::ServicePort(service.to_owned()));
        }
    };
    let object = objects.find("Service", in_namespace, service);
    if let Some(host) = object.and_then(|object| text(object, "/spec/externalName")) {
        return Ok(vec![join(host, number)]);
    }
    let port_name = entry.and_then(|entry| text(entry, "/name"));
    let mut is_known = false;
    let mut found = Vec::new();
    for slice in objects.slices(in_namespace, service) {
        is_known = true;
        found.extend(endpoints(slice, port_name));
    }
    if is_known && found.is_empty() {
        return Err(Unresolved::NoEndpoint(service.to_owned()));
    }
    if found.is_empty() {
        let address = object.and_then(|object| text(object, "/spec/clusterIP"));
        let address = address.filter(|address| address.parse::<IpAddr>().is_ok());
        let own = || format!("{service}.{in_namespace}.svc");
        found.push(join(&address.map_or_else(own, str::to_owned), number));
    }
    Ok(found)
}

/// The most endpoints of one slice; Kubernetes allows no more than 1000.
const MAX_ENDPOINTS: usize = 1000;

fn endpoints(slice: &Value, port_name: Option<&str>) -> Vec<String> {
    let ports = list(slice, "/ports");
    let is_wanted = |port: &&Value| text(port, "/name") == port_name || ports.len() == 1;
    let Some(port) = ports.iter().find(is_wanted).and_then(|port| number(port, "/port")) else {
        return Vec::new();
    };
    let is_ready =
        |one: &&Value| one.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
    let ready = list(slice, "/endpoints").iter().take(MAX_ENDPOINTS).filter(is_ready);
    let addresses = ready.filter_map(|one| list(one, "/addresses").first()?.as_str());
    let port = u16::try_from(port).unwrap_or_default();
    addresses.map(|address| join(address, port)).collect()
}

/// A host and a port, IPv6 in brackets.
pub(super) fn join(host: &str, port: u16) -> String {
    if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The addresses in the status of an object of any kind.
pub(super) fn of_status(object: &Value) -> Vec<String> {
    let ingress = list(object, "/status/loadBalancer/ingress").iter();
    let external = list(object, "/status/externalEndpoints").iter();
    let either =
        ingress.chain(external).filter_map(|one| text(one, "/ip").or(text(one, "/hostname")));
    let gateway = list(object, "/status/addresses").iter().filter_map(|one| text(one, "/value"));
    let mut all: Vec<String> = either.chain(gateway).map(str::to_owned).collect();
    all.dedup();
    all
}

/// A host that stands for the address of a controller that has none; a wildcard cannot.
pub(super) fn stand_in(host: Option<&str>) -> Vec<String> {
    host.filter(|host| !host.contains(['*', '~'])).map(str::to_owned).into_iter().collect()
}
