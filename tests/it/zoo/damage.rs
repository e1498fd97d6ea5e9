//! Proxies that damage the flight of a healthy server at one byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::script::reset;
use crate::support::server::scripted;

/// What happens at the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The connection is closed before it.
    Close,
    /// The connection is reset before it.
    Reset,
    /// Neither it nor anything behind it is sent.
    Stall,
    /// One of its bits is changed.
    Flip,
    /// Other bytes stand before it.
    Garbage,
    /// It is missing.
    Skip,
    /// It is sent twice.
    Repeat,
    /// It and everything behind it is zero.
    Zeros,
}

impl Damage {
    pub(super) const ALL: [Self; 8] = [
        Self::Close,
        Self::Reset,
        Self::Stall,
        Self::Flip,
        Self::Garbage,
        Self::Skip,
        Self::Repeat,
        Self::Zeros,
    ];

    /// What is sent instead of these bytes; `None` if the connection ends.
    fn instead_of(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (first, rest) = bytes.split_first()?;
        match self {
            Self::Close | Self::Reset | Self::Stall => None,
            Self::Flip => Some([&[first ^ 1], rest].concat()),
            Self::Garbage => Some([&[0xa5; 64], bytes].concat()),
            Self::Skip => Some(rest.to_vec()),
            Self::Repeat => Some([&[*first], bytes].concat()),
            Self::Zeros => Some(vec![0; bytes.len()]),
        }
    }
}

/// A proxy for a server whose flight it damages at this byte.
pub(super) fn damaged(server: SocketAddr, at: usize, damage: Damage) -> SocketAddr {
    scripted(move |client| {
        let _ = TcpStream::connect(server).and_then(|server| spoil(client, server, at, damage));
    })
}

fn spoil(
    mut client: TcpStream,
    mut server: TcpStream,
    at: usize,
    damage: Damage,
) -> io::Result<()> {
    let up = passes(client.try_clone()?, server.try_clone()?);
    let (mut seen, mut sent) = (Vec::new(), 0);
    let mut buffer = [0; 4096];
    let place = loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        seen.extend(&buffer[..count]);
        let place = if damage == Damage::Flip { behind_version(&seen, at) } else { at };
        client.write_all(&seen[sent..place.min(seen.len())])?;
        sent = place.min(seen.len());
        if seen.len() > place {
            break place;
        }
    };
    match damage.instead_of(&seen[place..]) {
        Some(bytes) => client.write_all(&bytes)?,
        None if damage == Damage::Reset => {
            reset(client);
            return Ok(());
        }
        None => {
            if damage == Damage::Close {
                client.shutdown(Shutdown::Write)?;
            }
            let _ = up.join();
            return Ok(());
        }
    }
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Write);
        }
        if damage == Damage::Zeros {
            buffer.fill(0);
        }
        client.write_all(&buffer[..count])?;
    }
}

/// The version in a record's header is read by nobody: the byte behind it, if this byte is part of it.
fn behind_version(bytes: &[u8], at: usize) -> usize {
    let mut header = 0;
    while let Some(&[high, low]) = bytes.get(header + 3..header + 5) {
        let next = header + 5 + usize::from(u16::from_be_bytes([high, low]));
        if next > at {
            break;
        }
        header = next;
    }
    if (header + 1..header + 3).contains(&at) { header + 3 } else { at }
}

fn passes(mut from: TcpStream, mut to: TcpStream) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        // Either side may disconnect at any time; this is passed on to the other.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    })
}

/// A proxy that sends a server's bytes in pieces of this size, with a pause behind each of the first.
pub(super) fn in_pieces(server: SocketAddr, size: usize, pause: Duration) -> SocketAddr {
    const PAUSES: usize = 8;
    scripted(move |mut client| {
        let _ = TcpStream::connect(server).and_then(|mut server| {
            client.set_nodelay(true)?;
            let _up = passes(client.try_clone()?, server.try_clone()?);
            let (mut buffer, mut pauses) = ([0; 4096], 0);
            loop {
                let count = server.read(&mut buffer)?;
                if count == 0 {
                    return client.shutdown(Shutdown::Write);
                }
                for piece in buffer[..count].chunks(size) {
                    client.write_all(piece)?;
                    if pauses < PAUSES {
                        thread::sleep(pause);
                        pauses += 1;
                    }
                }
            }
        });
    })
}
