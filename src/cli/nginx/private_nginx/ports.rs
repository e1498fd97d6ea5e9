//! Free loopback sockets to replace those of a configuration.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use crate::nginx::listener::ListenAddress;
use crate::nginx::rehearsal::OpenedSocket;

/// Attempts to find a port that is free on every address and protocol.
const TRIES: usize = 20;

/// A free address for every socket.
///
/// Separate addresses in 127.0.0.0/8 let most sockets keep their port, which the configuration may depend on.
pub(super) fn stand_ins(
    sockets: &[OpenedSocket],
) -> io::Result<BTreeMap<ListenAddress, ListenAddress>> {
    let mut held = Vec::new();
    let mut all = BTreeMap::new();
    let base = RandomState::new().build_hasher().finish();
    let mut hosts: Vec<String> = Vec::new();
    for socket in sockets {
        let host = host(&socket.address);
        let number = hosts.iter().position(|known| *known == host).unwrap_or_else(|| {
            hosts.push(host);
            hosts.len() - 1
        });
        let is_v6 = matches!(&socket.address, ListenAddress::Ip(ip) if ip.is_ipv6());
        let stand_in = free(socket, is_v6, own_address(base, number), &mut held)?;
        all.insert(socket.address.clone(), ListenAddress::Ip(stand_in));
    }
    Ok(all)
}

fn host(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Ip(address) => address.ip().to_string(),
        ListenAddress::Name { host, .. } => host.clone(),
        ListenAddress::Unix(_) => String::new(),
    }
}

/// An address from 127.1.0.0 to 127.254.255.255 for the host with this number.
fn own_address(base: u64, number: usize) -> IpAddr {
    const FIRST: u64 = 0x7f01_0000;
    const COUNT: u64 = 0x00fd_0000;
    let number = u64::try_from(number).unwrap_or(0);
    let address = FIRST + base.wrapping_add(number) % COUNT;
    Ipv4Addr::from(u32::try_from(address).unwrap_or(0x7f01_0000)).into()
}

/// Bound sockets that keep a port from being assigned twice.
type Held = Vec<(Option<TcpListener>, Option<UdpSocket>)>;

fn free(
    socket: &OpenedSocket,
    is_v6: bool,
    own: IpAddr,
    held: &mut Held,
) -> io::Result<SocketAddr> {
    let port = socket.address.port().unwrap_or(0);
    // IPv6 has only one loopback address, on which live servers may be listening.
    let v6 = is_v6.then_some((IpAddr::V6(Ipv6Addr::LOCALHOST), 0));
    let tries = v6.into_iter().chain([(own, port)]).chain(std::iter::repeat_n((own, 0), TRIES));
    // Not every system accepts more than one address of 127.0.0.0/8.
    let tries = tries.chain(std::iter::repeat_n((Ipv4Addr::LOCALHOST.into(), 0), TRIES));
    let mut failure = None;
    for (ip, port) in tries {
        match open(socket, SocketAddr::new(ip, port)) {
            Ok((address, tcp, udp)) => {
                held.push((tcp, udp));
                return Ok(address);
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::other("no port is free")))
}

fn open(
    socket: &OpenedSocket,
    address: SocketAddr,
) -> io::Result<(SocketAddr, Option<TcpListener>, Option<UdpSocket>)> {
    let tcp = socket.tcp.then(|| TcpListener::bind(address)).transpose()?;
    let address = tcp.as_ref().map_or(Ok(address), TcpListener::local_addr)?;
    let udp = socket.udp.then(|| UdpSocket::bind(address)).transpose()?;
    let address = udp.as_ref().map_or(Ok(address), UdpSocket::local_addr)?;
    Ok((address, tcp, udp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_has_a_place_of_its_own() {
        let socket = |text: &str, udp| OpenedSocket {
            address: ListenAddress::Ip(text.parse().unwrap()),
            tcp: true,
            udp,
        };
        let sockets = [
            socket("0.0.0.0:8443", true),
            socket("10.0.0.1:8443", false),
            socket("[::]:8443", false),
            OpenedSocket { address: ListenAddress::Unix("/a".to_owned()), tcp: true, udp: false },
        ];
        let all = stand_ins(&sockets).unwrap();
        let mut places: Vec<String> = all.values().map(ToString::to_string).collect();
        assert_eq!(places.len(), 4);
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 4, "{places:?}");
        assert!(!places.iter().any(|place| place.starts_with("unix:")), "{places:?}");
        assert!(!places.iter().any(|place| place.starts_with("0.0.0.0")), "{places:?}");
    }
}
