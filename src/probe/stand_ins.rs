//! Sockets that replace others: in a rehearsal, nginx listens on other sockets than in the configuration.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::targets::Host;

/// Maps addresses to those that connections are made to instead.
#[derive(Clone, Debug, Default)]
pub struct StandIns {
    sockets: HashMap<SocketAddr, SocketAddr>,
    names: HashMap<(String, u16), IpAddr>,
}

impl StandIns {
    /// Replaces a socket by another; of two replacements the first is used.
    pub fn put(&mut self, host: &Host, port: u16, stand_in: SocketAddr) {
        let ip = match host {
            Host::Ip(ip) => *ip,
            Host::Name(name) => {
                // The name is not resolved.
                let ip = if host.unix_path().is_some() {
                    unix_address(self.names.len() + 1)
                } else {
                    stand_in.ip()
                };
                *self.names.entry((name.clone(), port)).or_insert(ip)
            }
        };
        self.sockets.entry(SocketAddr::new(ip, port)).or_insert(stand_in);
    }

    /// The address that replaces a name.
    pub(super) fn address(&self, name: &str, port: u16) -> Option<IpAddr> {
        // Avoids building the key if there is no rehearsal.
        (!self.names.is_empty())
            .then(|| self.names.get(&(name.to_owned(), port)).copied())
            .flatten()
    }

    /// The address to connect to instead of this one.
    pub(super) fn of(&self, address: SocketAddr) -> SocketAddr {
        self.sockets.get(&address).copied().unwrap_or(address)
    }
}

/// The address that stands for the unix socket with this number in reports, the same in every run.
pub(super) fn unix_address(number: usize) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 255, high, low).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_stand_in_is_itself() {
        let (named, there): (SocketAddr, SocketAddr) =
            ("127.0.0.1:443".parse().unwrap(), "127.9.9.9:5".parse().unwrap());
        let mut all = StandIns::default();
        assert_eq!(all.of(named), named);
        all.put(&Host::Ip(named.ip()), 443, there);
        all.put(&Host::Name("a.test".to_owned()), 443, there);
        assert_eq!(all.of(named), there);
        assert_eq!(all.address("a.test", 443), Some(there.ip()));
        assert_eq!(all.of(SocketAddr::new(there.ip(), 443)), there);
        assert_eq!(all.address("a.test", 444), None);
        let unix = ["unix:/a", "unix:/b"].map(|name| {
            let stand_in = SocketAddr::new(there.ip(), if name == "unix:/a" { 7 } else { 8 });
            all.put(&Host::Name(name.to_owned()), 0, stand_in);
            SocketAddr::new(all.address(name, 0).unwrap(), 0)
        });
        assert_eq!(unix.map(|address| all.of(address).port()), [7, 8]);
    }
}
