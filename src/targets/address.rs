//! Parses addresses: `HOST[:PORT]`, `[V6]:PORT`, `https://…`, `smtp://…`, curl's four-part form and `unix:PATH`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::{Host, StartTls};
use crate::certificate::name;

/// Longest address text that is read, in bytes; a DNS name has at most 253.
const MAX_LENGTH: usize = 1024;

/// Longest path of a unix socket, in bytes: `sun_path` without the zero at its end.
const MAX_PATH: usize = 107;

/// The most addresses of one range.
pub(super) const MAX_RANGE: u32 = 4096;

/// A parsed address; the port is `None` if the text has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host in the text.
    pub host: Host,
    /// The port in the text.
    pub port: Option<u16>,
    /// Where to connect instead, from the four-part form.
    pub connect_to: Option<(Host, u16)>,
    /// The protocol to upgrade from, by the scheme or the port. A URL such as `tls://HOST:25` has none.
    pub starttls: Option<StartTls>,
}

/// Why a text is not a valid address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was given.
    #[error("empty address: expected HOST[:PORT]")]
    Empty,
    /// The text is longer than any address.
    #[error("address too long: {0} bytes, expected at most {MAX_LENGTH}")]
    TooLong(usize),
    /// A URL of another scheme.
    #[error("unknown scheme {0:?}: expected https://HOST or HOST:PORT")]
    Scheme(String),
    /// A wildcard, as in certificates.
    #[error("invalid host {0:?}: expected a name, not a wildcard")]
    Wildcard(String),
    /// An IPv6 address with a zone identifier.
    #[error(
        "invalid address {0:?}: expected no zone identifier (remove the % and what follows it)"
    )]
    Zone(String),
    /// A path without a scheme.
    #[error("invalid address {0:?}: expected https://HOST/PATH or HOST:PORT")]
    Path(String),
    /// The path of a unix socket that is relative, empty or too long.
    #[error("invalid unix socket {0:?}: expected unix:/PATH with at most {MAX_PATH} bytes")]
    Unix(String),
    /// A host that is neither a DNS name nor an IP address.
    #[error("invalid host {0:?}: expected a host name or an IP address")]
    Host(String),
    /// Port 0, a port above 65535, or something that is not a number.
    #[error("invalid port {0:?}: expected 1 to 65535")]
    Port(String),
    /// A range of addresses that is none.
    #[error("invalid range {0:?}: expected NETWORK/BITS or NETWORK/BITS:PORT")]
    Range(String),
    /// A range with too many addresses.
    #[error("range too large {0:?}: expected at most {MAX_RANGE} addresses")]
    RangeTooLarge(String),
    /// A value of `--resolve` with too few parts.
    #[error("invalid value {0:?}: expected HOST:PORT:ADDRESS[,ADDRESS]...")]
    Resolve(String),
    /// A value of `--connect-to` with another number of parts.
    #[error("invalid value {0:?}: expected HOST1:PORT1:HOST2:PORT2, IPv6 addresses in brackets")]
    ConnectTo(String),
    /// The number of colons fits no form.
    #[error(
        "invalid address {0:?}: expected HOST[:PORT], [IPV6]:PORT, unix:/PATH or NAME:PORT:CONNECT-HOST:CONNECT-PORT"
    )]
    Form(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(AddressError::TooLong(text.len()));
        }
        if let Some((name, path)) = unix_socket(text)? {
            return at_unix_socket(text, name, path);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return url(text, scheme, rest);
        }
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            let host = Host::Ip(IpAddr::V6(ip));
            return Ok(Self { host, port: None, connect_to: None, starttls: None });
        }
        if text.contains('/') {
            return Err(AddressError::Path(text.to_owned()));
        }
        if has_zone(text) {
            return Err(AddressError::Zone(text.to_owned()));
        }
        match *split(text)?.as_slice() {
            [host] => {
                Ok(Self { host: parse_host(host)?, port: None, connect_to: None, starttls: None })
            }
            [host, port] => {
                let (host, port) = (parse_host(host)?, parse_port(port)?);
                let starttls = StartTls::of_port(port);
                Ok(Self { host, port: Some(port), connect_to: None, starttls })
            }
            [name, port, connect_host, connect_port] => {
                four_parts(text, [name, port, connect_host, connect_port])
            }
            _ => Err(AddressError::Form(text.to_owned())),
        }
    }
}

/// The name and the path of `unix:PATH` or `NAME:PORT:unix:PATH`.
fn unix_socket(text: &str) -> Result<Option<(Option<&str>, &str)>, AddressError> {
    let (name, path) = match text.strip_prefix("unix:") {
        Some(path) => (None, path),
        None => match text.split_once(":unix:") {
            Some((name, path)) => (Some(name), path),
            None => return Ok(None),
        },
    };
    if path.starts_with('/') && path.len() <= MAX_PATH && !path.contains(char::is_control) {
        Ok(Some((name, path)))
    } else {
        Err(AddressError::Unix(path.to_owned()))
    }
}

