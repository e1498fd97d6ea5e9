//! Connections that nginx makes for its clients: which they are, and whose request waited for one that failed.

use std::net::{IpAddr, SocketAddr};

use super::configured::Configured;
use super::exchange::{Exchange, ExchangeTransport};
use super::turns::RequestTurns;
use crate::nginx::upstream::{PeerAddress, Upstream, without_port};

/// A client whose handshake succeeded, and its requests.
#[derive(Clone, Debug)]
pub struct AskingClient {
    /// Its address.
    pub client: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// The name that it asked for.
    pub server_name: Option<String>,
    /// Its requests.
    pub turns: RequestTurns,
}

impl Configured {
    /// The directive by which nginx makes that connection; `None` where it is one of a client, or nothing tells. Other
    /// programs connect to the same servers, and mostly with another name.
    pub fn passing(&self, exchange: &Exchange) -> Option<&Upstream> {
        let name = exchange.server_name();
        let is_seen = exchange.hello.is_some();
        let is_own = self.serving(exchange.server, exchange.transport, name.as_deref()).is_some();
        let leads_there = |upstream: &&Upstream| {
            let destination = upstream.destination.as_ref();
            let mut peers = destination.iter().flat_map(|destination| destination.peers.iter());
            (!is_seen || may_ask_for(upstream, name.as_deref()))
                && peers.any(|peer| is_at(&peer.address, exchange.server))
        };
        self.upstreams.iter().find(leads_there).filter(|_| !is_own)
    }

    /// The clients of which a request waited while that connection of nginx was made and failed.
    pub fn waiting<'c>(
        &self,
        failed: &Exchange,
        clients: &'c [AskingClient],
    ) -> Vec<&'c AskingClient> {
        // nginx answers its client as soon as it knows, which may be before the connection is closed.
        let refused = failed.alerts.iter().filter(|alert| alert.fatal).map(|alert| alert.time);
        let ended = refused.chain(failed.end.map(|end| end.time)).min().unwrap_or(failed.opened);
        let waits = |client: &&AskingClient| {
            let mut turns = client.turns.all().iter();
            let waited =
                turns.any(|turn| turn.asked <= failed.opened && turn.answered >= Some(ended));
            let name = client.server_name.as_deref();
            waited && self.serving(client.server, ExchangeTransport::Tcp, name).is_some()
        };
        clients.iter().filter(waits).collect()
    }
}

/// Whether nginx may send this name, or none, to the upstream.
fn may_ask_for(upstream: &Upstream, asked: Option<&str>) -> bool {
    let sent = match &upstream.name {
        _ if !upstream.ssl.sends_name() => None,
        Err(_) => return true,
        // An address is never sent.
        Ok(name) => Some(without_port(name))
            .filter(|name| !name.starts_with('[') && name.parse::<IpAddr>().is_err()),
    };
    match (sent, asked) {
        (Some(sent), Some(asked)) => sent.eq_ignore_ascii_case(asked),
        (sent, asked) => sent.is_none() && asked.is_none(),
    }
}

/// Whether that address of an upstream may be the one of a packet: to what a name resolves is not known.
fn is_at(address: &PeerAddress, server: SocketAddr) -> bool {
    let PeerAddress::Host { host, port } = address else { return false };
    *port == server.port()
        && match host.parse::<IpAddr>() {
            Ok(own) => own == server.ip(),
            Err(_) => !host.eq_ignore_ascii_case("localhost") || server.ip().is_loopback(),
        }
}
