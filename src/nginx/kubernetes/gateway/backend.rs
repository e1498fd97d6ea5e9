//! Backends: what a rule passes requests to, and the BackendTLSPolicy that applies.

use std::collections::HashSet;

use serde_json::Value;

use super::DEPTH;
use super::grant::{CrossReference, is_allowed};
use super::route::{HttpRoute, RouteRule};
use crate::nginx::kubernetes::address::{self, PortName};
use crate::nginx::kubernetes::lines::{ControllerLines, ObjectPlace};
use crate::nginx::kubernetes::material::authorities_of;
use crate::nginx::kubernetes::object::{
    KubernetesObjects, list, name, namespace, namespace_of, number, place, text,
};

/// The file with the roots of the container's system, which `wellKnownCACertificates: System` means.
pub const SYSTEM_ROOTS: &str = "/etc/ssl/cert.pem";

/// The objects, and what was reported already.
pub(super) struct Backends<'o> {
    objects: &'o KubernetesObjects,
}

/// A backend that the controller passes requests to.
struct RouteBackend<'o> {
    /// The name of its `upstream` block.
    group: String,
    id: (&'o str, &'o str),
    port: u16,
    policy: Option<BackendPolicy<'o>>,
}

/// What a BackendTLSPolicy says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BackendPolicy<'o> {
    place: String,
    hostname: &'o str,
    trusted: String,
}

impl BackendPolicy<'_> {
    fn is_like(&self, other: &Self) -> bool {
        (self.hostname, &self.trusted) == (other.hostname, &other.trusted)
    }
}

impl<'o> Backends<'o> {
    pub(super) fn new(objects: &'o KubernetesObjects) -> Self {
        Self { objects }
    }

    /// The backend of a reference, or why the controller answers 500 instead.
    fn read(&self, route: HttpRoute<'o>, reference: &'o Value) -> Result<RouteBackend<'o>, String> {
        let own = namespace(route.object);
        let (in_namespace, service) =
            (namespace_of(reference, own), text(reference, "/name").unwrap_or_default());
        if text(reference, "/kind").is_some_and(|kind| kind != "Service") {
            return Err("only Services are read as backends".to_owned());
        }
        let wanted =
            CrossReference { from: (route.kind, own), to: ("Service", in_namespace, service) };
        if !is_allowed(self.objects, &wanted) {
            return Err(format!(
                "no ReferenceGrant in {in_namespace} lets a {} of {own} use the Service {service}, so the controller answers 500",
                route.kind
            ));
        }
        let port = number(reference, "/port").and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| format!("no port of the Service {service} is named"))?;
        let policy = self.policy((in_namespace, service), port)?;
        let group = format!("{in_namespace}_{service}_{port}");
        Ok(RouteBackend { group, id: (in_namespace, service), port, policy })
    }

    /// The policy for a port of a Service; of several, the oldest, and then the first by name.
    fn policy(&self, id: (&str, &str), port: u16) -> Result<Option<BackendPolicy<'o>>, String> {
        let entry = address::service_port(self.objects, id, PortName::Number(port));
        let port_name = entry.and_then(|entry| text(entry, "/name"));
        let targets = |policy: &&Value| {
            list(policy, "/spec/targetRefs").iter().any(|target| {
                let section = text(target, "/sectionName");
                text(target, "/name") == Some(id.1)
                    && section.is_none_or(|section| {
                        // Without the Service, the name of the port is not known.
                        entry.is_none() || Some(section) == port_name
                    })
            })
        };
        let here = self.objects.policies("BackendTLSPolicy", id.0, id.1);
        let age = |one: &&Value| {
            (text(one, "/metadata/creationTimestamp").map(str::to_owned), name(one).to_owned())
        };
        let Some(policy) = here.filter(targets).min_by_key(age) else { return Ok(None) };
        read_policy(policy).map(Some).map_err(|reason| {
            format!(
                "{}: {reason}, so the controller answers 500",
                place("BackendTLSPolicy", policy)
            )
        })
    }
}

fn read_policy(policy: &Value) -> Result<BackendPolicy<'_>, String> {
    let hostname = text(policy, "/spec/validation/hostname").unwrap_or_default();
    let references = list(policy, "/spec/validation/caCertificateRefs");
    let well_known = text(policy, "/spec/validation/wellKnownCACertificates");
    let trusted = match (references, well_known) {
        ([], Some("System")) => SYSTEM_ROOTS.to_owned(),
        ([one], None) => {
            let kind = text(one, "/kind").unwrap_or("ConfigMap");
            if !["ConfigMap", "Secret"].contains(&kind) {
                return Err(format!("a {kind} cannot hold its CA certificates"));
            }
            let ca = text(one, "/name").unwrap_or_default();
            authorities_of(kind, &format!("{}/{ca}", namespace(policy)))
        }
        ([], Some(other)) => return Err(format!("wellKnownCACertificates cannot be {other}")),
        ([], None) => return Err("it names no CA certificates".to_owned()),
        (_, Some(_)) => {
            return Err(
                "caCertificateRefs and wellKnownCACertificates exclude each other".to_owned()
            );
        }
        ([_, _, ..], None) => {
            return Err("the controller accepts one of caCertificateRefs".to_owned());
        }
    };
    Ok(BackendPolicy { place: place("BackendTLSPolicy", policy), hostname, trusted })
}

