//! Groups the servers of a configuration by their sockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::listen::Listen;
use super::names::claim;
use super::settings::{at_socket, settings};
use super::{Http2Offer, ListenAddress, Listener, MailStartTls, Protocol, Server};
use crate::nginx::inherit::Scope;
use crate::nginx::server_name::server_names;
use crate::nginx::tree::{Directive, Tree};
use crate::nginx::variable::Definitions;

/// Every TLS socket, in the order of the configuration.
///
/// The parameters of a `listen` apply to all servers that share the socket.
pub fn listeners(tree: &Tree) -> Vec<Listener> {
    let root = Scope::root(tree);
    let mut found = Vec::new();
    for module in ["http", "stream", "mail"] {
        let mut sockets = ModuleSockets::default();
        for block in tree.blocks(module) {
            let scope = root.enter(block);
            let definitions = Definitions::read(&scope);
            for block in block.children().iter().filter(|one| one.name == "server") {
                sockets.server(tree, &scope.enter(block), &definitions);
            }
        }
        found.extend(sockets.all.into_iter().filter_map(CollectedSocket::finish));
    }
    found
}

/// The most servers, counted once for each of their sockets.
const MAX_MEMBERS: usize = 200_000;

/// The sockets of one module, by address and by QUIC.
#[derive(Default)]
struct ModuleSockets {
    all: Vec<CollectedSocket>,
    known: HashMap<(ListenAddress, bool), usize, RandomState>,
    /// The total number of servers on all sockets.
    members: usize,
}

/// A socket whose servers are being collected.
struct CollectedSocket {
    listener: Listener,
    ssl: bool,
    has_default: bool,
    /// Each server's settings of TLS and HTTP/2.
    said: Vec<ServerFlags>,
}

/// A server's settings of TLS and HTTP/2 on a socket.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of the configuration")]
struct ServerFlags {
    /// `ssl` in its `listen`.
    listen_ssl: bool,
    /// `ssl on`.
    ssl: bool,
    /// `http2 on`.
    http2: bool,
    /// Whether its block contains `ssl_*` settings.
    has_settings: bool,
}

impl ModuleSockets {
    fn server<'t>(&mut self, tree: &Tree, scope: &Scope<'t>, definitions: &Definitions<'t>) {
        let Some(block) = scope.block() else { return };
        let protocol = protocol(scope);
        let listens = scope.own("listen").iter();
        let listens: Vec<Listen<'_>> =
            listens.filter_map(|one| Listen::read(one, protocol)).collect();
        let starttls = starttls(scope);
        let on = |name: &str| scope.flag(name).is_some_and(|set| set.value);
        let has_settings = block.children().iter().any(|one| one.name.starts_with("ssl_"));
        let said =
            ServerFlags { listen_ssl: false, ssl: on("ssl"), http2: on("http2"), has_settings };
        let (names, ssl): (Arc<[_]>, _) =
            (server_names(scope).into(), Arc::new(settings(tree, scope)));
        let server = |listen: &Listen<'_>, address: &ListenAddress| Server {
            span: block.span.clone(),
            listen: listen.directive.span.clone(),
            names: Arc::clone(&names),
            taken: BTreeMap::new(),
            plain_beside: None,
            ssl: at_socket(&ssl, (tree, scope), definitions, address)
                .map_or_else(|| Arc::clone(&ssl), Arc::new),
        };
        for listen in &listens {
            for address in &listen.addresses {
                if self.members == MAX_MEMBERS {
                    return;
                }
                self.members += 1;
                let socket = self.socket(address, listen, (protocol, starttls));
                socket.add(listen, server(listen, address), said);
            }
        }
    }

    fn socket(
        &mut self,
        address: &ListenAddress,
        listen: &Listen<'_>,
        (protocol, starttls): (Protocol, MailStartTls),
    ) -> &mut CollectedSocket {
        let quic = listen.has("quic");
        let sockets = &mut self.all;
        let at = *self.known.entry((address.clone(), quic)).or_insert_with(|| {
            sockets.push(CollectedSocket::new(Listener {
                protocol,
                address: address.clone(),
                starttls,
                proxy_protocol: false,
                http2: Http2Offer::Nobody,
                quic,
                servers: Vec::new(),
                default: 0,
            }));
            sockets.len() - 1
        });
        &mut self.all[at]
    }
}

