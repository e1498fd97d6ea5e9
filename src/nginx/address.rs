//! Parses addresses as nginx does (`ngx_parse_url`).

/// An address in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NginxAddress {
    /// A host, IPv6 in brackets, and a port if there is one.
    Host { host: String, port: Option<u16> },
    /// The path of a unix socket.
    Unix(String),
}

/// Parses an address that may be followed by a URI; the error is nginx's message.
pub(super) fn parse(text: &str) -> Result<NginxAddress, &'static str> {
    if let Some(path) = strip_scheme(text, "unix:") {
        let path = path.split(':').next().unwrap_or_default();
        return if path.is_empty() {
            Err("no path in the unix domain socket")
        } else {
            Ok(NginxAddress::Unix(path.to_owned()))
        };
    }
    let text = text.split(['/', '?']).next().unwrap_or_default();
    let (host, rest) = match text.find(']').filter(|_| text.starts_with('[')) {
        Some(end) => text.split_at(end + 1),
        None if text.starts_with('[') => return Err("invalid host"),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(port(digits).ok_or("invalid port")?),
        None if rest.is_empty() => None,
        None => return Err("invalid host"),
    };
    if host.is_empty() || host == "[]" {
        return Err("no host");
    }
    Ok(NginxAddress::Host { host: host.to_owned(), port })
}

/// Checks an address that nginx connects to; the error is nginx's message. A URI is refused unless it may follow.
pub(super) fn check(text: &str, with_uri: bool) -> Result<NginxAddress, &'static str> {
    let is_unix = strip_scheme(text, "unix:").is_some();
    // A bracket that opens an IPv6 address is looked for first.
    let is_open = text.starts_with('[') && !text.contains(']');
    if !with_uri && !is_unix && !is_open && text.contains(['/', '?']) {
        return Err("invalid host");
    }
    let parsed = parse(text)?;
    if let NginxAddress::Host { host, .. } = &parsed
        && host.starts_with('[')
        && bare(host).parse::<std::net::Ipv6Addr>().is_err()
    {
        return Err("invalid IPv6 address");
    }
    Ok(parsed)
}

/// Whether nothing can resolve a host: no name has such characters, or it is numbers that are no address.
pub(super) fn cannot_resolve(host: &str) -> bool {
    let odd = |c: char| c.is_ascii() && !(c.is_ascii_alphanumeric() || "._-".contains(c));
    if host.starts_with('[') || !host.contains(odd) && !is_numbers(host) {
        return false;
    }
    let parts: Vec<&str> = host.split('.').collect();
    let too_large = |part: &&str| part.parse::<u32>().is_ok_and(|number| number > 255);
    // The system reads empty parts in ways of its own.
    let is_whole = parts.iter().all(|part| !part.is_empty());
    let is_no_address = parts.len() > 4 || parts.len() == 4 && parts.iter().any(too_large);
    host.contains(odd) || is_whole && is_no_address
}

fn is_numbers(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whether an address without a URI has a port, or needs none.
pub(super) fn has_port(text: &str) -> bool {
    match parse(text) {
        Ok(NginxAddress::Host { port, .. }) => port.is_some(),
        Ok(NginxAddress::Unix(_)) | Err(_) => true,
    }
}

/// A port as nginx reads it.
pub(super) fn port(digits: &str) -> Option<u16> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&port| is_number && port != 0)
}

/// The text after a scheme, ignoring case.
pub(super) fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
}

/// A host without the brackets of IPv6.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let host = |host: &str, port| Ok(NginxAddress::Host { host: host.to_owned(), port });
        for (text, expected) in [
            ("a.test", host("a.test", None)),
            ("a.test:8443/x:y", host("a.test", Some(8443))),
            ("a.test/x:1", host("a.test", None)),
            ("a.test?x:1", host("a.test", None)),
            ("[::1]:443/", host("[::1]", Some(443))),
            ("[::1]", host("[::1]", None)),
            ("unix:/run/a.sock:/uri", Ok(NginxAddress::Unix("/run/a.sock".to_owned()))),
            ("UNIX:/run/a.sock", Ok(NginxAddress::Unix("/run/a.sock".to_owned()))),
            ("unix:", Err("no path in the unix domain socket")),
            ("a:0", Err("invalid port")),
            ("a:+1", Err("invalid port")),
            ("a:65536", Err("invalid port")),
            ("a:", Err("invalid port")),
            (":1", Err("no host")),
            ("", Err("no host")),
            ("[::1", Err("invalid host")),
            ("[::1]x", Err("invalid host")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
