//! Ingress objects, with the annotations of `nginx.org`.

use std::collections::HashMap;

use serde_json::Value;

use super::passed::PassedTo;
use super::policy::{self, MtlsPolicies};
use super::{ANY_HOST, NicController};
use crate::nginx::kubernetes::address::{self, PortName};
use crate::nginx::kubernetes::lines::{ControllerLines, ObjectPlace};
use crate::nginx::kubernetes::object::{annotation, list, name, namespace, place, text, texts};

/// The annotation that shares a host among objects.
const MERGEABLE: &str = "nginx.org/mergeable-ingress-type";

/// The servers of all hosts.
pub(super) fn servers(
    controller: &NicController<'_>,
    ingresses: &[&Value],
    lines: &mut ControllerLines,
) {
    let kind = |one: &Value| annotation(one, MERGEABLE).unwrap_or_default().to_owned();
    let mut minions: HashMap<&str, Vec<&Value>> = HashMap::new();
    for minion in ingresses.iter().filter(|one| kind(one) == "minion") {
        let hosts = list(minion, "/spec/rules").iter().filter_map(|rule| text(rule, "/host"));
        hosts.for_each(|host| minions.entry(host).or_default().push(minion));
    }
    for ingress in ingresses.iter().filter(|one| kind(one) != "minion") {
        for rule in list(ingress, "/spec/rules") {
            let host = text(rule, "/host").unwrap_or_default();
            let is_master = kind(ingress) == "master";
            let parts = minions.get(host).filter(|_| is_master);
            server(controller, ingress, rule, parts.map(Vec::as_slice).unwrap_or_default(), lines);
        }
    }
}

/// The references of an annotation, `NAME` or `NAMESPACE/NAME`.
fn references(ingress: &Value) -> impl Iterator<Item = (&str, &str)> {
    let value = annotation(ingress, "nginx.org/policies").unwrap_or_default();
    let all = value.split(',').map(str::trim).filter(|one| !one.is_empty());
    all.map(|one| one.split_once('/').unwrap_or((namespace(ingress), one)))
}

fn server(
    controller: &NicController<'_>,
    ingress: &Value,
    rule: &Value,
    minions: &[&Value],
    lines: &mut ControllerLines,
) {
    let own = place("Ingress", ingress);
    let host = text(rule, "/host").unwrap_or_default();
    let tls =
        list(ingress, "/spec/tls").iter().find(|tls| texts(tls, "/hosts").any(|one| one == host));
    let tls = tls.filter(|_| !host.is_empty());
    let addresses = controller.addresses(ingress, host);
    let Some(policies) = controller.policies(&own, references(ingress), lines) else { return };
    if addresses.is_empty() {
        return;
    }
    lines.at(ObjectPlace::of(&own));
    lines.open(&["server"]);
    controller.listen(lines, (&addresses, 80), "");
    if let Some(tls) = tls {
        controller.listen(lines, (&addresses, 443), "ssl");
        let secret = text(tls, "/secretName").map(|secret| (namespace(ingress), secret));
        controller.certificate(lines, secret);
        if let Some(ciphers) = annotation(ingress, "nginx.org/ssl-ciphers") {
            lines.line(&["ssl_ciphers", ciphers]);
        }
        controller.verify_clients(lines, policies);
    } else if policies.ingress.is_some() {
        lines.ignored(&own, "ingressMTLS", "TLS is not enabled for the host");
    }
    lines.line(&["server_name", if host.is_empty() { ANY_HOST } else { host }]);
    if let Some(policy) = policies.egress {
        policy::egress(lines, "proxy_ssl_", policy);
    }
    locations(controller, (ingress, rule), (policies, MtlsPolicies::default()), lines);
    for minion in minions {
        let Some(own) = controller.policies(&place("Ingress", minion), references(minion), lines)
        else {
            continue;
        };
        let rules = list(minion, "/spec/rules").iter();
        for rule in rules.filter(|rule| text(rule, "/host").unwrap_or_default() == host) {
            locations(controller, (minion, rule), (policies, own), lines);
        }
    }
    lines.at(ObjectPlace::of(&own));
    lines.close();
}

fn services<'a>(ingress: &'a Value, name: &str) -> Vec<&'a str> {
    let value = annotation(ingress, name).unwrap_or_default();
    value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
}

/// The locations of one object; `own` are the policies of a minion, which apply in each of its locations.
fn locations(
    controller: &NicController<'_>,
    (ingress, rule): (&Value, &Value),
    (outer, own): (MtlsPolicies<'_>, MtlsPolicies<'_>),
    lines: &mut ControllerLines,
) {
    let object = place("Ingress", ingress);
    let over_tls = services(ingress, "nginx.org/ssl-services");
    let over_grpc = services(ingress, "nginx.org/grpc-services");
    if !over_grpc.is_empty() && !controller.http2 {
        lines.ignored(
            &object,
            "nginx.org/grpc-services",
            "the key http2 of the ConfigMap is not true",
        );
    }
    for path in list(rule, "/http/paths") {
        let Some(service) = text(path, "/backend/service/name") else { continue };
        let port = path.pointer("/backend/service/port/number").and_then(PortName::of);
        let port = port.or_else(|| text(path, "/backend/service/port/name").map(PortName::Named));
        let Some(port) = port else { continue };
        let is_grpc = controller.http2 && over_grpc.contains(&service);
        let is_tls = over_tls.contains(&service);
        let shown = match port {
            PortName::Number(number) => number.to_string(),
            PortName::Named(name) => name.to_owned(),
        };
        let host = text(rule, "/host").unwrap_or(ANY_HOST);
        let group = format!("{}-{}-{host}-{service}-{shown}", namespace(ingress), name(ingress));
        // A server's proxy_ssl_* settings do not reach gRPC.
        let settings = if is_grpc { [own; 2] } else { [own, outer] };
        lines.at(ObjectPlace::with_settings(&object, &policy::settings(&object, settings)));
        match address::servers(controller.objects, (namespace(ingress), service), port) {
            Ok(servers) => lines.upstream(&group, servers),
            Err(reason) => {
                lines.untested(&object, reason.to_string());
                continue;
            }
        }
        let value = text(path, "/path").unwrap_or("/");
        match text(path, "/pathType") {
            Some("Exact") => lines.open(&["location", "=", value]),
            _ => lines.open(&["location", value]),
        }
        let told = format!("the Service {service}");
        PassedTo { group: &group, told: &told, is_grpc, is_tls }.write((own, outer), lines);
        lines.close();
    }
}
