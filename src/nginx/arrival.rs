//! Where a client's connection arrived: variables that the socket decides, and not the request.

use super::inherit::Scope;
use super::listener::{ListenAddress, addresses};
use super::tree::Directive;

/// The addresses of a server; `None` if one of them is not known.
pub(super) fn arrivals(server: &Scope<'_>) -> Option<Vec<ListenAddress>> {
    let module = server.outer().and_then(Scope::block).map(|block| block.name.as_str());
    let default_port = (module == Some("http")).then_some(80);
    let listens = server.own("listen");
    if listens.is_empty() {
        return default_port.map(|_| vec![ListenAddress::unnamed()]);
    }
    let mut all = Vec::new();
    for listen in listens {
        all.extend(addresses(Directive::first(listen), default_port).ok()?);
    }
    Some(all)
}

/// The value of `$server_port` or `$server_addr` (`ngx_http_variable_server_port`, `ngx_http_variable_server_addr`); `None` if the
/// connection decides it.
pub(super) fn value(name: &str, address: &ListenAddress) -> Option<String> {
    match (name, address) {
        ("server_port", address) => {
            Some(address.port().map(|it| it.to_string()).unwrap_or_default())
        }
        (_, ListenAddress::Ip(ip)) if !ip.ip().is_unspecified() => Some(ip.ip().to_string()),
        (_, ListenAddress::Unix(path)) => Some(format!("unix:{path}")),
        _ => None,
    }
}
