//! Fetches a missing issuer's certificate from the URL in a certificate (AIA caIssuers), if requested.
//!
//! The URL comes from the author of the certificate, so private networks are refused unless allowed, and size and time
//! are limited. Redirects are not followed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connect::Connector;
use crate::observation::Cause;
use crate::targets::Host;
use crate::targets::address::parse_host;

/// The largest answer, in bytes.
const MAX_ANSWER: u64 = 128 * 1024;

/// Why a certificate could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FetchError {
    /// Not a plain `http://` URL, as RFC 5280 requires.
    #[error("only http:// addresses are fetched")]
    Address,
    /// The URL leads to a private network.
    #[error("{0} is not a public address")]
    Private(IpAddr),
    /// The connection failed.
    #[error("{0}")]
    Connection(Cause),
    /// The server did not return a document.
    #[error("the server answered {0}")]
    Status(String),
}

/// Fetches the contents of `url`.
pub async fn fetch(connector: &Connector, url: &str, private: bool) -> Result<Vec<u8>, FetchError> {
    let (host, port, path) = split(url).ok_or(FetchError::Address)?;
    let address = resolve(connector, &host, port, private).await?;
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: shakedown\r\nAccept: */*\r\n\r\n"
    );
    let deadlines = connector.deadlines();
    let mut connection = connector
        .connect(address, deadlines.connect)
        .await
        .map_err(|failure| FetchError::Connection(failure.cause))?;
    let mut answer = Vec::new();
    let exchange = async {
        connection.stream.write_all(request.as_bytes()).await?;
        connection.stream.take(MAX_ANSWER).read_to_end(&mut answer).await
    };
    match timeout(deadlines.handshake, exchange).await {
        Err(_) => Err(FetchError::Connection(Cause::TimedOut)),
        Ok(Err(error)) => Err(FetchError::Connection(Cause::Local(error.to_string()))),
        Ok(Ok(_)) => body(&answer),
    }
}

async fn resolve(
    connector: &Connector,
    host: &Host,
    port: u16,
    private: bool,
) -> Result<SocketAddr, FetchError> {
    let addresses = connector
        .resolve(host, port)
        .await
        .map_err(|failure| FetchError::Connection(failure.cause))?;
    match addresses.iter().find(|ip| private || is_public(**ip)) {
        Some(ip) => Ok(SocketAddr::new(*ip, port)),
        None => Err(FetchError::Private(
            addresses.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        )),
    }
}

fn split(url: &str) -> Option<(Host, u16, String)> {
    let rest =
        url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")).and(url.get(7..))?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then_some((parse_host(host).ok()?, port, path.to_owned()))
}

/// Whether an address is public: not in any range for private, local or special use.
fn is_public(ip: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| {
        let [a, b, ..] = ip.octets();
        let special = a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b))
            || (a == 198 && (18..20).contains(&b));
        !(special
            || ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_multicast()
            || ip.is_documentation())
    };
    match ip {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4() {
            Some(mapped) => v4(mapped),
            None => ip.segments()[0] & 0xe000 == 0x2000,
        },
    }
}

fn body(answer: &[u8]) -> Result<Vec<u8>, FetchError> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let head =
        String::from_utf8_lossy(answer.get(..head_end.unwrap_or(answer.len())).unwrap_or_default());
    let status = head.lines().next().unwrap_or_default();
    let succeeded = status.starts_with("HTTP/1.") && status.get(9..12) == Some("200");
    match head_end {
        Some(end) if succeeded => Ok(answer[end + 4..].to_vec()),
        _ => Err(FetchError::Status(status.chars().take(80).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_taken_apart() {
        let check = |url, expected: Option<(&str, u16, &str)>| {
            let parts = split(url).map(|(host, port, path)| (host.to_string(), port, path));
            assert_eq!(parts, expected.map(|(h, p, q)| (h.to_owned(), p, q.to_owned())), "{url}");
        };
        check("http://ca.test/i.der", Some(("ca.test", 80, "/i.der")));
        check("HTTP://ca.test:8080", Some(("ca.test", 8080, "/")));
        check("http://[2001:db8::1]:81/x", Some(("2001:db8::1", 81, "/x")));
        check("https://ca.test/", None);
        check("ldap://ca.test/", None);
        check("http://ca.test/a b\r\nX: y", None);
    }

    #[test]
    fn private_networks_are_not_public() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn only_a_document_counts_as_an_answer() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc"), Ok(b"abc".to_vec()));
        assert!(body(b"HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n").is_err());
        assert!(body(b"garbage").is_err());
        assert!(body(b"").is_err());
    }
}
