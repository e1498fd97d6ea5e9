//! The request for which an upstream failed, as far as a line has it.

use super::json::parse_any;

/// The longest path that is kept.
const MAX_PATH: usize = 1024;

/// The methods that change nothing (RFC 9110 section 9.2.1) and may be repeated.
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// A request in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its method; `GET` in place of one that is not safe to repeat.
    pub method: &'static str,
    /// Its Host, without the port. nginx may send another to the upstream.
    pub host: Option<String>,
    /// The path that nginx requested of the upstream, without the query, which may belong to a user; `None` if the
    /// upstream is not reached over HTTPS.
    pub path: Option<String>,
}

impl LoggedRequest {
    /// The request of a line.
    pub fn read(line: &[u8]) -> Self {
        let mut buffer = Vec::new();
        let line = parse_any(line, &mut buffer);
        let host = line.host.and_then(|host| std::str::from_utf8(host).ok());
        let host = host.map(|host| host.split(':').next().unwrap_or(host).to_owned());
        let method = line.request.and_then(|request| request.split(|byte| *byte == b' ').next());
        let safe = SAFE.iter().find(|known| Some(known.as_bytes()) == method);
        let path = line.upstream.and_then(path);
        Self { method: safe.unwrap_or(&SAFE[0]), host, path }
    }
}

/// `/path` of `https://192.0.2.1:443/path?query`.
fn path(upstream: &[u8]) -> Option<String> {
    let upstream = std::str::from_utf8(upstream).ok()?;
    let rest = upstream.strip_prefix("https://")?;
    let (_, path) = rest.split_at(rest.find('/')?);
    let path = path.split('?').next().unwrap_or(path);
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && path.len() <= MAX_PATH;
    plain.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "2026/01/31 23:59:59 [error] 1#1: *5 SSL_do_handshake() failed (SSL: error:0A000410:x) while \
         SSL handshaking to upstream, client: 192.0.2.9, server: www.test";

    fn of(fields: &str) -> LoggedRequest {
        LoggedRequest::read(format!("{HEAD}, {fields}").as_bytes())
    }

    #[test]
    fn the_path_is_that_of_the_upstream_without_the_query() {
        let upstream = r#"upstream: "https://192.0.2.1:8443/api/x?token=1", host: "www.test:81""#;
        let seen = of(&format!(r#"request: "HEAD /x?token=1 HTTP/1.1", {upstream}"#));
        let expected = LoggedRequest {
            method: "HEAD",
            host: Some("www.test".to_owned()),
            path: Some("/api/x".to_owned()),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_changes_something_is_not_repeated() {
        let seen = of(r#"request: "DELETE /x HTTP/1.1", upstream: "https://192.0.2.1:443/x""#);
        assert_eq!((seen.method, seen.path.as_deref()), ("GET", Some("/x")));
    }

    #[test]
    fn an_upstream_that_is_not_reached_over_https_has_no_path() {
        for upstream in ["grpcs://192.0.2.1:443/x", "192.0.2.1:443", "https://192.0.2.1:443/\u{e4}"]
        {
            assert_eq!(of(&format!(r#"upstream: "{upstream}""#)).path, None, "{upstream}");
        }
    }
}
