//! Names to addresses, addresses to connections: the only place that opens sockets, within the run's limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Deadlines, Family, Limits};
use crate::observation::{Cause, Failure, Stage};
use crate::targets::Host;

/// A TCP connection and its share of the limits, given back when it is dropped.
#[derive(Debug)]
pub struct Connection {
    /// The connected stream.
    pub stream: TcpStream,
    /// How long the connection took.
    pub took: Duration,
    /// The permits that this connection holds.
    pub permits: Permits,
}

/// A connection's share of the limits.
#[derive(Debug)]
pub struct Permits {
    _address: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
    _gate: Arc<Gate>,
}

/// What every connection to one address passes.
#[derive(Debug)]
struct Gate {
    at_once: Arc<Semaphore>,
    /// When the next connection may be opened, where the rate is limited.
    next: Mutex<Instant>,
}

impl Gate {
    /// Takes the next turn, `interval` behind the one before it.
    fn turn(&self, interval: Duration) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(Instant::now());
        *next = turn + interval;
        turn
    }
}

/// Opens connections within the limits of the run.
#[derive(Debug)]
pub struct Connector {
    limits: Limits,
    overall: Arc<Semaphore>,
    addresses: Mutex<HashMap<SocketAddr, Weak<Gate>>>,
}

impl Connector {
    /// A connector within these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            overall: Arc::new(Semaphore::new(limits.connections.max(1))),
            addresses: Mutex::new(HashMap::new()),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The run's deadlines.
    pub fn deadlines(&self) -> &Deadlines {
        &self.limits.deadlines
    }

    /// The addresses of a host, each once, in the resolver's order, as `getaddrinfo` gives them (and so as nginx sees
    /// them when it starts).
    pub async fn resolve(&self, host: &Host, port: u16) -> Result<Vec<IpAddr>, Failure> {
        let name = match host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name.as_str(),
        };
        let found = match timeout(self.limits.deadlines.dns, lookup_host((name, port))).await {
            Err(_) => return Err(dns_failure(Cause::TimedOut)),
            Ok(Err(error)) => return Err(dns_failure(Cause::DnsFailure(error.to_string()))),
            Ok(Ok(found)) => found,
        };
        let mut addresses = Vec::new();
        for ip in found.map(|address| address.ip()).filter(|ip| self.is_wanted(*ip)) {
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        if addresses.is_empty() {
            return Err(dns_failure(Cause::DnsFailure(
                "no address of the wanted family".to_owned(),
            )));
        }
        Ok(addresses)
    }

    fn is_wanted(&self, ip: IpAddr) -> bool {
        match self.limits.family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }

    /// Connects; waiting for a share of the limits does not count against `deadline`.
    pub async fn connect(
        &self,
        address: SocketAddr,
        deadline: Duration,
    ) -> Result<Connection, Failure> {
        let permits = self.permits(address).await;
        let started = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "this is the one place that opens sockets")]
        let attempt = TcpStream::connect(address);
        let stream = match timeout(deadline, attempt).await {
            Err(_) => return Err(connect_failure(Cause::TimedOut)),
            Ok(Err(error)) => return Err(connect_failure(connect_cause(&error))),
            Ok(Ok(stream)) => stream,
        };
        // A handshake is a few small writes that each wait for an answer. Failing to say so costs only time.
        let _ = stream.set_nodelay(true);
        Ok(Connection { stream, took: started.elapsed(), permits })
    }

    async fn permits(&self, address: SocketAddr) -> Permits {
        let gate = self.gate(address);
        let of_address = acquire(Arc::clone(&gate.at_once)).await;
        if let Some(rate) = self.limits.rate {
            let interval = Duration::from_secs(1) / rate.get();
            tokio::time::sleep_until(gate.turn(interval).into()).await;
        }
        let overall = acquire(Arc::clone(&self.overall)).await;
        Permits { _address: of_address, _overall: overall, _gate: gate }
    }

    /// The gate of an address, kept as long as a connection to it is open or wanted.
    fn gate(&self, address: SocketAddr) -> Arc<Gate> {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = known.get(&address).and_then(Weak::upgrade) {
            return gate;
        }
        if known.len() >= 2 * self.limits.connections {
            known.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(Gate {
            at_once: Arc::new(Semaphore::new(self.limits.per_address.max(1))),
            next: Mutex::new(Instant::now()),
        });
        known.insert(address, Arc::downgrade(&gate));
        gate
    }
}

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.acquire_owned().await.expect("the semaphores of a run are never closed")
}

fn dns_failure(cause: Cause) -> Failure {
    Failure { stage: Stage::Dns, cause }
}

fn connect_failure(cause: Cause) -> Failure {
    Failure { stage: Stage::Connect, cause }
}

fn connect_cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
        io::ErrorKind::TimedOut => Cause::TimedOut,
        io::ErrorKind::ConnectionReset => Cause::Reset,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Cause::Unreachable(error.to_string()),
        _ => Cause::Local(error.to_string()),
    }
}
