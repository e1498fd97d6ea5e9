//! Ranges of addresses: `192.0.2.0/24:8443`, `[2001:db8::/120]:443`. Every address is a target.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{Address, AddressError, MAX_RANGE};
use super::{Host, StartTls};

/// The addresses that a text names: those of a range, or one.
pub fn expand(text: &str) -> Result<Vec<Address>, AddressError> {
    match range(text.trim())? {
        Some(addresses) => Ok(addresses),
        None => text.parse().map(|address| vec![address]),
    }
}

/// The addresses of a range; `None` if the text is none.
fn range(text: &str) -> Result<Option<Vec<Address>>, AddressError> {
    let Some((first, rest)) = text.split_once('/') else { return Ok(None) };
    let bare = first.trim_start_matches('[').trim_end_matches(']');
    let Ok(ip) = bare.parse::<IpAddr>() else { return Ok(None) };
    let (bits, port) = match rest.split_once(':') {
        Some((bits, port)) => (bits, Some(port)),
        None => (rest, None),
    };
    let form = || AddressError::Range(text.to_owned());
    let bits = bits.trim_end_matches(']').parse::<u32>().map_err(|_| form())?;
    let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0));
    let port = port.map(|port| port.ok_or_else(form)).transpose()?;
    let width: u32 = if ip.is_ipv4() { 32 } else { 128 };
    let free = width.checked_sub(bits).ok_or_else(form)?;
    let count = 1_u32.checked_shl(free).filter(|count| *count <= MAX_RANGE);
    let count = count.ok_or_else(|| AddressError::RangeTooLarge(text.to_owned()))?;
    let address = |ip| Address {
        host: Host::Ip(ip),
        port,
        connect_to: None,
        starttls: port.and_then(StartTls::of_port),
    };
    Ok(Some(addresses(ip, count).into_iter().map(address).collect()))
}

/// The addresses of a network. The first and the last of IPv4 are no hosts, except in the smallest networks.
fn addresses(ip: IpAddr, count: u32) -> Vec<IpAddr> {
    match ip {
        IpAddr::V4(ip) => {
            let first = u32::from(ip) & !(count - 1);
            let (from, to) = if count > 2 { (1, count - 1) } else { (0, count) };
            (from..to).map(|at| Ipv4Addr::from(first + at).into()).collect()
        }
        IpAddr::V6(ip) => {
            let first = u128::from(ip) & !u128::from(count - 1);
            (0..count).map(|at| Ipv6Addr::from(first + u128::from(at)).into()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        let port = |one: &Address| one.port.map_or(String::new(), |port| format!(" {port}"));
        expand(text).unwrap().iter().map(|one| format!("{}{}", one.host, port(one))).collect()
    }

    #[test]
    fn a_range_is_its_hosts() {
        assert_eq!(hosts("192.0.2.5/30:8443"), ["192.0.2.5 8443", "192.0.2.6 8443"]);
        assert_eq!(hosts("192.0.2.4/31"), ["192.0.2.4", "192.0.2.5"]);
        assert_eq!(hosts("192.0.2.4/32"), ["192.0.2.4"]);
        assert_eq!(hosts("[2001:db8::/127]:443"), ["2001:db8:: 443", "2001:db8::1 443"]);
        assert_eq!(hosts("2001:db8::2/127"), ["2001:db8::2", "2001:db8::3"]);
        assert_eq!(hosts("192.0.2.0/20").len(), 4094);
        assert_eq!(hosts("255.255.255.255/30").len(), 2);
    }

    #[test]
    fn a_large_or_malformed_range_is_refused() {
        let error = |text: &str| expand(text).unwrap_err().to_string();
        assert!(error("192.0.2.0/19").contains("at most 4096 addresses"));
        assert!(error("::/0").contains("at most 4096 addresses"));
        for text in
            ["192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x:1", "192.0.2.0/30:0", "192.0.2.0/24:443:1"]
        {
            assert!(error(text).contains("NETWORK/BITS"), "{text}");
        }
        assert!(error("a.test/24").contains("https://HOST/PATH"));
    }
}
