//! Ingress objects of ingress-nginx as another controller would read them, and what changes for TLS.
//!
//! F5 NGINX Ingress Controller reads the same objects, but its own annotations. NGINX Gateway Fabric reads no Ingress: each becomes
//! a Gateway with an HTTPS listener for each host of `spec.tls`, and an HTTPRoute for each rule. What other objects of the
//! input say (BackendTLSPolicy, ConfigMap) applies.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::ingress_nginx::Ingresses;
use super::lines::whole;
use super::object::{KubernetesObjects, annotation, list, name, namespace, text, texts};
use super::reading::TextMeaning;
use crate::nginx::defaults::protocols_of;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::listener::Server;
use crate::nginx::upstream::Upstream;

/// The controller to move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NextController {
    /// NGINX Gateway Fabric
    Ngf,
    /// F5 NGINX Ingress Controller
    Nic,
}

impl NextController {
    fn text(self) -> &'static str {
        match self {
            Self::Ngf => "NGINX Gateway Fabric",
            Self::Nic => "NGINX Ingress Controller",
        }
    }

    /// What makes it connect to a backend over TLS.
    fn needs(self) -> &'static str {
        match self {
            Self::Ngf => "a BackendTLSPolicy for the Service",
            Self::Nic => "the annotation nginx.org/ssl-services",
        }
    }

    /// What makes it verify clients.
    fn verifies_by(self) -> &'static str {
        match self {
            Self::Ngf => "spec.tls.frontend of the Gateway",
            Self::Nic => "a Policy with ingressMTLS",
        }
    }
}

/// The kinds that stay as they are beside what becomes of an Ingress.
const KEPT: [&str; 7] = [
    "Service",
    "EndpointSlice",
    "Secret",
    "ConfigMap",
    "BackendTLSPolicy",
    "ReferenceGrant",
    "Namespace",
];

/// The objects of Gateway API that Ingress objects become.
pub(super) fn as_gateways(objects: &KubernetesObjects, ingresses: &[&Value]) -> KubernetesObjects {
    let mut all = Vec::new();
    for ingress in ingresses {
        all.push(gateway(ingress));
        all.extend(routes(ingress));
    }
    let kept = KEPT.into_iter().flat_map(|kind| objects.of(kind).map(move |one| (kind, one)));
    all.extend(kept.map(|(kind, one)| {
        let mut one = one.clone();
        one["kind"] = json!(kind);
        one
    }));
    KubernetesObjects::of_items(all, "")
}

fn gateway(ingress: &Value) -> Value {
    let of_entry = |entry: &Value| -> Vec<Value> {
        let certificate = text(entry, "/secretName").map(|secret| json!({ "name": secret }));
        let listener = |host: &str| {
            json!({
                "name": host, "hostname": host, "port": 443, "protocol": "HTTPS",
                "tls": { "certificateRefs": Vec::from_iter(certificate.clone()) },
            })
        };
        texts(entry, "/hosts").map(listener).collect()
    };
    let mut listeners = vec![json!({ "name": "http", "port": 80, "protocol": "HTTP" })];
    listeners.extend(list(ingress, "/spec/tls").iter().flat_map(of_entry));
    let statuses = super::address::of_status(ingress).into_iter();
    let addresses: Vec<Value> = statuses.map(|value| json!({ "value": value })).collect();
    json!({
        "kind": "Gateway",
        "metadata": { "namespace": namespace(ingress), "name": name(ingress) },
        "spec": {
            "gatewayClassName": "nginx",
            "listeners": listeners,
        },
        "status": { "addresses": addresses },
    })
}

fn routes(ingress: &Value) -> Vec<Value> {
    let rules = list(ingress, "/spec/rules").iter().enumerate();
    let route = |(at, rule): (usize, &Value)| {
        let rules: Vec<Value> = list(rule, "/http/paths").iter().map(route_rule).collect();
        json!({
            "kind": "HTTPRoute",
            "metadata": { "namespace": namespace(ingress), "name": format!("{}-{at}", name(ingress)) },
            "spec": {
                "parentRefs": [{ "name": name(ingress) }],
                "hostnames": Vec::from_iter(text(rule, "/host")),
                "rules": rules,
            },
        })
    };
    rules.map(route).collect()
}

fn route_rule(path: &Value) -> Value {
    let kind = if text(path, "/pathType") == Some("Exact") { "Exact" } else { "PathPrefix" };
    json!({
        "matches": [{ "path": { "type": kind, "value": text(path, "/path").unwrap_or("/") } }],
        "backendRefs": [{
            "name": text(path, "/backend/service/name"),
            "port": path.pointer("/backend/service/port/number"),
        }],
    })
}

