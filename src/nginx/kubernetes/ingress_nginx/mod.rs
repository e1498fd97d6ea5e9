//! Kubernetes Ingress objects, as the ingress-nginx controller turns them into servers and upstreams.
//!
//! The place of everything is its Ingress, `NAMESPACE/NAME`, without a line.

mod annotation;
mod object;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use self::annotation::{Annotations, proxy_ssl};
use self::object::{Backend, Object};
use super::address;
use super::material::{authorities, pair};
use super::object::KubernetesObjects;
use crate::nginx::facts::{Fact, FactKind};
use crate::nginx::inherit::Set;
use crate::nginx::listener::{
    CertificatePair, Http2Offer, ListenAddress, Listener, MailStartTls, Material, Protocol, Server,
    ServerName, ServerSsl, claim,
};
use crate::nginx::problem::Span;
use crate::nginx::upstream::{
    Destination, Enclosing, Peer, PeerAddress, ProxyModule, ProxySsl, Upstream, UpstreamBlock,
};
use crate::nginx::variable::{Unresolved, Variables};

/// The name that the controller uses for connections to every backend, unless an annotation sets another.
const BALANCER: &str = "upstream_balancer";

/// The most backends of one object that are read.
const MAX_BACKENDS: usize = 50_000;

/// The result of the objects in the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ingresses {
    /// A socket for each address that the controller assigned; its default server is the controller's own, with a
    /// certificate that matches no name.
    pub(super) listeners: Vec<Listener>,
    /// The backends that nginx connects to over TLS.
    pub(super) upstreams: Vec<Upstream>,
    /// Annotations without effect.
    pub(super) facts: Vec<Fact>,
}

/// Reads the objects of this controller.
pub(super) fn read(
    objects: &KubernetesObjects,
    ingresses: &[&Value],
) -> Result<Ingresses, serde_json::Error> {
    let mut reading =
        IngressReader { objects, found: Ingresses::default(), sockets: HashMap::new() };
    for ingress in ingresses {
        let object = Object::deserialize(*ingress)?;
        let annotations = Annotations::of(&object);
        reading.listen(&object, &annotations);
        reading.pass(&object, &annotations);
    }
    for listener in &mut reading.found.listeners {
        claim(&mut listener.servers);
    }
    Ok(reading.found)
}

impl Object {
    fn span(&self) -> Span {
        let file = format!("{}/{}", self.namespace(), self.name());
        Span { file: file.into(), line: 0, column: 0 }
    }
}

/// What was read so far.
struct IngressReader<'o> {
    objects: &'o KubernetesObjects,
    found: Ingresses,
    sockets: HashMap<ListenAddress, usize>,
}

impl IngressReader<'_> {
    /// Adds an object's hosts to the sockets of its addresses.
    fn listen(&mut self, object: &Object, annotations: &Annotations<'_>) {
        let aliases = annotations.list("server-alias");
        let ssl = |secret: Option<&str>| server_ssl(object, annotations, secret);
        for tls in object.tls() {
            let hosts = tls.hosts.iter().cloned().chain(aliases.iter().cloned());
            let names: Arc<[Set<ServerName>]> = hosts.map(|host| name(object, &host)).collect();
            let server = Server {
                span: object.span(),
                listen: object.span(),
                names,
                taken: BTreeMap::new(),
                plain_beside: None,
                ssl: Arc::new(ssl(tls.secret.as_deref())),
            };
            let addresses = addresses(object, tls.hosts.first());
            for address in addresses {
                self.socket(address).servers.push(server.clone());
            }
        }
    }

    fn socket(&mut self, address: ListenAddress) -> &mut Listener {
        let listeners = &mut self.found.listeners;
        let at = *self.sockets.entry(address.clone()).or_insert_with(|| {
            listeners.push(Listener {
                protocol: Protocol::Http,
                address,
                starttls: MailStartTls::Off,
                proxy_protocol: false,
                http2: Http2Offer::Default,
                quic: false,
                servers: vec![fallback()],
                default: 0,
            });
            listeners.len() - 1
        });
        &mut self.found.listeners[at]
    }

    /// Adds the backends of an object whose annotations ask for TLS.
    fn pass(&mut self, object: &Object, annotations: &Annotations<'_>) {
        let module = match annotations.get("backend-protocol").map(str::to_ascii_uppercase) {
            Some(protocol) if protocol == "HTTPS" => ProxyModule::Proxy,
            Some(protocol) if protocol == "GRPCS" => ProxyModule::Grpc,
            _ => return,
        };
        let (ssl, ignored) = proxy_ssl(module, annotations);
        self.found.facts.extend(ignored.into_iter().map(|(annotation, reason)| Fact {
            span: object.span(),
            kind: FactKind::AnnotationIgnored { annotation, reason: reason.to_owned() },
        }));
        for (host, path, backend) in object.backends().take(MAX_BACKENDS) {
            let blocks = vec![
                block("server", host, object),
                block("location", Some(path.unwrap_or("/")), object),
            ];
            let peers = peers(self.objects, object, backend);
            self.found.upstreams.push(upstream(module, object, (peers, blocks), ssl.clone()));
        }
    }
}

