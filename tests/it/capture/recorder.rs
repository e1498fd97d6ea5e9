//! A relay that records what passes, so that a capture of real peers can be written without the right to capture.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What one side did.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// It sent this.
    Data(Vec<u8>),
    /// It closed its direction.
    Fin,
    /// It broke the connection off.
    Reset,
}

/// Something that one side did, and how much of the other's bytes it had by then.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) by_client: bool,
    pub(super) event: Event,
    /// Microseconds since the relay began.
    pub(super) time: u64,
}

type Shared = Arc<Mutex<Vec<Happened>>>;

/// A relay in front of a server on loopback.
pub(super) struct Recorder {
    pub(super) port: u16,
    connections: Arc<Mutex<Vec<Shared>>>,
}

impl Recorder {
    /// Stands in front of the server on that port.
    pub(super) fn before(port: u16) -> Self {
        Self::since(Instant::now(), port)
    }

    /// The same with times since then.
    pub(super) fn since(start: Instant, port: u16) -> Self {
        Self::to((Ipv4Addr::LOCALHOST, port).into(), start)
    }

    /// Stands in front of the server at that address.
    pub(super) fn to(server: SocketAddr, start: Instant) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let connections: Arc<Mutex<Vec<Shared>>> = Arc::default();
        let known = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { return };
                let shared = Shared::default();
                known.lock().unwrap().push(Arc::clone(&shared));
                let there = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let log = Arc::clone(&shared);
                thread::spawn(move || relay(there.0, there.1, true, &log, start));
                thread::spawn(move || relay(server, client, false, &shared, start));
            }
        });
        Self { port: own, connections }
    }

    /// Every connection so far, once `count` of them have ended.
    pub(super) fn connections(&self, count: usize) -> Vec<Vec<Happened>> {
        let over = |log: &Shared| {
            let log = log.lock().unwrap();
            let ended = |by: bool| {
                log.iter().any(|it| it.by_client == by && !matches!(it.event, Event::Data(_)))
            };
            ended(true) && ended(false)
        };
        for _ in 0..500 {
            let known = self.connections.lock().unwrap();
            if known.iter().filter(|log| over(log)).count() >= count {
                break;
            }
            drop(known);
            thread::sleep(Duration::from_millis(20));
        }
        self.connections.lock().unwrap().iter().map(|log| log.lock().unwrap().clone()).collect()
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, by_client: bool, log: &Shared, start: Instant) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer);
        let event = match &read {
            Ok(0) => Event::Fin,
            Ok(count) => Event::Data(buffer[..*count].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => Event::Reset,
        };
        let over = !matches!(event, Event::Data(_));
        let time = u64::try_from(start.elapsed().as_micros()).unwrap();
        log.lock().unwrap().push(Happened { by_client, event, time });
        if over {
            let _ = to.shutdown(if read.is_ok() { Shutdown::Write } else { Shutdown::Both });
            return;
        }
        let count = read.unwrap();
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