impl CollectedSocket {
    fn new(listener: Listener) -> Self {
        Self { ssl: listener.quic, listener, has_default: false, said: Vec::new() }
    }

    fn add(&mut self, listen: &Listen<'_>, server: Server, said: ServerFlags) {
        let listener = &mut self.listener;
        self.ssl |= listen.has("ssl");
        listener.proxy_protocol |= listen.has("proxy_protocol");
        if listen.has("http2") || listen.has("spdy") {
            listener.http2 = Http2Offer::Default;
        }
        if listen.is_default() && !self.has_default {
            listener.default = listener.servers.len();
            self.has_default = true;
        }
        listener.servers.push(server);
        self.said.push(ServerFlags { listen_ssl: listen.has("ssl"), ..said });
    }

    /// Marks the servers that were meant to be plain.
    fn mark_plain(&mut self) {
        let listener = &mut self.listener;
        let first = self.said.iter().position(|said| said.listen_ssl);
        let Some(first) = first.filter(|_| listener.protocol == Protocol::Http) else { return };
        let tls = listener.servers[first].listen.clone();
        for (server, said) in listener.servers.iter_mut().zip(&self.said) {
            let means_tls = said.listen_ssl || said.ssl || said.has_settings;
            if !means_tls && !server.has_certificate() && !server.ssl.rejects() {
                server.plain_beside = Some(tls.clone());
            }
        }
    }

    /// The listener, if the socket uses TLS.
    fn finish(mut self) -> Option<Listener> {
        self.mark_plain();
        let mut listener = self.listener;
        claim(&mut listener.servers);
        let default = self.said.get(listener.default).copied().unwrap_or_default();
        listener.http2 = match listener.http2 {
            Http2Offer::Default => Http2Offer::Default,
            _ if default.http2 => Http2Offer::Default,
            _ if self.said.iter().any(|said| said.http2) => Http2Offer::ByName,
            offer => offer,
        };
        let tls = self.ssl || default.ssl;
        if tls {
            // If a socket starts with TLS, STARTTLS does not apply.
            listener.starttls = MailStartTls::Off;
        }
        (tls || listener.starttls != MailStartTls::Off).then_some(listener)
    }
}

/// The protocol of a server; if a mail server does not set it, the port determines it (`ngx_mail_core_listen`).
fn protocol(server: &Scope<'_>) -> Protocol {
    let module = server.outer().and_then(Scope::block).map(|block| block.name.as_str());
    match module {
        Some("http") => return Protocol::Http,
        Some("stream") => return Protocol::Stream,
        _ => {}
    }
    let named = server.own("protocol").first().map(|one| one.first());
    match named {
        Some("imap") => Protocol::Imap,
        Some("pop3") => Protocol::Pop3,
        Some(_) => Protocol::Smtp,
        None => mail_protocol(server.own("listen").iter().copied()).unwrap_or(Protocol::Smtp),
    }
}

/// The protocol that the ports of a mail server imply.
pub(in crate::nginx) fn mail_protocol<'d>(
    mut listens: impl Iterator<Item = &'d Directive>,
) -> Option<Protocol> {
    listens.find_map(|one| match one.first().rsplit(':').next()? {
        "143" | "993" => Some(Protocol::Imap),
        "110" | "995" => Some(Protocol::Pop3),
        "25" | "465" | "587" => Some(Protocol::Smtp),
        _ => None,
    })
}

fn starttls(server: &Scope<'_>) -> MailStartTls {
    match server.scalar("starttls").as_ref().map(|set| set.value.as_str()) {
        Some("on") => MailStartTls::On,
        Some("only") => MailStartTls::Only,
        _ => MailStartTls::Off,
    }
}