/// What both controllers make of the objects.
pub(super) struct Move<'a> {
    pub(super) objects: &'a KubernetesObjects,
    pub(super) ingresses: &'a [&'a Value],
    pub(super) before: &'a Ingresses,
    pub(super) after: &'a [TextMeaning],
    pub(super) next: NextController,
}

/// A backend as clients reach it: host and path.
type Route = (String, String);

impl Move<'_> {
    /// The changes, each at its Ingress.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut all = self.backends();
        all.extend(self.servers());
        all.extend(self.ingresses.iter().flat_map(|ingress| self.annotations(ingress)));
        all.extend(self.unknown_names());
        all
    }

    fn fact(&self, span: &str, subject: &str, change: &str) -> Fact {
        let kind = FactKind::ControllerDiffers {
            controller: self.next.text(),
            subject: subject.to_owned(),
            change: change.to_owned(),
        };
        Fact { span: whole(span), kind }
    }

    /// The backends that ingress-nginx connects to over TLS.
    fn backends(&self) -> Vec<Fact> {
        let after: BTreeMap<Route, &Upstream> = self
            .after
            .iter()
            .flat_map(|meaning| &meaning.upstreams)
            .map(|upstream| (route(upstream), upstream))
            .collect();
        let mut facts = Vec::new();
        for before in &self.before.upstreams {
            let key = route(before);
            let subject = format!("{}{}", key.0, key.1);
            let mut say = |change: String| {
                facts.push(self.fact(&before.span.file, &subject, &change));
            };
            match after.get(&key) {
                None => say(format!(
                    "connects to the backend without TLS; {} makes it use TLS",
                    self.next.needs()
                )),
                Some(after) => upstream_changes(before, after).into_iter().for_each(say),
            }
        }
        facts
    }

    /// The names that clients ask for.
    fn servers(&self) -> Vec<Fact> {
        let (mut facts, mut met) = (Vec::new(), HashSet::new());
        let after = self.servers_by_name();
        let before = self.before.listeners.iter().flat_map(|listener| &listener.servers);
        let names = before.flat_map(|server| server.names.iter().map(move |name| (server, name)));
        for (before, name) in names {
            let (name, place) = (name.value.to_string(), &before.span.file);
            // The same server stands at each address of the controller.
            if !met.insert((name.clone(), Arc::clone(place))) {
                continue;
            }
            for change in self.server_changes(before, after.get(&name).copied()) {
                facts.push(self.fact(place, &name, &change));
            }
        }
        facts
    }

    /// The servers with TLS that the other controller has, each under its names.
    fn servers_by_name(&self) -> HashMap<String, &Server> {
        let mut all = HashMap::new();
        let listeners = self.after.iter().flat_map(|meaning| &meaning.listeners);
        for server in listeners.flat_map(|listener| &listener.servers) {
            for name in server.names.iter() {
                all.entry(name.value.to_string()).or_insert(server);
            }
        }
        all
    }

    fn server_changes(&self, before: &Server, after: Option<&Server>) -> Vec<String> {
        let had_own = before.has_certificate();
        let Some(after) = after.filter(|after| !after.ssl.rejects()) else {
            let was = if had_own { "its own certificate" } else { "its default certificate" };
            return vec![format!("rejects handshakes; ingress-nginx serves {was}")];
        };
        let mut changes = Vec::new();
        let mode = |server: &Server| server.ssl.verify_client.as_ref().map(|set| set.value.clone());
        if let (Some(mode), None) = (mode(before).filter(|mode| mode != "off"), mode(after)) {
            changes.push(format!(
                "asks clients for no certificate, which ingress-nginx does ({mode}); {} makes it ask",
                self.next.verifies_by()
            ));
        }
        let ciphers = |server: &Server| server.ssl.ciphers.as_ref().map(|set| set.value.clone());
        if let (Some(list), None) = (ciphers(before), ciphers(after)) {
            changes.push(format!("uses nginx's own list of cipher suites instead of {list}"));
        }
        if let Some(protocols) = self.protocols() {
            let written = after.ssl.protocols.as_ref().map(|set| protocols_of(set));
            let after = written.unwrap_or_else(|| after.ssl.versions(super::RELEASE));
            let before: Vec<String> = protocols.split_whitespace().map(str::to_owned).collect();
            if protocols_of(&before) != after {
                let after: Vec<String> = after.iter().map(ToString::to_string).collect();
                changes.push(format!("accepts {} instead of {protocols}", after.join(" ")));
            }
        }
        changes
    }

    /// `ssl-protocols` in the ConfigMap of ingress-nginx.
    fn protocols(&self) -> Option<&str> {
        let map =
            self.objects.of("ConfigMap").find(|one| name(one).starts_with("ingress-nginx"))?;
        map.get("data")?.get("ssl-protocols")?.as_str()
    }

    /// Annotations that change how connections are handled as a whole.
    fn annotations(&self, ingress: &Value) -> Vec<Fact> {
        let own = format!("{}/{}", namespace(ingress), name(ingress));
        let get =
            |suffix: &str| annotation(ingress, &format!("nginx.ingress.kubernetes.io/{suffix}"));
        let hosts: Vec<&str> =
            list(ingress, "/spec/rules").iter().filter_map(|rule| text(rule, "/host")).collect();
        let subject = hosts.first().copied().unwrap_or("every host");
        let passes = (get("ssl-passthrough") == Some("true")).then(|| {
            let change = "ends TLS itself; ingress-nginx passes connections on (ssl-passthrough)";
            self.fact(&own, subject, change)
        });
        let aliases = get("server-alias").map(|names| {
            self.fact(&own, names, "does not serve these names, which are in server-alias")
        });
        passes.into_iter().chain(aliases).collect()
    }

    /// What happens to a client that asks for no name, or for one that nobody has.
    fn unknown_names(&self) -> Option<Fact> {
        let first = self.ingresses.first()?;
        let listeners = self.after.iter().flat_map(|meaning| &meaning.listeners);
        let is_kept = listeners.into_iter().any(|one| !one.default_server().ssl.rejects());
        (!is_kept && !self.before.listeners.is_empty()).then(|| {
            let own = format!("{}/{}", namespace(first), name(first));
            let change = "rejects handshakes; ingress-nginx serves its default certificate";
            self.fact(&own, "clients that send no name or an unknown one", change)
        })
    }
}

