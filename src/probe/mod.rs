//! Probing: the only module with sockets and tasks. Its result is an [`Observation`].
//!
//! [`plan`] determines the handshakes, [`connect`] opens the sockets, [`complete`] makes full handshakes, [`raw`] sends
//! single hellos if one fails, and [`scan`] sends many of them. Nothing here judges.

pub mod as_nginx;
mod browser;
pub mod byte_stream;
mod cause;
pub mod complete;
mod confirm;
pub mod connect;
pub mod engine;
pub mod fetch;
pub mod follow_up;
mod in_plain;
mod offer;
pub mod plain;
pub mod plan;
mod quic;
pub mod raw;
pub mod recorder;
pub mod scan;
mod served;
mod session_clock;
mod sessions;
pub mod stand_ins;
pub mod starttls;
mod steady;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use futures::future::{join, join_all};
use tokio::sync::mpsc;

use self::complete::{Caller, Handshaker};
use self::connect::Connector;
use self::fetch::FetchError;
use self::plan::Cell;
use self::scan::Depth;
use self::stand_ins::StandIns;
use crate::observation::scan::SizedHello;
use crate::observation::{
    Addresses, Cause, ClientAuth, Endpoint, Failure, Handshake, Observation, PlainProtocol,
    RawHello, Untried,
};
use crate::targets::{Host, Target};
use crate::tls::group::NamedGroup;
use crate::tls::version::ProtocolVersion;

/// How long each stage may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Looking up the name.
    pub dns: Duration,
    /// The TCP connection.
    pub connect: Duration,
    /// The plain-text dialogue before TLS.
    pub starttls: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// Each read after the handshake.
    pub read: Duration,
}

/// Which address families are audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// Both.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Connections at once to one address and port, unless a run asks for another number (stated in `docs/traffic.md`).
pub const CONNECTIONS_PER_ADDRESS: usize = 4;

/// How much load a run may put on the network.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long each stage may take.
    pub deadlines: Deadlines,
    /// Concurrent connections, overall.
    pub connections: usize,
    /// Concurrent connections to one address and port.
    pub per_address: usize,
    /// The most new connections per second to one address and port.
    pub rate: Option<NonZeroU32>,
    /// Which addresses of a name are audited.
    pub family: AddressFamily,
}

impl Limits {
    /// Concurrent targets: each opens up to `per_address` connections, and more targets would only wait.
    pub fn targets_at_once(&self) -> usize {
        self.connections.div_ceil(self.per_address.max(1)).max(1)
    }
}

/// The most addresses of one name that are audited.
const MAX_ADDRESSES: usize = 32;

/// Makes observations. A run uses one prober, which has the limits and what connections share.
#[derive(Debug)]
pub struct Prober {
    connector: Connector,
    handshaker: Handshaker,
}

impl Prober {
    /// A prober within these limits.
    pub fn new(limits: Limits) -> Self {
        Self::with_stand_ins(limits, StandIns::default())
    }

    /// A prober that connects to other sockets instead of the targets' own.
    pub fn with_stand_ins(limits: Limits, stand_ins: StandIns) -> Self {
        Self { connector: Connector::new(limits, stand_ins), handshaker: Handshaker::new() }
    }

    /// Fetches the contents of an `http://` URL; private networks only if `private` allows them.
    pub async fn fetch(&self, url: &str, private: bool) -> Result<Vec<u8>, FetchError> {
        fetch::fetch(&self.connector, url, private).await
    }

    /// The limits of every connection.
    pub fn limits(&self) -> &Limits {
        self.connector.limits()
    }

    /// The addresses of a host, within the deadline of a lookup.
    pub async fn resolve(&self, host: &Host) -> Result<Vec<IpAddr>, Failure> {
        self.connector.resolve(host, 0).await
    }

    /// Probes every address of one target, to the given depth.
    pub async fn observe(&self, target: &Target, depth: &Depth) -> Observation {
        let Some((host, port)) = target.endpoint() else {
            return Observation::not_tried(Untried::TextOnly);
        };
        let addresses = match self.connector.resolve(host, port).await {
            Ok(addresses) => addresses,
            Err(failure) => {
                let addresses = Addresses::Failed(failure);
                return Observation { addresses, endpoints: Vec::new() };
            }
        };
        let audited = addresses.iter().take(MAX_ADDRESSES);
        let probes = audited.map(|ip| self.endpoint(target, SocketAddr::new(*ip, port), depth));
        let endpoints = join_all(probes).await;
        Observation { addresses: Addresses::Found(addresses), endpoints }
    }

    async fn endpoint(&self, target: &Target, address: SocketAddr, depth: &Depth) -> Endpoint {
        if let Some(client) = target.nginx.as_ref().filter(|client| client.plain.is_some()) {
            let mut endpoint = Endpoint::new(address, Vec::new());
            endpoint.nginx.push(self.as_nginx(target, address, client, Vec::new()).await);
            return endpoint;
        }
        if target.quic {
            return self.quic_endpoint(target, address).await;
        }
        let caller = self.handshaker.caller(&self.connector, target, address);
        let cells = plan::matrix(target);
        let (handshakes, greeting) = first_contact(&caller, target, &cells).await;
        let mut endpoint = Endpoint::new(address, handshakes);
        steady::settle(&caller, &cells, &mut endpoint).await;
        if !plan::counts_errors(target) {
            steady::recheck(&caller, &cells, &mut endpoint).await;
        }
        explain_failures(&caller, target, &mut endpoint).await;
        let more = self.try_without_alpn(target, &mut endpoint).await;
        if !plan::counts_errors(target) {
            endpoint.browser = browser::ask(&caller, target, &endpoint, greeting).await;
        }
        if plan::counts_errors(target) && depth.is_costly(target) {
            endpoint.scan_withheld = true;
        } else {
            scan::deepen(&caller, target, depth, &mut endpoint).await;
        }
        endpoint.connections = caller.opened() + more;
        if let Some(client) = &target.nginx {
            let attempt = self.as_nginx(target, address, client, Vec::new()).await;
            endpoint.nginx.push(attempt);
        }
        endpoint
    }
}

