//! What a `listen` directive says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{ListenAddress, Protocol};
use crate::nginx::address::{self, Address};
use crate::nginx::tree::Directive;

/// The ports that one directive may name as a range.
const MAX_PORTS: u16 = 1000;

/// One `listen` directive.
#[derive(Debug)]
pub(super) struct Listen<'t> {
    pub directive: &'t Directive,
    /// Its addresses; several for a range of ports.
    pub addresses: Vec<ListenAddress>,
}

impl<'t> Listen<'t> {
    /// Reads the directive; `None` where nginx would refuse its address.
    pub(super) fn read(directive: &'t Directive, protocol: Protocol) -> Option<Self> {
        let default_port = (protocol == Protocol::Http).then_some(80);
        let addresses = addresses(directive.first(), default_port)?;
        Some(Self { directive, addresses })
    }

    /// Whether it has this parameter.
    pub(super) fn has(&self, parameter: &str) -> bool {
        self.directive.arguments.iter().skip(1).any(|word| word == parameter)
    }

    /// Whether its server answers where no name matches; `default` is the old word.
    pub(super) fn is_default(&self) -> bool {
        self.has("default_server") || self.has("default")
    }
}

/// The addresses of a `listen` directive in `http`; none where nginx would refuse it.
pub(in crate::nginx) fn http_addresses(directive: &Directive) -> Vec<ListenAddress> {
    addresses(directive.first(), Some(80)).unwrap_or_default()
}

/// The addresses that a text names: `*:443`, `443`, `[::]:443`, `a.test:443`, `127.0.0.1`, `8000-8010`, `unix:/path`.
fn addresses(text: &str, default_port: Option<u16>) -> Option<Vec<ListenAddress>> {
    if let Some(path) = address::strip_scheme(text, "unix:") {
        return (!path.is_empty()).then(|| vec![ListenAddress::Unix(path.to_owned())]);
    }
    let (host, first, last) = ports(text, default_port)?;
    if last < first || last - first > MAX_PORTS {
        return None;
    }
    let ip: Result<IpAddr, _> = address::bare(host).parse();
    Some(
        (first..=last)
            .map(|port| match ip {
                _ if matches!(host, "" | "*") => {
                    ListenAddress::Ip(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
                }
                Ok(ip) => ListenAddress::Ip(SocketAddr::new(ip, port)),
                Err(_) => ListenAddress::Name { host: host.to_ascii_lowercase(), port },
            })
            .collect(),
    )
}

/// The host and the first and last port.
fn ports(text: &str, default_port: Option<u16>) -> Option<(&str, u16, u16)> {
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => Some((address::port(first)?, address::port(last)?)),
        None => address::port(text).map(|port| (port, port)),
    };
    if let Some((first, last)) = range(text) {
        return Some(("", first, last));
    }
    let host_end = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(host_end);
    let (first, last) = match rest.strip_prefix(':') {
        Some(rest) => range(rest)?,
        None if rest.is_empty() => (default_port?, default_port?),
        None => return None,
    };
    let known = matches!(address::parse(host), Ok(Address::Host { .. }));
    known.then_some((host, first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let named = addresses(text, Some(80)).unwrap_or_default();
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        assert_eq!(named, expected, "{text}");
    }

    #[test]
    fn addresses_are_read_as_nginx_reads_them() {
        check("443", &["0.0.0.0:443"]);
        check("*:443", &["0.0.0.0:443"]);
        check("*", &["0.0.0.0:80"]);
        check("127.0.0.1", &["127.0.0.1:80"]);
        check("[::]:443", &["[::]:443"]);
        check("[::1]", &["[::1]:80"]);
        check("A.test:443", &["a.test:443"]);
        check("127.0.0.1:8000-8002", &["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002"]);
        check("unix:/run/x:y", &["unix:/run/x:y"]);
        for refused in ["", "unix:", "a:0", "a:x", "[::", "2-1", "1-60000", "[::1]x"] {
            check(refused, &[]);
        }
        assert_eq!(addresses("127.0.0.1", None), None);
    }
}
