//! The destination of a URL: an `upstream` block, or a host.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Destination, Peer, PeerAddress, ProxyModule, UpstreamBlock, Wire};
use crate::nginx::address::{self, NginxAddress};
use crate::nginx::inherit::Scope;
use crate::nginx::tree::Directive;
use crate::nginx::variable::Unresolved;

/// The `upstream` blocks of `http` or `stream`, by name in lower case.
#[derive(Debug)]
pub(super) struct UpstreamBlocks(HashMap<String, BlockWithPeers, RandomState>);

/// A block and its servers.
#[derive(Debug)]
struct BlockWithPeers {
    group: UpstreamBlock,
    peers: Arc<[Peer]>,
}

impl UpstreamBlocks {
    pub(super) fn read(scope: &Scope<'_>) -> Self {
        let block = scope.block();
        // A `server` in `stream` must have a port.
        let default_port = block.filter(|block| block.name == "http").map(|_| 80);
        let inside = block.map(Directive::children).unwrap_or_default();
        let blocks = inside.iter().filter(|one| one.name == "upstream" && one.block.is_some());
        let mut groups = HashMap::default();
        for block in blocks {
            let servers = block.children().iter().filter(|one| one.name == "server");
            let peers = servers.filter_map(|server| peer(server, default_port)).collect();
            let group = UpstreamBlock { name: block.first().to_owned(), span: block.span.clone() };
            groups
                .entry(block.first().to_ascii_lowercase())
                .or_insert(BlockWithPeers { group, peers });
        }
        Self(groups)
    }

    /// The block that an address names; if written without variables, the address must not have a port.
    fn find(
        &self,
        address: &NginxAddress,
        is_dynamic: bool,
    ) -> Result<Option<&BlockWithPeers>, &'static str> {
        let NginxAddress::Host { host, port } = address else { return Ok(None) };
        match self.0.get(&host.to_ascii_lowercase()) {
            Some(_) if port.is_some() && is_dynamic => Ok(None),
            Some(_) if port.is_some() => Err("a port that it may not have"),
            found => Ok(found),
        }
    }
}

/// A `server` in an `upstream` block; `None` if nginx would refuse its address.
fn peer(server: &Directive, default_port: Option<u16>) -> Option<Peer> {
    let parameters = server.arguments.get(1..).unwrap_or_default();
    let value = |name: &str| parameters.iter().find_map(|word| word.strip_prefix(name));
    let has = |name: &str| parameters.iter().any(|word| word == name);
    let (address, assumed_port_80) = match address::parse(server.first()).ok()? {
        NginxAddress::Unix(path) => (PeerAddress::Unix(path), false),
        NginxAddress::Host { host, port } => {
            let host = address::bare(&host).to_owned();
            let address = match (value("service="), port.or(default_port)) {
                (Some(service), _) => PeerAddress::Service { host, service: service.to_owned() },
                (None, Some(port)) => PeerAddress::Host { host, port },
                (None, None) => return None,
            };
            (address, port.is_none() && value("service=").is_none())
        }
    };
    Some(Peer {
        address,
        weight: value("weight=").and_then(|text| text.parse().ok()).unwrap_or(1),
        backup: has("backup"),
        down: has("down"),
        resolve: has("resolve"),
        assumed_port_80,
        span: server.span.clone(),
    })
}

/// The destination of a URL without variables; `None` if its scheme is for another kind of connection. `pass` is the
/// directive, and whether it contained variables.
pub(super) fn destination(
    (module, wire): (ProxyModule, Wire),
    url: &str,
    groups: &UpstreamBlocks,
    (pass, is_dynamic): (&Directive, bool),
) -> Option<Result<Destination, Unresolved>> {
    let rest = strip_scheme(module, wire, url)?;
    let port = default_port(module, wire);
    let invalid = |what| Unresolved::Invalid { what, url: rest.to_owned() };
    let make = || {
        let address = address::parse(rest).map_err(invalid)?;
        let known = groups.find(&address, is_dynamic).map_err(invalid)?;
        let (host, proxy_host) = names(&address, wire);
        let peers = match known {
            Some(known) => Arc::clone(&known.peers),
            None => [single(port, address, (pass, is_dynamic)).map_err(invalid)?].into(),
        };
        Ok(Destination {
            url: url.to_owned(),
            host,
            proxy_host,
            group: known.map(|known| known.group.clone()),
            peers,
        })
    };
    Some(make())
}

/// The default name of the host, and `$proxy_host`.
fn names(address: &NginxAddress, wire: Wire) -> (String, String) {
    let usual = match wire {
        Wire::Tls => 443,
        Wire::Plain => 80,
    };
    match address {
        NginxAddress::Unix(path) => (path.clone(), "localhost".to_owned()),
        NginxAddress::Host { host, port: Some(port) } if *port != usual => {
            (host.clone(), format!("{host}:{port}"))
        }
        NginxAddress::Host { host, .. } => (host.clone(), host.clone()),
    }
}

fn single(
    default_port: Option<u16>,
    address: NginxAddress,
    (pass, is_dynamic): (&Directive, bool),
) -> Result<Peer, &'static str> {
    let address = match address {
        NginxAddress::Unix(path) => PeerAddress::Unix(path),
        NginxAddress::Host { host, port } => {
            let port = port.or(default_port).ok_or("no port")?;
            PeerAddress::Host { host: address::bare(&host).to_owned(), port }
        }
    };
    Ok(Peer {
        address,
        weight: 1,
        backup: false,
        down: false,
        resolve: is_dynamic,
        assumed_port_80: false,
        span: pass.span.clone(),
    })
}

/// The default port of a URL.
fn default_port(module: ProxyModule, wire: Wire) -> Option<u16> {
    match (module, wire) {
        (ProxyModule::Proxy, Wire::Tls) => Some(443),
        (ProxyModule::Proxy, Wire::Plain) => Some(80),
        (ProxyModule::Grpc | ProxyModule::Uwsgi | ProxyModule::Stream, _) => None,
    }
}

/// The text after the scheme, if the scheme is for this kind of connection.
pub(super) fn strip_scheme(module: ProxyModule, wire: Wire, url: &str) -> Option<&str> {
    let scheme = match (module, wire) {
        (ProxyModule::Stream, Wire::Tls) => return Some(url),
        (ProxyModule::Stream, Wire::Plain) => return None,
        (ProxyModule::Proxy, Wire::Tls) => "https://",
        (ProxyModule::Proxy, Wire::Plain) => "http://",
        (ProxyModule::Grpc, Wire::Tls) => "grpcs://",
        (ProxyModule::Grpc, Wire::Plain) => "grpc://",
        (ProxyModule::Uwsgi, Wire::Tls) => "suwsgi://",
        (ProxyModule::Uwsgi, Wire::Plain) => "uwsgi://",
    };
    let found = address::strip_scheme(url, scheme);
    // Without a scheme, gRPC and uwsgi use plain text.
    let bare = module != ProxyModule::Proxy && wire == Wire::Plain;
    found.or((bare && !url.contains("://") && !url.starts_with('$')).then_some(url))
}
