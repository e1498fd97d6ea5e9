//! Hosts whose TLS connections a controller passes on: its clients meet the backends.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::lines::whole;
use crate::nginx::inherit::Set;
use crate::nginx::listener::{
    Http2Offer, ListenAddress, Listener, MailStartTls, Protocol, Server, ServerName, ServerSsl,
};

/// One such host at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PassedHost {
    pub(super) place: String,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) host: String,
}

/// The sockets; a name that no route has leads nowhere.
pub(super) fn listeners(passed: &[PassedHost]) -> Vec<Listener> {
    let mut sockets: BTreeMap<(&str, u16), Vec<Server>> = BTreeMap::new();
    for one in passed {
        let servers = sockets.entry((&one.address, one.port)).or_default();
        servers.push(server(one));
    }
    sockets.into_iter().map(|((host, port), servers)| listener(host, port, servers)).collect()
}

fn listener(host: &str, port: u16, mut servers: Vec<Server>) -> Listener {
    let nowhere = Server {
        names: Arc::new([]),
        ssl: Arc::new(ServerSsl {
            reject_handshake: Some(Set::given(true)),
            ..ServerSsl::default()
        }),
        ..servers[0].clone()
    };
    servers.insert(0, nowhere);
    let address = match host.parse::<IpAddr>() {
        Ok(ip) => ListenAddress::Ip(SocketAddr::new(ip, port)),
        Err(_) => ListenAddress::Name { host: host.to_owned(), port },
    };
    Listener {
        protocol: Protocol::Stream,
        address,
        starttls: MailStartTls::Off,
        proxy_protocol: false,
        http2: Http2Offer::Nobody,
        quic: false,
        servers,
        default: 0,
    }
}

fn server(one: &PassedHost) -> Server {
    let host = one.host.to_ascii_lowercase();
    let value = match host.strip_prefix('*') {
        Some(suffix) => ServerName::Leading(suffix.to_owned()),
        None => ServerName::Exact(host),
    };
    let span = whole(&one.place);
    Server {
        span: span.clone(),
        listen: span.clone(),
        names: Arc::new([Set { value, span }]),
        taken: BTreeMap::new(),
        plain_beside: None,
        ssl: Arc::new(ServerSsl::default()),
    }
}