fn at_unix_socket(text: &str, name: Option<&str>, path: &str) -> Result<Address, AddressError> {
    let socket = Host::Name(format!("unix:{path}"));
    let Some(name) = name else {
        return Ok(Address { host: socket, port: Some(0), connect_to: None, starttls: None });
    };
    match *split(name)?.as_slice() {
        [host, port] => {
            let (host, port) = (parse_host(host)?, parse_port(port)?);
            let starttls = StartTls::of_port(port);
            Ok(Address { host, port: Some(port), connect_to: Some((socket, 0)), starttls })
        }
        _ => Err(AddressError::Form(text.to_owned())),
    }
}

fn url(text: &str, scheme: &str, rest: &str) -> Result<Address, AddressError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (starttls, usual_port) = start(&scheme.to_ascii_lowercase())
        .ok_or_else(|| AddressError::Scheme(scheme.to_owned()))?;
    let (host, port) = match *split(authority)?.as_slice() {
        [host] => (parse_host(host)?, usual_port),
        [host, port] => (parse_host(host)?, parse_port(port)?),
        _ => return Err(AddressError::Form(text.to_owned())),
    };
    Ok(Address { host, port: Some(port), connect_to: None, starttls })
}

/// The STARTTLS protocol and the port of a URL with this scheme.
fn start(scheme: &str) -> Option<(Option<StartTls>, u16)> {
    let port = match scheme {
        "https" | "tls" | "wss" | "grpcs" => 443,
        "smtps" => 465,
        "imaps" => 993,
        "pop3s" => 995,
        "ldaps" => 636,
        "ftps" => 990,
        "nntps" => 563,
        "mqtts" => 8883,
        "amqps" => 5671,
        "rediss" => 6379,
        scheme => {
            let protocol = StartTls::of_scheme(scheme)?;
            return Some((Some(protocol), protocol.default_port()));
        }
    };
    Some((None, port))
}

/// As in curl's `--connect-to`: an empty part is the same as the other part of its kind.
fn four_parts(
    text: &str,
    [name, port, connect_host, connect_port]: [&str; 4],
) -> Result<Address, AddressError> {
    if name.is_empty() || (port.is_empty() && connect_port.is_empty()) {
        return Err(AddressError::Form(text.to_owned()));
    }
    let or = |part: &'_ str, other: &'_ str| {
        if part.is_empty() { other.to_owned() } else { part.to_owned() }
    };
    let host = parse_host(name)?;
    let port_number = parse_port(&or(port, connect_port))?;
    let connect_to = (parse_host(&or(connect_host, name))?, parse_port(&or(connect_port, port))?);
    let starttls = StartTls::of_port(port_number);
    Ok(Address { host, port: Some(port_number), connect_to: Some(connect_to), starttls })
}

/// Splits at colons outside brackets.
pub(super) fn split(text: &str) -> Result<Vec<&str>, AddressError> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let end = match rest.strip_prefix('[') {
            Some(inner) => inner
                .find(']')
                .map(|at| at + 2)
                .ok_or_else(|| AddressError::Form(text.to_owned()))?,
            None => rest.find(':').unwrap_or(rest.len()),
        };
        let (part, after) = rest.split_at(end);
        parts.push(part);
        match after.strip_prefix(':') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(parts),
            None => return Err(AddressError::Form(text.to_owned())),
        }
    }
}

pub(super) fn parse_port(text: &str) -> Result<u16, AddressError> {
    match text.parse() {
        Ok(port) if port != 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err(AddressError::Port(text.to_owned())),
    }
}

/// Parses a host: an address, with or without brackets, or a DNS name, which is returned in lower case, as A-labels,
/// without a trailing dot.
pub fn parse_host(text: &str) -> Result<Host, AddressError> {
    let error = || AddressError::Host(text.to_owned());
    let bare = match text.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(error)?,
        None => text,
    };
    if let Ok(ip) = bare.parse() {
        return Ok(Host::Ip(ip));
    }
    if has_zone(bare) {
        return Err(AddressError::Zone(text.to_owned()));
    }
    if bare.len() != text.len() {
        return Err(error());
    }
    if text.starts_with("*.") {
        return Err(AddressError::Wildcard(text.to_owned()));
    }
    let name = name::to_ascii(text.strip_suffix('.').unwrap_or(text)).ok_or_else(error)?;
    if is_dns_name(&name) { Ok(Host::Name(name)) } else { Err(error()) }
}

fn has_zone(text: &str) -> bool {
    text.split_once('%').is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

/// Whether rustls can send this as SNI: letters, digits, hyphens inside labels, and underscores, which real names
/// contain. A last label of only digits is a mistyped IPv4 address.
fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(label) && !name.rsplit('.').next().is_some_and(numeric)
}

