//! The upstreams that nginx connects to over TLS, a target for each server behind them.

use std::sync::Arc;

use super::{Premises, Untestable, origin};
use crate::nginx::problem::Span;
use crate::nginx::upstream::{Destination, Peer, PeerAddress, ProxyModule, Upstream, without_port};
use crate::targets::address::{Address, parse_host};
use crate::targets::nginx_client::{NginxClient, NginxRequest, PlainPass, usual_library};
use crate::targets::proxy_ssl::{self, ClientBuild, DirectiveFiles};
use crate::targets::{Host, Role, Roots, Target, Trust};

pub(super) fn targets(
    upstreams: &[Upstream],
    premises: &Premises<'_>,
    untestable: &mut Vec<Untestable>,
) -> Vec<(String, Target, Span)> {
    let mut all = Vec::new();
    let mut files = DirectiveFiles::below(premises.root.as_deref());
    for upstream in upstreams {
        let cannot = |reason: String| Untestable {
            name: format!("{} {}", upstream.module.pass(), upstream.url),
            span: upstream.span.clone(),
            reason,
        };
        let destination = match &upstream.destination {
            Ok(destination) if destination.peers.is_empty() => {
                untestable.push(cannot("nginx refuses the address".to_owned()));
                continue;
            }
            Ok(destination) => destination,
            Err(reason) => {
                untestable.push(cannot(reason.to_string()));
                continue;
            }
        };
        let client = match client(upstream, premises, &mut files) {
            Ok(client) => Arc::new(NginxClient {
                request: premises.request.then(|| request(upstream, destination)).flatten(),
                ..client
            }),
            Err(reason) => {
                untestable.push(cannot(reason));
                continue;
            }
        };
        if destination.peers.iter().all(|peer| peer.down) {
            untestable.push(cannot("all its servers are marked down".to_owned()));
        }
        let settings = settings(&client, upstream);
        for peer in destination.peers.iter().filter(|peer| !peer.down) {
            match endpoint(peer, premises) {
                Ok((host, port)) => {
                    let target =
                        target(upstream, &destination.url, (peer, &host, port), &client, premises);
                    all.push((key(&host, port, &settings), target, upstream.span.clone()));
                }
                Err(reason) => untestable.push(cannot(reason.to_owned())),
            }
        }
    }
    all
}