/// The controller's own server, which answers if no name matches.
fn fallback() -> Server {
    let span = Span { file: "ingress-nginx".into(), line: 0, column: 0 };
    Server {
        span: span.clone(),
        listen: span,
        names: Arc::new([]),
        taken: BTreeMap::new(),
        plain_beside: None,
        ssl: Arc::new(ServerSsl::default()),
    }
}

fn name(object: &Object, host: &str) -> Set<ServerName> {
    let host = host.to_ascii_lowercase();
    let value = match host.strip_prefix('*') {
        Some(suffix) => ServerName::Leading(suffix.to_owned()),
        None => ServerName::Exact(host),
    };
    Set { value, span: object.span() }
}

/// The addresses of the controller for an object: those in its status, or else its first host.
fn addresses(object: &Object, host: Option<&String>) -> Vec<ListenAddress> {
    let named = |host: String| match host.parse::<IpAddr>() {
        Ok(ip) => ListenAddress::Ip(SocketAddr::new(ip, 443)),
        Err(_) => ListenAddress::Name { host, port: 443 },
    };
    let known: Vec<ListenAddress> = object.addresses().map(named).collect();
    match host.filter(|host| known.is_empty() && !host.starts_with('*')) {
        Some(host) => vec![named(host.clone())],
        None => known,
    }
}

fn server_ssl(object: &Object, annotations: &Annotations<'_>, secret: Option<&str>) -> ServerSsl {
    let set = |value: String| Set { value, span: object.span() };
    let is_passed = annotations.get("ssl-passthrough") == Some("true");
    let pair = secret.filter(|_| !is_passed).map(|secret| {
        let file = pair(&format!("{}/{secret}", object.namespace()));
        let material = || Set { value: Material::File(file.clone()), span: object.span() };
        CertificatePair { certificate: material(), key: Some(material()) }
    });
    let authority = annotations.get("auth-tls-secret");
    let mode = annotations.get("auth-tls-verify-client");
    let known = |mode: &&str| ["on", "off", "optional", "optional_no_ca"].contains(mode);
    ServerSsl {
        certificates: pair.into_iter().collect(),
        ciphers: annotations.get("ssl-ciphers").map(|list| set(list.to_owned())),
        verify_client: authority.map(|_| set(mode.filter(known).unwrap_or("on").to_owned())),
        verify_depth: authority.map(|_| Set {
            value: annotations.number("auth-tls-verify-depth").unwrap_or(1),
            span: object.span(),
        }),
        client_certificate: authority.map(|secret| set(authorities(secret))),
        ..ServerSsl::default()
    }
}

fn block(name: &str, argument: Option<&str>, object: &Object) -> Enclosing {
    Enclosing {
        name: name.into(),
        arguments: argument.map(str::to_owned).into_iter().collect(),
        span: object.span(),
    }
}

fn upstream(
    module: ProxyModule,
    object: &Object,
    (peers, blocks): (Result<Vec<Peer>, Unresolved>, Vec<Enclosing>),
    ssl: ProxySsl,
) -> Upstream {
    let scheme = if module == ProxyModule::Grpc { "grpcs" } else { "https" };
    let url = format!("{scheme}://{BALANCER}");
    let destination = peers.map(|peers| Destination {
        url: url.clone(),
        host: BALANCER.to_owned(),
        proxy_host: BALANCER.to_owned(),
        group: Some(UpstreamBlock { name: BALANCER.to_owned(), span: object.span() }),
        peers: peers.into(),
    });
    let name = ssl.name.as_ref().map_or(Ok(BALANCER.to_owned()), |name| name.value.value.clone());
    Upstream {
        module,
        span: object.span(),
        settings_at: object.span(),
        url,
        server_names: blocks.iter().take(1).flat_map(|one| one.arguments.iter().cloned()).collect(),
        host_header: None,
        blocks,
        assumed: Variables::new(),
        destination,
        name,
        has_resolver: true,
        ssl,
    }
}

/// The pods of the Service, if the input has its endpoints, or else the Service.
fn peers(
    objects: &KubernetesObjects,
    object: &Object,
    backend: &Backend,
) -> Result<Vec<Peer>, Unresolved> {
    let service = backend.service().unwrap_or_default();
    let port = backend.port().ok_or_else(|| Unresolved::ServicePort(service.to_owned()))?;
    let servers = address::servers(objects, (object.namespace(), service), port)?;
    let peer = |server: String| {
        let (host, port) = server.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Peer {
            address: PeerAddress::Host { host, port: port.parse().ok()? },
            weight: 1,
            backup: false,
            down: false,
            resolve: true,
            assumed_port_80: false,
            span: object.span(),
        })
    };
    Ok(servers.into_iter().filter_map(peer).collect())
}

#[cfg(test)]
mod tests;