/// `host:port`, with brackets around an IPv6 address; a unix socket has no port.
pub fn host_port(host: &Host, port: u16) -> impl fmt::Display + '_ {
    struct HostPort<'a>(&'a Host, u16);
    impl fmt::Display for HostPort<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.0 {
                Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.1),
                host if host.unix_path().is_some() => write!(f, "{host}"),
                host => write!(f, "{host}:{}", self.1),
            }
        }
    }
    HostPort(host, port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, port: Option<u16>) {
        let address: Address = text.parse().unwrap();
        assert_eq!((address.host.to_string().as_str(), address.port), (host, port), "{text}");
        assert_eq!(address.connect_to, None, "{text}");
    }

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        assert_eq!(text.parse::<Address>().unwrap_err().to_string(), expected);
    }

    #[test]
    fn hosts_and_ports() {
        check("a.test", "a.test", None);
        check("A.Test.:8443", "a.test", Some(8443));
        check("a_b.test:1", "a_b.test", Some(1));
        check("bücher.test", "xn--bcher-kva.test", None);
        check("127.0.0.1:8443", "127.0.0.1", Some(8443));
        check("[::1]:8443", "::1", Some(8443));
        check("[::1]", "::1", None);
        check("::1", "::1", None);
        check("2001:db8::1", "2001:db8::1", None);
        check("localhost", "localhost", None);
    }

    #[test]
    fn urls() {
        check("https://a.test", "a.test", Some(443));
        check("https://a.test:8443/path?x#y", "a.test", Some(8443));
        check("HTTPS://user@[::1]/", "::1", Some(443));
    }

    #[test]
    fn what_starts_in_plain_text_is_known_by_its_scheme_or_port() {
        let check = |text: &str, port, starttls| {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.port, address.starttls), (Some(port), starttls), "{text}");
        };
        check("smtp://user:secret@mail.test:2500", 2500, Some(StartTls::Smtp));
        check("postgresql://db.test/name", 5432, Some(StartTls::Postgres));
        check("xmpp-server://a.test", 5269, Some(StartTls::XmppServer));
        check("imaps://mail.test", 993, None);
        check("mail.test:587", 587, Some(StartTls::Smtp));
        check("mail.test:4190:127.0.0.1:8190", 4190, Some(StartTls::Sieve));
        check("mail.test:993", 993, None);
        check("a.test:443:127.0.0.1:25", 443, None);
        check("tls://mail.test:25", 25, None);
    }

    #[test]
    fn the_four_part_form_connects_elsewhere() {
        let check = |text: &str, port, host: &str, connect_port| {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.port, Some(port), "{text}");
            assert_eq!(
                address.connect_to,
                Some((parse_host(host).unwrap(), connect_port)),
                "{text}"
            );
        };
        check("a.test:443:127.0.0.1:8443", 443, "127.0.0.1", 8443);
        check("a.test:443:[::1]:8443", 443, "::1", 8443);
        check("a.test:443::8443", 443, "a.test", 8443);
        check("a.test:443:b.test:", 443, "b.test", 443);
    }

    #[test]
    fn a_unix_socket_has_a_path_and_perhaps_a_name() {
        check("unix:/run/nginx/a.sock", "unix:/run/nginx/a.sock", Some(0));
        check("unix:/run/a:b", "unix:/run/a:b", Some(0));
        let named: Address = "a.test:443:unix:/run/a.sock".parse().unwrap();
        assert_eq!((named.host.to_string().as_str(), named.port), ("a.test", Some(443)));
        let socket = Host::Name("unix:/run/a.sock".to_owned());
        assert_eq!(named.connect_to, Some((socket, 0)));
        check_error(
            "unix:a.sock",
            "invalid unix socket \"a.sock\": expected unix:/PATH with at most 107 bytes",
        );
        check_error(
            "unix:",
            "invalid unix socket \"\": expected unix:/PATH with at most 107 bytes",
        );
        assert!(format!("unix:/{}", "a".repeat(106)).parse::<Address>().is_ok());
        assert!(format!("unix:/{}", "a".repeat(107)).parse::<Address>().is_err());
    }

    #[test]
    fn errors_say_what_to_write() {
        check_error("", "empty address: expected HOST[:PORT]");
        check_error("http://a.test", "unknown scheme \"http\": expected https://HOST or HOST:PORT");
        check_error(
            "a.test/b",
            "invalid address \"a.test/b\": expected https://HOST/PATH or HOST:PORT",
        );
        check_error("*.a.test", "invalid host \"*.a.test\": expected a name, not a wildcard");
        check_error(
            "[fe80::1%eth0]:443",
            "invalid address \"[fe80::1%eth0]\": expected no zone identifier (remove the % and what follows it)",
        );
        check_error("a.test:0", "invalid port \"0\": expected 1 to 65535");
        check_error("a.test:+1", "invalid port \"+1\": expected 1 to 65535");
        check_error("a b.test", "invalid host \"a b.test\": expected a host name or an IP address");
        check_error("1.2.3", "invalid host \"1.2.3\": expected a host name or an IP address");
        check_error(
            "[a.test]:1",
            "invalid host \"[a.test]\": expected a host name or an IP address",
        );
        check_error(
            "a.test:1:b.test",
            "invalid address \"a.test:1:b.test\": expected HOST[:PORT], [IPV6]:PORT, unix:/PATH or NAME:PORT:CONNECT-HOST:CONNECT-PORT",
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Address>();
        }
    }
}
