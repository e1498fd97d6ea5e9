//! Where a URL leads: through an `upstream` block, or straight to a host.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Destination, Peer, PeerAddress, ProxyModule, UpstreamBlock};
use crate::nginx::address::{self, NginxAddress};
use crate::nginx::inherit::Scope;
use crate::nginx::tree::Directive;
use crate::nginx::variable::Unresolved;

/// The `upstream` blocks of `http` or `stream`, by their names in lower case.
#[derive(Debug)]
pub(super) struct UpstreamBlocks(HashMap<String, BlockWithPeers>);

/// A block and its servers.
#[derive(Debug)]
struct BlockWithPeers {
    group: UpstreamBlock,
    peers: Arc<[Peer]>,
}

impl UpstreamBlocks {
    pub(super) fn read(scope: &Scope<'_>) -> Self {
        let block = scope.block();
        // A `server` in `stream` has to name its port.
        let default_port = block.filter(|block| block.name == "http").map(|_| 80);
        let inside = block.map(Directive::children).unwrap_or_default();
        let blocks = inside.iter().filter(|one| one.name == "upstream" && one.block.is_some());
        let mut groups = HashMap::new();
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

    /// The block that an address names; one that is written out may not have a port then.
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

/// What a `server` in an `upstream` block says; `None` where nginx would refuse its address.
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

/// Where a URL without variables leads; `None` where that is not TLS. `pass` is the directive, and whether it was
/// written with variables.
pub(super) fn destination(
    module: ProxyModule,
    url: &str,
    groups: &UpstreamBlocks,
    (pass, is_dynamic): (&Directive, bool),
) -> Option<Result<Destination, Unresolved>> {
    let rest = tls_scheme(module, url)?;
    let invalid = |what| Unresolved::Invalid { what, url: rest.to_owned() };
    let make = || {
        let address = address::parse(rest).map_err(invalid)?;
        let known = groups.find(&address, is_dynamic).map_err(invalid)?;
        let (host, proxy_host) = names(&address);
        let peers = match known {
            Some(known) => Arc::clone(&known.peers),
            None => [single(module, address, (pass, is_dynamic)).map_err(invalid)?].into(),
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

/// The host part as nginx takes it by default, and `$proxy_host`.
fn names(address: &NginxAddress) -> (String, String) {
    match address {
        NginxAddress::Unix(path) => (path.clone(), "localhost".to_owned()),
        NginxAddress::Host { host, port: None | Some(443) } => (host.clone(), host.clone()),
        NginxAddress::Host { host, port: Some(port) } => (host.clone(), format!("{host}:{port}")),
    }
}

fn single(
    module: ProxyModule,
    address: NginxAddress,
    (pass, is_dynamic): (&Directive, bool),
) -> Result<Peer, &'static str> {
    let address = match address {
        NginxAddress::Unix(path) => PeerAddress::Unix(path),
        NginxAddress::Host { host, port } => {
            let default = (module == ProxyModule::Proxy).then_some(443);
            let port = port.or(default).ok_or("no port")?;
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

/// What stands behind the scheme that means TLS.
pub(super) fn tls_scheme(module: ProxyModule, url: &str) -> Option<&str> {
    match module {
        ProxyModule::Stream => Some(url),
        ProxyModule::Proxy => address::strip_scheme(url, "https://"),
        ProxyModule::Grpc => address::strip_scheme(url, "grpcs://"),
        ProxyModule::Uwsgi => address::strip_scheme(url, "suwsgi://"),
    }
}
