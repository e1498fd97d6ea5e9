//! Parses `listen` directives.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{ListenAddress, Protocol};
use crate::nginx::address;
use crate::nginx::directives;
use crate::nginx::tree::Directive;

/// The most ports of one range.
const MAX_PORTS: u16 = 1000;

/// One `listen` directive.
#[derive(Debug)]
pub(super) struct Listen<'t> {
    pub directive: &'t Directive,
    /// Its addresses; several for a range of ports.
    pub addresses: Vec<ListenAddress>,
}

/// Why the addresses of a `listen` directive are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nginx) enum ListenError {
    /// nginx refuses it, with this message.
    Refused(&'static str),
    /// More ports than the limit.
    TooManyPorts,
}

impl<'t> Listen<'t> {
    /// Parses the directive; `None` if its addresses are unknown.
    pub(super) fn read(directive: &'t Directive, protocol: Protocol) -> Option<Self> {
        let default_port = (protocol == Protocol::Http).then_some(80);
        let addresses = addresses(directive.first(), default_port).ok()?;
        Some(Self { directive, addresses })
    }

    /// Whether it has this parameter.
    pub(super) fn has(&self, parameter: &str) -> bool {
        self.directive.arguments.iter().skip(1).any(|word| word == parameter)
    }

    /// Whether its server is the default; `default` is the old name of the parameter.
    pub(super) fn is_default(&self) -> bool {
        self.has("default_server") || self.has("default")
    }
}

/// The addresses of a `listen` directive in `http`; empty if nginx would refuse it.
pub(in crate::nginx) fn http_addresses(directive: &Directive) -> Vec<ListenAddress> {
    addresses(directive.first(), Some(80)).unwrap_or_default()
}

/// The addresses in a text: `*:443`, `443`, `[::]:443`, `a.test:443`, `127.0.0.1`, `8000-8010`, `unix:/path`.
pub(in crate::nginx) fn addresses(
    text: &str,
    default_port: Option<u16>,
) -> Result<Vec<ListenAddress>, ListenError> {
    if let Some(path) = address::strip_scheme(text, "unix:") {
        let missing = ListenError::Refused("no path in the unix domain socket");
        return if path.is_empty() {
            Err(missing)
        } else {
            Ok(vec![ListenAddress::Unix(path.to_owned())])
        };
    }
    let (host, first, last) = ports(text, default_port).map_err(ListenError::Refused)?;
    if last < first {
        return Err(ListenError::Refused("invalid port range"));
    }
    if last - first >= MAX_PORTS {
        return Err(ListenError::TooManyPorts);
    }
    let ip: Result<IpAddr, _> = address::bare(host).parse();
    Ok((first..=last)
        .map(|port| match ip {
            _ if matches!(host, "" | "*") => {
                ListenAddress::Ip(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
            }
            Ok(ip) => ListenAddress::Ip(SocketAddr::new(ip, port)),
            Err(_) => ListenAddress::Name { host: host.to_ascii_lowercase(), port },
        })
        .collect())
}

/// The host and the first and last port (`ngx_parse_inet_url`); the error is nginx's message.
fn ports(text: &str, default_port: Option<u16>) -> Result<(&str, u16, u16), &'static str> {
    const INVALID: &str = "invalid port";
    let port = |text: &str| address::port(text).ok_or(INVALID);
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => Ok((port(first)?, port(last)?)),
        None => port(text).map(|port| (port, port)),
    };
    let is_number = |text: &str| directives::number(text).is_some();
    let is_port = match text.split_once('-') {
        Some((first, last)) => is_number(first) && is_number(last),
        None => is_number(text),
    };
    if is_port {
        return range(text).map(|(first, last)| ("", first, last));
    }
    if text.contains(['/', '?']) {
        return Err("invalid host");
    }
    let host_end = if text.starts_with('[') {
        text.find(']').ok_or("invalid host")? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at(host_end);
    let (first, last) = match rest.strip_prefix(':') {
        Some(rest) => range(rest)?,
        None if rest.is_empty() => {
            let port = default_port.ok_or("no port")?;
            (port, port)
        }
        None => return Err("invalid host"),
    };
    if host.is_empty() {
        return Err("no host");
    }
    let is_bad = |inner: &str| inner.parse::<std::net::Ipv6Addr>().is_err();
    if host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(is_bad) {
        return Err("invalid IPv6 address");
    }
    Ok((host, first, last))
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
        assert_eq!(addresses("127.0.0.1", None), Err(ListenError::Refused("no port")));
        assert_eq!(addresses("1-1000", None).map(|all| all.len()), Ok(1000));
        assert_eq!(addresses("1-1001", None), Err(ListenError::TooManyPorts));
        for (text, words) in [
            ("127.0.0.1:70000", "invalid port"),
            ("70000", "invalid port"),
            ("0", "invalid port"),
            ("2-1", "invalid port range"),
            ("a/b:1", "invalid host"),
            (":1", "no host"),
            ("[::1:1", "invalid host"),
            ("[1]:1", "invalid IPv6 address"),
            ("unix:", "no path in the unix domain socket"),
        ] {
            assert_eq!(addresses(text, Some(80)), Err(ListenError::Refused(words)), "{text}");
        }
    }
}