fn endpoint(peer: &Peer, premises: &Premises<'_>) -> Result<(Host, u16), &'static str> {
    match &peer.address {
        PeerAddress::Host { host, port } => {
            Ok((parse_host(host).map_err(|_| "its host is not a valid name")?, *port))
        }
        PeerAddress::Service { .. } => Err("services (SRV records) are not looked up"),
        PeerAddress::Unix(path) => premises.unix_socket(path),
    }
}

/// nginx with the settings that apply to an upstream.
fn client(
    upstream: &Upstream,
    premises: &Premises<'_>,
    files: &mut DirectiveFiles<'_>,
) -> Result<NginxClient, String> {
    if let Some(foreign) = &premises.foreign {
        return Err(format!(
            "nginx runs with {foreign}, and only handshakes of OpenSSL are known here; --openssl-version judges it as such"
        ));
    }
    let ssl = &upstream.ssl;
    let named = ssl.sends_name() || ssl.verifies();
    let name = match &upstream.name {
        Ok(name) => name,
        Err(reason) if named => return Err(reason.to_string()),
        Err(_) => "",
    };
    let Premises { version, library, ref system, .. } = *premises;
    let build = ClientBuild { version, library, system };
    let client = proxy_ssl::client(ssl, upstream.module, name, build, files);
    Ok(NginxClient { place: Some(origin(&upstream.settings_at)), ..client })
}

/// The servers that nginx connects to without TLS, to test whether they expect TLS. Those that cannot be reached from
/// here are left out.
pub(super) fn plain_targets(
    upstreams: &[Upstream],
    premises: &Premises<'_>,
    beside_tls: bool,
) -> Vec<(String, Target, Span)> {
    let mut all = Vec::new();
    for upstream in upstreams {
        let Ok(destination) = &upstream.destination else { continue };
        let mut client = NginxClient::new(destination.host.clone());
        client.module = upstream.module;
        client.place = Some(origin(&upstream.settings_at));
        client.version = premises.version;
        client.system_commands.clone_from(&premises.system);
        client.library = premises.library.unwrap_or_else(|| usual_library(premises.version));
        client.request = premises.request.then(|| plain_request(upstream, destination));
        let over_tls = over_tls(upstream, destination);
        client.plain = Some(PlainPass { url: upstream.url.clone(), over_tls, beside_tls });
        let client = Arc::new(client);
        let settings = settings(&client, upstream);
        for peer in destination.peers.iter().filter(|peer| !peer.down) {
            let Ok((host, port)) = endpoint(peer, premises) else { continue };
            let target = target(upstream, &destination.url, (peer, &host, port), &client, premises);
            all.push((key(&host, port, &settings), target, upstream.span.clone()));
        }
    }
    all
}

/// The request that is sent without TLS: a server that refuses it for its scheme ignores the header.
fn plain_request(upstream: &Upstream, destination: &Destination) -> NginxRequest {
    let usual = || NginxRequest::get(destination.proxy_host.clone(), "/");
    let request = request(upstream, destination).unwrap_or_else(usual);
    NginxRequest { assumed: false, ..request }
}

/// The URL with the TLS scheme. A missing port is written out, because the default port would change; `None` if that is
/// not possible.
fn over_tls(upstream: &Upstream, destination: &Destination) -> Option<String> {
    let url = &upstream.url;
    let rest = url.split_once("://").map_or(&**url, |(_, rest)| rest);
    let scheme = match upstream.module {
        ProxyModule::Proxy => "https",
        ProxyModule::Grpc => "grpcs",
        ProxyModule::Uwsgi => "suwsgi",
        ProxyModule::Stream => return None,
    };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    if upstream.module != ProxyModule::Proxy || destination.group.is_some() || has_port {
        return Some(format!("{scheme}://{rest}"));
    }
    (!host.contains('$')).then(|| format!("{scheme}://{host}:80{path}"))
}

/// The request that nginx sends there; with the usual Host if the header has variables.
fn request(upstream: &Upstream, destination: &Destination) -> Option<NginxRequest> {
    if upstream.module != ProxyModule::Proxy {
        return None;
    }
    let known = match upstream.host_header.as_deref() {
        None | Some("$proxy_host" | "$proxy_host:$proxy_port") => {
            Some(destination.proxy_host.clone())
        }
        Some("$host" | "$http_host" | "$server_name" | "$gw_api_compliant_host") => {
            plain_names(upstream).next().cloned()
        }
        Some(written) => Some(written.to_owned()).filter(|written| !written.contains('$')),
    };
    let assumed = known.is_none();
    let host = known.unwrap_or_else(|| destination.proxy_host.clone());
    let plain =
        |text: &&str| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    let uri =
        destination.url.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
    let location = upstream.blocks.iter().rfind(|block| block.name == "location");
    let location = location.and_then(|block| match &block.arguments[..] {
        [path] => Some(path.as_str()),
        [kind, path] if matches!(&**kind, "=" | "^~") => Some(path.as_str()),
        _ => None,
    });
    let path = uri.or(location).filter(plain).filter(|path| !path.contains('$')).unwrap_or("/");
    let http11 = upstream.ssl.http_version.as_ref().is_some_and(|set| set.value == "1.1");
    let plain_host = host.bytes().all(|byte| byte.is_ascii_graphic());
    plain_host.then(|| NginxRequest { http11, assumed, ..NginxRequest::get(host, path) })
}

/// The names of the surrounding server that are not patterns.
fn plain_names(upstream: &Upstream) -> impl Iterator<Item = &String> {
    let names = upstream.server_names.iter();
    names.filter(|name| !name.starts_with(['~', '*', '$', '.', '_']) && *name != "localhost")
}

fn target(
    upstream: &Upstream,
    url: &str,
    (peer, host, port): (&Peer, &Host, u16),
    client: &Arc<NginxClient>,
    premises: &Premises<'_>,
) -> Target {
    let address =
        Address { host: host.clone(), port: Some(port), connect_to: None, starttls: None };
    let mut target = premises.options.target(
        address,
        premises.identity.clone().or_else(|| client.identity.clone()),
        Some(origin(&upstream.span)),
    );
    let backup = if peer.backup { ", backup" } else { "" };
    target.name = format!("{url} ({}{backup})", crate::targets::address::host_port(host, port));
    target.role = Role::Upstream;
    target.proxy_protocol = upstream.ssl.proxy_protocol;
    // An upstream may know a name with a dot, but probably not the name of an `upstream` block.
    let known = client.name.contains('.') && client.has_sendable_name();
    if known && let Ok(Host::Name(name)) = parse_host(&client.name) {
        target.server_name = Some(name);
    }
    let own_roots = premises.options.roots.is_none() && premises.options.add_ca_files.is_none();
    if let Some(trusted) = client.trusted.as_ref().filter(|_| own_roots) {
        let path = premises.path(&trusted.path.display().to_string());
        target.trust = Trust { roots: Roots::File(path), additional: Vec::new() };
    }
    let peer_name = match host {
        Host::Name(name) => Some(name.clone()),
        Host::Ip(_) => None,
    };
    let header = upstream.host_header.iter().filter(|host| !host.contains('$'));
    let header = header.map(|host| without_port(host).to_owned());
    let passed = upstream.destination.iter().map(|destination| destination.host.clone());
    let served = plain_names(upstream).cloned();
    target.likely_names = header.chain(peer_name).chain(passed).chain(served).collect();
    target.nginx = Some(Arc::clone(client));
    target
}

/// The settings and the server, as far as they affect the result.
fn key(host: &Host, port: u16, settings: &str) -> String {
    format!("upstream {host} {port} {settings}")
}

/// What is the same for every server of an upstream, as far as it affects the result.
fn settings(client: &NginxClient, upstream: &Upstream) -> String {
    let header = client.request.as_ref().map(|request| &request.host);
    format!("{} {} {header:?}", upstream.ssl.proxy_protocol, client.settings())
}
