//! Kubernetes Ingress objects, as the ingress-nginx controller turns them into servers and upstreams.
//!
//! The output of `kubectl get ingress -A -o json` contains no certificates, so secrets are represented as files,
//! `secret:NAMESPACE/NAME`. The place of everything is its Ingress, `NAMESPACE/NAME`, without a line.

mod annotation;
mod object;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use self::annotation::PREFIX;
use self::annotation::{Annotations, proxy_ssl};
use self::object::{Backend, Object};
use super::facts::{Fact, FactKind};
use super::inherit::Set;
use super::listener::{
    CertificatePair, ListenAddress, Listener, MailStartTls, Material, Protocol, Server, ServerName,
    ServerSsl, claim,
};
use super::problem::Span;
use super::upstream::{
    Destination, Enclosing, Peer, PeerAddress, ProxyModule, ProxySsl, Upstream, UpstreamBlock,
};
use super::variable::{Unresolved, Variables};

/// The name that the controller uses for connections to every backend, unless an annotation sets another.
const BALANCER: &str = "upstream_balancer";

/// The prefix of the file names of secrets.
pub const SECRET: &str = "secret:";

/// The most Ingress objects, Services and backends that are read.
const MAX_ITEMS: usize = 50_000;

/// The result of the objects in the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingresses {
    /// A socket for each address that the controller assigned; its default server is the controller's own, with a
    /// certificate that matches no name.
    pub listeners: Vec<Listener>,
    /// The backends that nginx connects to over TLS.
    pub upstreams: Vec<Upstream>,
    /// Annotations without effect.
    pub facts: Vec<Fact>,
}

/// Why the text contains no Ingress objects.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// It is not JSON, or JSON of another shape.
    #[error("this is not the output of kubectl get ingress -o json: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON of something else.
    #[error("this is JSON of kind {0:?}, not of Ingress objects")]
    Kind(String),
    /// There are more objects than the limit.
    #[error("there are more than {MAX_ITEMS} Ingress objects")]
    TooMany,
}

/// Reads a list of objects, or a single one; other objects in a list are skipped.
pub fn read(json: &[u8]) -> Result<Ingresses, IngressError> {
    let objects = object::read(json)?;
    if objects.len() > MAX_ITEMS {
        return Err(IngressError::TooMany);
    }
    let mut reading = IngressReader::default();
    for object in &objects {
        let annotations = Annotations::of(object);
        reading.listen(object, &annotations);
        reading.pass(object, &annotations);
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
#[derive(Default)]
struct IngressReader {
    found: Ingresses,
    sockets: HashMap<ListenAddress, usize>,
}

impl IngressReader {
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
                http2: true,
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
            kind: FactKind::AnnotationIgnored { annotation, reason },
        }));
        for (host, path, backend) in object.backends().take(MAX_ITEMS) {
            let blocks = vec![
                block("server", host, object),
                block("location", Some(path.unwrap_or("/")), object),
            ];
            self.found.upstreams.push(upstream(module, object, (backend, blocks), ssl.clone()));
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
        let file = format!("{SECRET}{}/{secret}", object.namespace());
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
        client_certificate: authority.map(|secret| set(format!("{SECRET}{secret}"))),
        ..ServerSsl::default()
    }
}

fn block(name: &str, argument: Option<&str>, object: &Object) -> Enclosing {
    Enclosing {
        name: name.to_owned(),
        arguments: argument.map(str::to_owned).into_iter().collect(),
        span: object.span(),
    }
}

fn upstream(
    module: ProxyModule,
    object: &Object,
    (backend, blocks): (&Backend, Vec<Enclosing>),
    ssl: ProxySsl,
) -> Upstream {
    let scheme = if module == ProxyModule::Grpc { "grpcs" } else { "https" };
    let url = format!("{scheme}://{BALANCER}");
    let destination = peer(object, backend).map(|peer| Destination {
        url: url.clone(),
        host: BALANCER.to_owned(),
        proxy_host: BALANCER.to_owned(),
        group: Some(UpstreamBlock { name: BALANCER.to_owned(), span: object.span() }),
        peers: [peer].into(),
    });
    let name = ssl.name.as_ref().map_or(Ok(BALANCER.to_owned()), |name| name.value.value.clone());
    Upstream {
        module,
        span: object.span(),
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

/// The Service, by its name in the cluster; the controller itself connects to the pods of the Service.
fn peer(object: &Object, backend: &Backend) -> Result<Peer, Unresolved> {
    let service = backend.service().unwrap_or_default();
    let port = backend.port().ok_or_else(|| Unresolved::ServicePort(service.to_owned()))?;
    let host = format!("{service}.{}.svc", object.namespace());
    Ok(Peer {
        address: PeerAddress::Host { host, port },
        weight: 1,
        backup: false,
        down: false,
        resolve: true,
        assumed_port_80: false,
        span: object.span(),
    })
}

#[cfg(test)]
mod tests;