impl Prober {
    /// Makes the target's own handshakes that were refused again, without the application protocols that it should
    /// select: a server without a common one may answer in any way. Returns the number of connections.
    async fn try_without_alpn(&self, target: &Target, endpoint: &mut Endpoint) -> u32 {
        let named = target.server_name.is_some();
        let refused = endpoint.cells(named).filter(|cell| is_unexplained(cell)).map(Cell::of);
        let refused: Vec<Cell> = refused.collect();
        if target.expect.alpn.is_empty() || plan::counts_errors(target) || refused.is_empty() {
            return 0;
        }
        let mut target = target.clone();
        target.expect.alpn.clear();
        let caller = self.handshaker.caller(&self.connector, &target, endpoint.address);
        endpoint.without_alpn = join_all(refused.into_iter().map(|cell| caller.cell(cell))).await;
        caller.opened()
    }
}

/// Makes the handshakes of the plan, and meanwhile, as soon as one of them was established, sends a browser's hello.
async fn first_contact(
    caller: &Caller<'_>,
    target: &Target,
    cells: &[Cell],
) -> (Vec<Handshake>, Option<SizedHello>) {
    let (tell, mut established) = mpsc::channel(cells.len().max(1));
    let handshakes = cells.iter().map(move |cell| {
        let tell = tell.clone();
        async move {
            let handshake = caller.cell(cell.clone()).await;
            if handshake.established() {
                // It has room for a message of each handshake.
                let _ = tell.try_send(());
            }
            handshake
        }
    });
    let browser = async {
        // Without a message, none was established.
        established.recv().await.filter(|()| !plan::counts_errors(target))?;
        browser::greet(caller, target).await
    };
    join(join_all(handshakes), browser).await
}

/// A failure of the complete engine may be a limit of rustls; a raw hello of the same shape shows whether it is. Older
/// versions are offered if no cell succeeded, or if the operator specified the allowed versions.
async fn explain_failures(caller: &Caller<'_>, target: &Target, endpoint: &mut Endpoint) {
    let mut hellos: Vec<Cell> =
        endpoint.handshakes.iter().filter(|cell| is_unexplained(cell)).map(Cell::of).collect();
    let established = endpoint.handshakes.iter().any(Handshake::established);
    let versions_matter = established && target.expect.protocols.is_some();
    if versions_matter || (!established && !hellos.is_empty()) {
        hellos.extend(plan::legacy(target));
    }
    if plan::counts_errors(target) {
        // One hello is enough to distinguish an old server from a broken one, and each counts as an error.
        hellos.truncate(usize::from(!established));
    }
    let Some((first, others)) = hellos.split_first() else { return };
    let opening = caller.raw_hello(first).await;
    if let Some(protocol) = plain_protocol(&opening) {
        return endpoint.handshakes.iter_mut().for_each(|cell| speaks_plain(cell, &protocol));
    }
    endpoint.raw = vec![opening];
    endpoint.raw.extend(join_all(others.iter().map(|cell| caller.raw_hello(cell))).await);
    if groups_in_doubt(target, endpoint) {
        let name = target.server_name.as_deref();
        endpoint.classic_groups = Some(caller.with_classic_groups(name).await);
    }
}

/// Whether TLS 1.2 may refuse ECDHE only because the server's groups include none that TLS 1.2 can use.
fn groups_in_doubt(target: &Target, endpoint: &Endpoint) -> bool {
    let named = target.server_name.is_some();
    let newest = endpoint.cell(named, ProtocolVersion::TLS1_3).and_then(Handshake::session);
    let post_quantum =
        newest.and_then(|session| session.group).is_some_and(NamedGroup::is_post_quantum);
    post_quantum && endpoint.cell(named, ProtocolVersion::TLS1_2).is_some_and(is_unexplained)
}

/// Whether the peer answered in a way that the complete engine cannot explain.
fn is_unexplained(cell: &Handshake) -> bool {
    let answered = matches!(
        cell.failure().map(|failure| &failure.cause),
        Some(
            Cause::Alert(_)
                | Cause::Closed
                | Cause::Reset
                | Cause::Incompatible(_)
                | Cause::ProtocolError(_)
        )
    );
    answered
        && cell
            .failure()
            .is_some_and(|failure| failure.stage == crate::observation::Stage::Handshake)
        && cell.client_auth == ClientAuth::NotRequested
}

fn plain_protocol(hello: &RawHello) -> Option<PlainProtocol> {
    match &hello.outcome {
        Err(failure) => match &failure.cause {
            Cause::NotTls(protocol) => Some(protocol.clone()),
            _ => None,
        },
        Ok(_) => None,
    }
}

fn speaks_plain(cell: &mut Handshake, protocol: &PlainProtocol) {
    if let Err(failure) = &mut cell.outcome {
        failure.cause = Cause::NotTls(protocol.clone());
    }
}
