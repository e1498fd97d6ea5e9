//! All sockets of a configuration, with and without TLS.

use std::collections::BTreeMap;

use super::CopyError;
use crate::nginx::directives::BlockContext;
use crate::nginx::listener::{ListenAddress, ListenError, addresses};
use crate::nginx::tree::{Directive, Tree};

/// A socket that nginx opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedSocket {
    /// Its address as the configuration names it.
    pub address: ListenAddress,
    /// Whether it is opened for TCP.
    pub tcp: bool,
    /// Whether it is opened for UDP.
    pub udp: bool,
}

/// Every socket, without duplicate addresses.
pub fn sockets(tree: &Tree) -> Result<Vec<OpenedSocket>, CopyError> {
    let mut found: BTreeMap<ListenAddress, (bool, bool)> = BTreeMap::new();
    for (context, server) in servers(tree) {
        let mut listens = false;
        for listen in server.children().iter().filter(|one| one.name == "listen") {
            listens = true;
            let is_udp = listen.arguments.iter().any(|word| word == "udp" || word == "quic");
            for address in of(listen, context)? {
                let kinds = found.entry(address).or_default();
                *kinds = (kinds.0 || !is_udp, kinds.1 || is_udp);
            }
        }
        if !listens && context == BlockContext::Server {
            found.entry(ListenAddress::unnamed()).or_default().0 = true;
        }
    }
    let sockets = found.into_iter();
    Ok(sockets.map(|(address, (tcp, udp))| OpenedSocket { address, tcp, udp }).collect())
}

/// The addresses of every TCP socket; none if a `listen` has too many ports to list.
pub fn tcp_sockets(tree: &Tree) -> Vec<ListenAddress> {
    let all = sockets(tree).unwrap_or_default().into_iter();
    all.filter(|socket| socket.tcp).map(|socket| socket.address).collect()
}

/// The addresses of a `listen`; empty if nginx refuses it.
pub(super) fn of(
    listen: &Directive,
    context: BlockContext,
) -> Result<Vec<ListenAddress>, CopyError> {
    let default = (context == BlockContext::Server).then_some(80);
    match addresses(listen.first(), default) {
        Ok(all) => Ok(all),
        Err(ListenError::Refused(_)) => Ok(Vec::new()),
        Err(ListenError::TooManyPorts) => Err(CopyError::TooManyPorts(listen.span.clone())),
    }
}

/// Every server block with the kind of block it is.
fn servers(tree: &Tree) -> impl Iterator<Item = (BlockContext, &Directive)> {
    [
        ("http", BlockContext::Server),
        ("stream", BlockContext::StreamServer),
        ("mail", BlockContext::MailServer),
    ]
    .into_iter()
    .flat_map(|(module, context)| {
        let servers = tree.blocks(module).flat_map(Directive::children);
        servers.filter(|one| one.name == "server").map(move |one| (context, one))
    })
}