fn route(upstream: &Upstream) -> Route {
    let host = upstream.server_names.first().cloned().unwrap_or_default();
    let location = upstream.blocks.iter().rfind(|block| block.name == "location");
    let path = location.and_then(|block| block.arguments.last()).cloned().unwrap_or_default();
    (if host == "_" || host == "~^" { String::new() } else { host }, path)
}

fn upstream_changes(before: &Upstream, after: &Upstream) -> Vec<String> {
    let mut changes = Vec::new();
    let verified = |upstream: &Upstream| upstream.ssl.verifies();
    match (verified(before), verified(after)) {
        (true, false) => changes.push("no longer verifies the backend's certificate".to_owned()),
        (false, true) => changes.push("verifies the backend's certificate".to_owned()),
        _ => {}
    }
    let name = |upstream: &Upstream| upstream.name.clone().unwrap_or_default();
    let sent = |upstream: &Upstream| upstream.ssl.sends_name().then(|| name(upstream));
    match (sent(before), sent(after)) {
        (Some(old), None) => changes.push(format!("sends no name; ingress-nginx sends {old}")),
        (None, Some(new)) => {
            changes.push(format!("sends the name {new}; ingress-nginx sends none"));
        }
        (Some(old), Some(new)) if old != new => {
            changes.push(format!("sends the name {new} instead of {old}"));
        }
        _ => {}
    }
    if verified(before) && verified(after) && name(before) != name(after) {
        changes.push(format!("verifies the name {} instead of {}", name(after), name(before)));
    }
    if verified(after) && before.ssl.depth() != after.ssl.depth() {
        let (old, new) = (before.ssl.depth(), after.ssl.depth());
        changes.push(format!("allows {new} intermediates in a chain instead of {old}"));
    }
    let protocols =
        |upstream: &Upstream| upstream.ssl.protocols.as_ref().map(|set| set.value.join(" "));
    if protocols(before) != protocols(after) {
        let words =
            |protocols: Option<String>| protocols.unwrap_or_else(|| "nginx's default".to_owned());
        changes.push(format!(
            "offers the protocols {} instead of {}",
            words(protocols(after)),
            words(protocols(before))
        ));
    }
    if before.ssl.certificate.is_some() && after.ssl.certificate.is_none() {
        changes.push("presents no client certificate; ingress-nginx presents one".to_owned());
    }
    changes
}