/// The locations of a server: one for each match of each rule.
pub(super) fn locations(
    lines: &mut ControllerLines,
    rules: &[RouteRule<'_>],
    backends: &Backends<'_>,
) {
    let mut taken = HashSet::new();
    for (route, at, rule) in rules {
        let Some(found) = of_rule(lines, *route, rule, backends) else { continue };
        let policy = found.iter().find_map(|backend| backend.policy.clone());
        let settings = policy.as_ref().map_or_else(|| route.place(), |policy| policy.place.clone());
        lines.at(ObjectPlace::with_settings(&route.place(), &settings));
        for backend in &found {
            match address::servers(backends.objects, backend.id, PortName::Number(backend.port)) {
                Ok(servers) => lines.upstream(&backend.group, servers),
                Err(reason) => lines.untested(&route.place(), reason.to_string()),
            }
        }
        for (number, path) in paths(*route, rule).into_iter().enumerate() {
            for (index, backend) in found.iter().enumerate() {
                let first = index == 0 && taken.insert(path.clone());
                let internal =
                    format!("@rule{at}-match{number}-backend{index}-{}", name(route.object));
                if !first && !taken.insert(vec![internal.clone()]) {
                    continue;
                }
                let words = if first { path.clone() } else { vec![internal] };
                location(lines, &words, (*route, rule), (backend, policy.as_ref()));
            }
        }
    }
}

/// The backends of a rule. All must have the same policy, or else the controller answers 500.
fn of_rule<'o>(
    lines: &mut ControllerLines,
    route: HttpRoute<'o>,
    rule: &'o Value,
    backends: &Backends<'o>,
) -> Option<Vec<RouteBackend<'o>>> {
    let references = list(rule, "/backendRefs").iter();
    let used = references.filter(|one| number(one, "/weight") != Some(0));
    let mut found = Vec::new();
    for reference in used {
        match backends.read(route, reference) {
            Ok(backend) => found.push(backend),
            Err(reason) => lines.ignored(&route.place(), "spec.rules.backendRefs", reason),
        }
    }
    let first = found.first()?.policy.clone();
    let is_like = |backend: &RouteBackend<'_>| match (&backend.policy, &first) {
        (Some(one), Some(other)) => one.is_like(other),
        (None, None) => true,
        _ => false,
    };
    if !found.iter().all(is_like) {
        let reason =
            "its backends have different BackendTLSPolicies, so the controller answers 500";
        lines.ignored(&route.place(), "spec.rules.backendRefs", reason);
        return None;
    }
    Some(found)
}

/// The arguments of `location` for each match.
fn paths(route: HttpRoute<'_>, rule: &Value) -> Vec<Vec<String>> {
    let matches = list(rule, "/matches");
    if matches.is_empty() {
        return vec![vec!["/".to_owned()]];
    }
    let path = |one: &Value| {
        if route.is_grpc() {
            let part = |of| text(one, of).unwrap_or_default();
            return match (part("/method/service"), part("/method/method")) {
                ("", _) => vec!["/".to_owned()],
                (service, "") => vec![format!("/{service}/")],
                (service, method) => vec!["=".to_owned(), format!("/{service}/{method}")],
            };
        }
        let value = text(one, "/path/value").unwrap_or("/");
        match text(one, "/path/type").unwrap_or("PathPrefix") {
            "Exact" => vec!["=".to_owned(), value.to_owned()],
            "RegularExpression" => vec!["~".to_owned(), format!("^{value}")],
            _ => vec![value.to_owned()],
        }
    };
    matches.iter().map(path).collect()
}

fn location(
    lines: &mut ControllerLines,
    words: &[String],
    (route, rule): (HttpRoute<'_>, &Value),
    (backend, policy): (&RouteBackend<'_>, Option<&BackendPolicy<'_>>),
) {
    let words: Vec<&str> =
        ["location"].into_iter().chain(words.iter().map(String::as_str)).collect();
    lines.open(&words);
    let (module, scheme) = match (route.is_grpc(), policy.is_some()) {
        (false, false) => ("proxy", "http"),
        (false, true) => ("proxy", "https"),
        (true, false) => ("grpc", "grpc"),
        (true, true) => ("grpc", "grpcs"),
    };
    if !route.is_grpc() {
        lines.line(&["proxy_http_version", "1.1"]);
    }
    let host = list(rule, "/filters").iter().find_map(|one| text(one, "/urlRewrite/hostname"));
    let host = host.unwrap_or("$gw_api_compliant_host");
    lines.line(&[&format!("{module}_set_header"), "Host", host]);
    lines.line(&[&format!("{module}_pass"), &format!("{scheme}://{}", backend.group)]);
    if let Some(policy) = policy {
        let mut set =
            |suffix: &str, value: &str| lines.line(&[&format!("{module}_ssl_{suffix}"), value]);
        set("server_name", "on");
        set("verify", "on");
        set("verify_depth", DEPTH);
        if !policy.hostname.is_empty() {
            set("name", policy.hostname);
        }
        set("trusted_certificate", &policy.trusted);
    }
    lines.close();
}
