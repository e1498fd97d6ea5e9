//! Resolves names and connects to addresses, within the run's limits. Only this module opens sockets.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UdpSocket, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::byte_stream::ByteStream;
use super::cause::cause;
use super::engine;
use super::stand_ins::{StandIns, unix_address};
use super::{AddressFamily, Deadlines, Limits};
use crate::observation::{Cause, Failure, Stage};
use crate::targets::Host;

/// The most concurrent lookups.
const LOOKUPS: usize = 128;

/// The most threads for lookups: the system may continue one for half a minute after the timeout.
const LOOKUP_THREADS: usize = 1024;

/// Pause between connections that are made one at a time, so that the server notices the end of the last one.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection and its share of the limits, which is released when it is dropped.
#[derive(Debug)]
pub struct Connection {
    /// The connected stream.
    pub stream: ByteStream,
    /// How long the connection took.
    pub took: Duration,
    /// The permits of this connection.
    pub permits: Permits,
}

/// A UDP socket whose datagrams go to one address, and its share of the limits.
#[derive(Debug)]
pub struct DatagramConnection {
    /// The socket, which also receives only what comes from there.
    pub socket: UdpSocket,
    _permits: Permits,
}

/// A connection's share of the limits.
#[derive(Debug)]
pub struct Permits {
    _alone: Option<OwnedSemaphorePermit>,
    _address: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
    _gate: Arc<ConnectionLimits>,
}

/// The limits on connections to one address.
#[derive(Debug)]
struct ConnectionLimits {
    at_once: Arc<Semaphore>,
    /// Held by each connection to an address that accepts only one at a time.
    alone: Arc<Semaphore>,
    /// When the next connection may be opened, where the rate is limited.
    next: Mutex<Instant>,
}

impl ConnectionLimits {
    /// Returns the next turn, `interval` after the previous one.
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
    stand_ins: StandIns,
    /// The paths of unix sockets, by the addresses that stand for them.
    unix: Mutex<HashMap<SocketAddr, String>>,
    overall: Arc<Semaphore>,
    addresses: Mutex<HashMap<SocketAddr, Weak<ConnectionLimits>>>,
    /// Addresses that accept only one connection at a time.
    slow: Mutex<HashSet<SocketAddr>>,
    /// Permits for lookups with a waiting caller.
    lookups: Arc<Semaphore>,
    /// Permits for threads with a lookup, including those without a waiting caller.
    threads: Arc<Semaphore>,
}

