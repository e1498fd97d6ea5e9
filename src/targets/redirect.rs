//! curl's `--resolve` and `--connect-to`: other addresses for a host and a port.

use super::Host;
use super::address::{Address, AddressError, parse_host, parse_port, split};

/// One such option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The host that it is for; `None` for every host.
    host: Option<Host>,
    /// The port that it is for; `None` for every port.
    port: Option<u16>,
    /// Where to connect instead; `None` is the host or port itself.
    to: Vec<(Option<Host>, Option<u16>)>,
}

/// The port of a target without one.
const USUAL_PORT: u16 = 443;

impl Redirect {
    /// `HOST:PORT:ADDRESS[,ADDRESS]...`; the host may be `*`.
    pub fn resolve(text: &str) -> Result<Self, AddressError> {
        let form = || AddressError::Resolve(text.to_owned());
        let parts = text.strip_prefix('+').unwrap_or(text);
        // The host may be an IPv6 address in brackets.
        let at = if parts.starts_with('[') {
            parts.find("]:").map(|at| at + 1)
        } else {
            parts.find(':')
        };
        let (first, rest) = parts.split_at_checked(at.ok_or_else(form)?).ok_or_else(form)?;
        let (port, addresses) = rest[1..].split_once(':').ok_or_else(form)?;
        let host = if first == "*" { None } else { Some(parse_host(first)?) };
        let port = parse_port(port)?;
        let to = addresses.split(',').map(|one| Ok((Some(parse_host(one)?), Some(port))));
        Ok(Self { host, port: Some(port), to: to.collect::<Result<_, AddressError>>()? })
    }

    /// `HOST1:PORT1:HOST2:PORT2`; an empty part is any host or port, or the same.
    pub fn connect_to(text: &str) -> Result<Self, AddressError> {
        let parts = split(text)?;
        let [host, port, to_host, to_port] = *parts.as_slice() else {
            return Err(AddressError::ConnectTo(text.to_owned()));
        };
        let host_of = |part: &str| (!part.is_empty()).then(|| parse_host(part)).transpose();
        let port_of = |part: &str| (!part.is_empty()).then(|| parse_port(part)).transpose();
        Ok(Self {
            host: host_of(host)?,
            port: port_of(port)?,
            to: vec![(host_of(to_host)?, port_of(to_port)?)],
        })
    }

    fn is_for(&self, address: &Address) -> bool {
        let port = address.port.unwrap_or(USUAL_PORT);
        self.host.as_ref().is_none_or(|host| *host == address.host)
            && self.port.is_none_or(|wanted| wanted == port)
    }
}

/// The address as the first option that is for it changes it: one for each address to connect to.
pub fn apply(redirects: &[Redirect], address: Address) -> Vec<Address> {
    let own = address.connect_to.is_none();
    let Some(redirect) = redirects.iter().find(|one| own && one.is_for(&address)) else {
        return vec![address];
    };
    let port = address.port.unwrap_or(USUAL_PORT);
    let to = redirect.to.iter().map(|(host, to_port)| {
        let host = host.clone().unwrap_or_else(|| address.host.clone());
        Address {
            port: Some(port),
            connect_to: Some((host, to_port.unwrap_or(port))),
            ..address.clone()
        }
    });
    to.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(redirects: &[Redirect], address: &str) -> Vec<String> {
        let all = apply(redirects, address.parse().unwrap());
        let place = |one: &Address| {
            one.connect_to
                .as_ref()
                .map_or("itself".to_owned(), |(host, port)| format!("{host}:{port}"))
        };
        all.iter().map(place).collect()
    }

    #[test]
    fn a_name_leads_to_other_addresses() {
        let one = [Redirect::resolve("a.test:443:192.0.2.1,[2001:db8::1]").unwrap()];
        assert_eq!(places(&one, "a.test"), ["192.0.2.1:443", "2001:db8::1:443"]);
        assert_eq!(places(&one, "A.test:443"), ["192.0.2.1:443", "2001:db8::1:443"]);
        assert_eq!(places(&one, "a.test:8443"), ["itself"]);
        assert_eq!(places(&one, "b.test"), ["itself"]);
        assert_eq!(places(&one, "a.test:443:192.0.2.9:443"), ["192.0.2.9:443"]);
        let v6 = [Redirect::resolve("[2001:db8::1]:443:192.0.2.1").unwrap()];
        assert_eq!(places(&v6, "[2001:db8::1]:443"), ["192.0.2.1:443"]);
        let any = [Redirect::resolve("*:443:192.0.2.1").unwrap()];
        assert_eq!(places(&any, "b.test"), ["192.0.2.1:443"]);
    }

    #[test]
    fn an_empty_part_is_any_or_the_same() {
        let all = [Redirect::connect_to("::192.0.2.1:").unwrap()];
        assert_eq!(places(&all, "a.test:8443"), ["192.0.2.1:8443"]);
        let port = [Redirect::connect_to("a.test:443::8443").unwrap()];
        assert_eq!(places(&port, "a.test"), ["a.test:8443"]);
        let v6 = [Redirect::connect_to("a.test:443:[::1]:8443").unwrap()];
        assert_eq!(places(&v6, "a.test"), ["::1:8443"]);
    }

    #[test]
    fn other_forms_are_refused() {
        let resolve = |text| Redirect::resolve(text).unwrap_err().to_string();
        for text in ["", "a.test", "a.test:443", "[::1", "[::1]"] {
            assert!(resolve(text).contains("HOST:PORT:ADDRESS"), "{text}");
        }
        assert!(resolve("a.test:0:::1").contains("invalid port"));
        assert!(resolve("a.test:443:x y").contains("invalid host"));
        let connect_to = |text| Redirect::connect_to(text).unwrap_err().to_string();
        for text in ["", "a.test:443", "a:1:b:2:c"] {
            assert!(connect_to(text).contains("HOST1:PORT1:HOST2:PORT2"), "{text}");
        }
        assert!(connect_to("a:0:b:1").contains("invalid port"));
    }
}
