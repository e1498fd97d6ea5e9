//! Stream sockets that read the name in a ClientHello and pass the connection through to a backend with TLS.

use super::listen::Listen;
use super::{ListenAddress, Protocol};
use crate::nginx::inherit::Scope;
use crate::nginx::problem::Span;
use crate::nginx::tree::Tree;

/// Such a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassThrough {
    /// Its address.
    pub address: ListenAddress,
    /// The first `listen` directive with it.
    pub listen: Span,
}

/// The most sockets that are listed.
const MAX_SOCKETS: usize = 10_000;

/// Every socket with `ssl_preread on`, unless nginx itself uses TLS on either side.
pub fn pass_through(tree: &Tree) -> Vec<PassThrough> {
    let root = Scope::root(tree);
    let mut found: Vec<PassThrough> = Vec::new();
    for block in tree.blocks("stream") {
        let stream = root.enter(block);
        for server in block.children().iter().filter(|one| one.name == "server") {
            let server = stream.enter(server);
            for socket in sockets(&server) {
                let is_known = found.iter().any(|one| one.address == socket.address);
                if !is_known && found.len() < MAX_SOCKETS {
                    found.push(socket);
                }
            }
        }
    }
    found
}

/// The sockets of one server, if it passes TLS through.
fn sockets(server: &Scope<'_>) -> Vec<PassThrough> {
    let on = |name: &str| server.flag(name).is_some_and(|set| set.value);
    if !on("ssl_preread") || on("proxy_ssl") {
        return Vec::new();
    }
    let listens = server.own("listen").iter();
    listens
        .filter_map(|one| Listen::read(one, Protocol::Stream))
        .filter(|one| !one.has("ssl") && !one.has("udp"))
        .flat_map(|one| {
            let span = one.directive.span.clone();
            one.addresses
                .into_iter()
                .map(move |address| PassThrough { address, listen: span.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::source::Single;

    #[track_caller]
    fn check(stream: &str, expected: &[&str]) {
        let text = format!("events {{}} stream {{ {stream} }}");
        let tree = Tree::read(&Single { path: "n", text: text.as_bytes() }, "n");
        let found = pass_through(&tree);
        let found: Vec<String> = found.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(found, expected, "{stream}");
    }

    #[test]
    fn only_sockets_that_pass_tls_on_are_found() {
        let pass = "proxy_pass 127.0.0.1:1;";
        check(
            &format!(
                "ssl_preread on; server {{ listen 1; listen [::]:1; {pass} }} server {{ listen *:1; {pass} }}"
            ),
            &["0.0.0.0:1", "[::]:1"],
        );
        check(&format!("server {{ listen 1; {pass} }}"), &[]);
        check(&format!("server {{ listen 1; ssl_preread on; proxy_ssl on; {pass} }}"), &[]);
        check(&format!("server {{ listen 1 ssl; ssl_preread on; {pass} }}"), &[]);
        check(&format!("ssl_preread on; server {{ listen 1; ssl_preread off; {pass} }}"), &[]);
    }
}