impl Connector {
    /// A connector with these limits.
    pub fn new(limits: Limits, stand_ins: StandIns) -> Self {
        Self {
            limits,
            stand_ins,
            unix: Mutex::default(),
            overall: Arc::new(Semaphore::new(limits.connections.max(1))),
            addresses: Mutex::new(HashMap::new()),
            slow: Mutex::default(),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            threads: Arc::new(Semaphore::new(LOOKUP_THREADS)),
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

    /// The addresses of a host without duplicates, in the order of `getaddrinfo`, which nginx also uses when it starts.
    pub async fn resolve(&self, host: &Host, port: u16) -> Result<Vec<IpAddr>, Failure> {
        let name = match host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name.as_str(),
        };
        if let Some(address) = self.stand_ins.address(name, port) {
            return Ok(vec![address]);
        }
        if let Some(path) = host.unix_path() {
            return self.stand_for(path).map(|ip| vec![ip]);
        }
        let mut addresses = Vec::new();
        let found = self.look_up(name, port).await.map_err(dns_failure)?;
        for ip in found.into_iter().filter(|ip| self.is_wanted(*ip)) {
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        if addresses.is_empty() {
            return Err(dns_failure(Cause::DnsFailure(
                "no address of the requested family".to_owned(),
            )));
        }
        Ok(addresses)
    }

    /// The address that stands for a unix socket. It depends on the path, so that it is the same in every run.
    fn stand_for(&self, path: &str) -> Result<IpAddr, Failure> {
        let mut known = self.unix.lock().unwrap_or_else(PoisonError::into_inner);
        // FNV-1a.
        let hash = path
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [_, _, high, low] = hash.to_be_bytes();
        let first = u16::from_be_bytes([high, low]);
        for number in (0..=u16::MAX).map(|more| first.wrapping_add(more)) {
            let ip = unix_address(number.into());
            let held = known.entry(SocketAddr::new(ip, 0)).or_insert_with(|| path.to_owned());
            if held == path {
                return Ok(ip);
            }
        }
        Err(dns_failure(Cause::Local("too many unix sockets".to_owned())))
    }

    /// The path of the unix socket that an address stands for.
    fn unix_path(&self, address: SocketAddr) -> Option<String> {
        self.unix.lock().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }

    /// Asks the system in a separate thread, which an unresponsive resolver may block long after the deadline. The
    /// deadline starts with the lookup, so slow names do not use up the time of others.
    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<IpAddr>, Cause> {
        let _turn = acquire(Arc::clone(&self.lookups)).await;
        let thread = acquire(Arc::clone(&self.threads)).await;
        let name = name.to_owned();
        let answer = engine::in_thread(move || {
            let found = (name.as_str(), port).to_socket_addrs();
            drop(thread);
            found.map(|found| found.map(|address| address.ip()).collect())
        })
        .map_err(|error| Cause::Local(error.to_string()))?;
        match timeout(self.limits.deadlines.dns, answer).await {
            Err(_) => Err(Cause::TimedOut),
            Ok(Err(_)) => Err(Cause::Local("the lookup returned no answer".to_owned())),
            Ok(Ok(found)) => found.map_err(|error| Cause::DnsFailure(error.to_string())),
        }
    }

    /// Allows only one connection at a time to that address for the rest of the run.
    pub fn slow_down(&self, address: SocketAddr) {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    fn is_slow(&self, address: SocketAddr) -> bool {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    fn is_wanted(&self, ip: IpAddr) -> bool {
        match self.limits.family {
            AddressFamily::Any => true,
            AddressFamily::V4 => ip.is_ipv4(),
            AddressFamily::V6 => ip.is_ipv6(),
        }
    }

    /// Connects; waiting for a share of the limits does not count towards `deadline`.
    pub async fn connect(
        &self,
        address: SocketAddr,
        deadline: Duration,
    ) -> Result<Connection, Failure> {
        let permits = self.permits(address).await;
        let started = Instant::now();
        let unix = self.unix_path(address);
        let is_unix = unix.is_some();
        let stream = match timeout(deadline, self.stream(address, unix)).await {
            Err(_) => return Err(connect_failure(Cause::TimedOut)),
            // Without the file nothing listens, just as without the process that made it.
            Ok(Err(error)) if is_unix && error.kind() == io::ErrorKind::NotFound => {
                return Err(connect_failure(Cause::ConnectionRefused));
            }
            Ok(Err(error)) => return Err(connect_failure(cause(&error))),
            Ok(Ok(stream)) => stream,
        };
        Ok(Connection { stream, took: started.elapsed(), permits })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that opens sockets")]
    async fn stream(&self, address: SocketAddr, unix: Option<String>) -> io::Result<ByteStream> {
        if let Some(path) = unix {
            return UnixStream::connect(path).await.map(ByteStream::Unix);
        }
        let stream = TcpStream::connect(self.stand_ins.of(address)).await?;
        // A handshake consists of small writes that each wait for an answer. An error here only costs time.
        let _ = stream.set_nodelay(true);
        Ok(ByteStream::Tcp(stream))
    }

    /// A socket for datagrams to an address, within the same limits.
    pub async fn connect_datagrams(
        &self,
        address: SocketAddr,
    ) -> Result<DatagramConnection, Failure> {
        let permits = self.permits(address).await;
        let there = self.stand_ins.of(address);
        let any: IpAddr = match there {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let failed = |error: io::Error| connect_failure(cause(&error));
        #[expect(clippy::disallowed_methods, reason = "this is the one place that opens sockets")]
        let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
        socket.connect(there).await.map_err(failed)?;
        Ok(DatagramConnection { socket, _permits: permits })
    }

    async fn permits(&self, address: SocketAddr) -> Permits {
        let gate = self.gate(address);
        let of_address = acquire(Arc::clone(&gate.at_once)).await;
        let slow = self.is_slow(address);
        let alone = if slow { Some(acquire(Arc::clone(&gate.alone)).await) } else { None };
        let rated = self.limits.rate.map(|rate| Duration::from_secs(1) / rate.get());
        if let Some(interval) = rated.max(slow.then_some(PAUSE)) {
            tokio::time::sleep_until(gate.turn(interval).into()).await;
        }
        let overall = acquire(Arc::clone(&self.overall)).await;
        Permits { _alone: alone, _address: of_address, _overall: overall, _gate: gate }
    }

    /// The limits of an address, kept while a connection to it is open or requested.
    fn gate(&self, address: SocketAddr) -> Arc<ConnectionLimits> {
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = known.get(&address).and_then(Weak::upgrade) {
            return gate;
        }
        if known.len() >= 2 * self.limits.connections {
            known.retain(|_, gate| gate.strong_count() > 0);
        }
        let gate = Arc::new(ConnectionLimits {
            at_once: Arc::new(Semaphore::new(self.limits.per_address.max(1))),
            alone: Arc::new(Semaphore::new(1)),
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
